import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClosedLoop, fill, runClosedLoop } from "../../src/bench/closed-loop.ts";
import { fixedLoad } from "../../src/bench/fixed-load.ts";
import { runOpenLoop } from "../../src/bench/open-loop.ts";
import { Recording } from "../../src/bench/recording.ts";
import type { Done, Target } from "../../src/bench/target.ts";
import { HandClock } from "./hand-clock.ts";

/** Answers everything after so long, but nothing during its stall. */
class SlowTarget implements Target {
  readonly #clock: HandClock;
  readonly #answerMs: number;
  readonly #stall: { readonly fromMs: number; readonly toMs: number };
  inFlight = 0;
  mostInFlight = 0;
  asked = 0;

  constructor(clock: HandClock, answerMs: number, stall = { fromMs: 0, toMs: 0 }) {
    this.#clock = clock;
    this.#answerMs = answerMs;
    this.#stall = stall;
  }

  get(_key: string, done: Done): void {
    this.asked += 1;
    this.inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    const nowMs = this.#clock.monotonicMs();
    const isStalled = nowMs >= this.#stall.fromMs && nowMs < this.#stall.toMs;
    const answerMs = isStalled ? this.#stall.toMs - nowMs + this.#answerMs : this.#answerMs;
    const failure = this.asked % 10 === 0 ? new Error("one in ten") : undefined;
    this.#clock.setTimer(answerMs, () => {
      this.inFlight -= 1;
      done(failure);
    });
  }

  put(key: string, _value: Uint8Array, done: Done): void {
    this.get(key, done);
  }

  change(key: string, _change: unknown, done: Done): void {
    this.get(key, done);
  }

  async close(): Promise<void> {}
}

const load = fixedLoad({ kind: "read", keys: 10, valueBytes: 1 });
const stall = { fromMs: 500, toMs: 1500 };

test("an open loop counts a stall for all that fell due in it; a closed one for what was in flight", async () => {
  const clock = new HandClock();
  const [target, recording] = [new SlowTarget(clock, 1, stall), new Recording(0)];
  const open = runOpenLoop(target, load, { perSecond: 100, durationMs: 4000, mostInFlight: 1000, clock }, recording);
  clock.pass(5000);
  await open;
  assert.equal(recording.count, 400);
  // A quarter of all was due in the second of the stall: waits from one second down to none.
  assert.ok(recording.all.percentile(0.75) <= 2000, "three quarters saw nothing of it");
  assert.ok(Math.abs(recording.all.percentile(0.875) - 500_000) < 30_000, "half of the others waited half a second");
  assert.ok(recording.all.max >= 990_000);
  assert.equal(clock.hasTimers, false, "the loop leaves no timer behind");

  const other = new HandClock();
  const closed = new Recording(0);
  const loop: ClosedLoop = { inFlight: 2, durationMs: 4000, clock: other };
  const closing = runClosedLoop(new SlowTarget(other, 1, stall), load, loop, closed);
  other.pass(5000);
  await closing;
  assert.ok(closed.all.percentile(0.99) <= 1000, "a closed loop hides it");
});

test("an open loop follows a rate that changes", async () => {
  const clock = new HandClock();
  const beganMs: number[] = [];
  const recorder = { ended: (_: string, fromMs: number): void => void beganMs.push(fromMs) };
  const perSecond = (sinceMs: number): number => (sinceMs < 1000 ? 100 : 1000);
  clock.pass(500);
  const run = runOpenLoop(
    new SlowTarget(clock, 1),
    load,
    { perSecond, durationMs: 2000, mostInFlight: 100, clock },
    recorder,
  );
  clock.pass(3000);
  await run;
  const within = (from: number, to: number): number => beganMs.filter((ms) => ms >= from && ms < to - 1e-6).length;
  assert.deepEqual([within(500, 1500), within(1500, 2500), beganMs.length], [100, 1000, 1100]);
});

test("what is due while too much is in flight waits, and its wait is counted", async () => {
  const clock = new HandClock();
  const [target, recording] = [new SlowTarget(clock, 100), new Recording(0)];
  // Ten in flight and 100 ms each: a hundred a second, of the thousand that are due.
  const run = runOpenLoop(target, load, { perSecond: 1000, durationMs: 1000, mostInFlight: 10, clock }, recording);
  clock.pass(20_000);
  await run;
  assert.equal(target.mostInFlight, 10);
  assert.equal(recording.count, 1000);
  assert.ok(recording.all.max > 8_900_000, `the last waited nine seconds: ${recording.all.max}`);
});

test("a closed loop has so many in flight, counts errors apart, and ends after so many operations", async () => {
  const clock = new HandClock();
  const [target, recording] = [new SlowTarget(clock, 5), new Recording(0)];
  const run = runClosedLoop(target, load, { inFlight: 4, operations: 1000, clock }, recording);
  clock.pass(10_000);
  await run;
  assert.deepEqual([target.asked, target.mostInFlight, recording.count], [1000, 4, 1000]);
  assert.deepEqual([...recording.errors], [["one in ten", 100]]);
  assert.equal(recording.all.percentile(0.5), 5000);
  assert.ok(recording.timeline.length >= 1);
  for (const { perSecond } of recording.timeline) assert.ok(Math.abs(perSecond - 800) < 8, String(perSecond));
});

test("a loop that is given up ends once what is in flight has ended", async () => {
  for (const kind of ["closed", "open"] as const) {
    const clock = new HandClock();
    const target = new SlowTarget(clock, 50);
    const giveUp = new AbortController();
    const recording = new Recording(0);
    const { signal } = giveUp;
    const run =
      kind === "closed"
        ? runClosedLoop(target, load, { inFlight: 8, durationMs: 60_000, signal, clock }, recording)
        : runOpenLoop(target, load, { perSecond: 100, durationMs: 60_000, mostInFlight: 8, signal, clock }, recording);
    clock.pass(75);
    giveUp.abort();
    clock.pass(100);
    await run;
    assert.equal(target.inFlight, 0);
    assert.equal(recording.count, target.asked);
  }
});

test("filling stores every key, and ends with the first error", async () => {
  const clock = new HandClock();
  const target = new SlowTarget(clock, 1);
  const full = fill(target, fixedLoad({ kind: "update", keys: 9, valueBytes: 1 }), 4);
  clock.pass(100);
  await full;
  assert.equal(target.asked, 9);
  const failing = assert.rejects(
    fill(target, fixedLoad({ kind: "update", keys: 500, valueBytes: 1 }), 4),
    /one in ten/,
  );
  clock.pass(1000);
  await failing;
  assert.ok(target.asked < 20);
});
