/**
 * Foreground first (§6.5), on virtual time: background work goes at full speed where nobody asks for anything, and where
 * requests take what they take without it; slower where they take longer; and never stands still.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission, type Served } from "../../src/node/admission.ts";
import { CopyPace } from "../../src/node/copy-pace.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const limit = 1024 * 1024;
const batch = 64 * 1024;
const slowest = limit / 6;

/** One node's requests and the copies that are to leave them alone, as a machine that both share would have them. */
class Machine {
  readonly clock: Clock;
  readonly admission: Admission;
  areSeatsMoving = false;
  readonly #simulation: Simulation = new Simulation(1, nodeSurroundings);
  readonly #pace: CopyPace;
  /** Bytes that were copied in each second. */
  readonly #copied: Map<number, number> = new Map();
  #isCopying = false;
  #isOver = false;

  constructor() {
    this.clock = new MachineClock(this.#simulation, 1, 0).of(new SimProcess(this.#simulation, "p", 0, 0.05));
    this.admission = new Admission(this.clock, () => this.areSeatsMoving);
    this.#pace = new CopyPace(this.clock, this.admission, limit);
  }

  run(seconds: number): Promise<void> {
    return this.#simulation.run(seconds * 1000);
  }

  /** So many requests a second from now on, until the answer says so; what each takes depends on the copies' speed. */
  ask(perSecond: number, tookMs: (copied: number, i: number) => number, served: Served = "write"): () => void {
    let isAsking = true;
    const next = (i: number): void => {
      if (!isAsking || this.#isOver) return;
      const beganMs = this.admission.began();
      const speed = this.#isCopying ? this.#pace.bytesPerSecond : 0;
      this.clock.setTimer(tookMs(speed, i), () => this.admission.ended(served, beganMs));
      this.clock.setTimer(1000 / perSecond, () => next(i + 1));
    };
    next(0);
    return () => {
      isAsking = false;
    };
  }

  copy(lanes = 2): void {
    this.#isCopying = true;
    const lane = async (): Promise<void> => {
      while (!this.#isOver) {
        await this.#pace.turn();
        await new Promise<void>((done) => this.clock.setTimer(5, done));
        this.#pace.took(batch);
        const second = Math.floor(this.clock.monotonicMs() / 1000);
        this.#copied.set(second, (this.#copied.get(second) ?? 0) + batch);
      }
    };
    for (let i = 0; i < lanes; i++) void lane();
  }

  /** What was copied in the last so many seconds, in bytes a second. */
  speed(seconds: number): number {
    const now = Math.floor(this.clock.monotonicMs() / 1000);
    const all = Array.from({ length: seconds }, (_, i) => this.#copied.get(now - 1 - i) ?? 0);
    return all.reduce((sum, bytes) => sum + bytes, 0) / seconds;
  }

  end(): void {
    this.#isOver = true;
    this.#pace.stop();
  }
}

/** 8 ms, and one in fifty 20 ms. */
const usual = (i: number): number => (i % 50 === 0 ? 20 : 8);

async function withOrdinary(): Promise<Machine> {
  const machine = new Machine();
  const stop = machine.ask(50, (_, i) => usual(i));
  await machine.run(60);
  stop();
  const ordinary = machine.admission.ordinaryMs("write") ?? 0;
  assert.ok(ordinary >= 20 && ordinary < 25, `${ordinary} ms`);
  return machine;
}

test("where nobody asks for anything, copies come to their limit, and keep it", async () => {
  const machine = new Machine();
  await machine.run(60);
  machine.copy();
  await machine.run(20);
  const speed = machine.speed(10);
  assert.ok(speed > 0.9 * limit && speed <= limit + batch, `${speed}`);
  machine.end();
});

test("requests that take what they always take let them come to their limit", async () => {
  const machine = await withOrdinary();
  machine.ask(50, (_, i) => usual(i));
  machine.copy();
  await machine.run(90);
  assert.ok(machine.speed(10) > 0.9 * limit, `${machine.speed(10)}`);
  machine.end();
});

test("requests that take longer slow them down to a sixth, no further; quick ones give it back", async () => {
  const machine = await withOrdinary();
  const stop = machine.ask(50, (_, i) => 3 * usual(i));
  machine.copy();
  await machine.run(20);
  const slow = machine.speed(10);
  assert.ok(slow > 0.8 * slowest && slow < 1.6 * slowest, `${slow}`);
  stop();
  machine.ask(50, (_, i) => usual(i));
  await machine.run(90);
  assert.ok(machine.speed(10) > 0.9 * limit, `${machine.speed(10)}`);
  machine.end();
});

test("where speed costs requests their time, it goes as fast as one slow request in a hundred allows", async () => {
  const machine = await withOrdinary();
  let slow = 0;
  let all = 0;
  // Above half the limit every tenth request is slow; below it none is.
  const took = (speed: number, i: number): number => {
    const isHeld = speed > limit / 2 && i % 10 === 0;
    all += 1;
    if (isHeld) slow += 1;
    return isHeld ? 60 : usual(i);
  };
  machine.ask(100, took);
  machine.copy();
  await machine.run(60);
  [slow, all] = [0, 0];
  await machine.run(300);
  assert.ok(slow / all < 0.02, `${slow} of ${all}`);
  assert.ok(machine.speed(100) > 0.35 * limit && machine.speed(100) < 0.6 * limit, `${machine.speed(100)}`);
  machine.end();
});

test("what is slow beside copies is not taken for ordinary, on this node or near it", async () => {
  const machine = await withOrdinary();
  const ordinary = machine.admission.ordinaryMs("write");
  machine.ask(50, (copied, i) => (copied > 2 * slowest ? 5 : 1) * usual(i));
  machine.copy();
  await machine.run(200);
  assert.equal(machine.admission.ordinaryMs("write"), ordinary);
  machine.end();

  const near = await withOrdinary();
  near.areSeatsMoving = true;
  near.ask(50, (_, i) => 5 * usual(i));
  await near.run(200);
  assert.equal(near.admission.ordinaryMs("write"), ordinary);
  near.end();
});

test("what no slowness makes better is ordinary after a while: a node that is paused slows nothing for ever", async () => {
  const machine = await withOrdinary();
  machine.copy();
  machine.ask(50, (_, i) => 10 * usual(i));
  await machine.run(30);
  assert.ok(machine.speed(10) < 1.6 * slowest, `${machine.speed(10)}`);
  await machine.run(200);
  assert.ok(machine.speed(10) > 0.9 * limit, `${machine.speed(10)}`);
  machine.end();
});

test("with nothing to compare with, it goes slowly until there is", async () => {
  const machine = new Machine();
  machine.copy();
  machine.ask(10, (_, i) => usual(i));
  await machine.run(8);
  assert.ok(machine.speed(4) < 2.5 * slowest, `${machine.speed(4)}`);
  await machine.run(400);
  assert.ok(machine.speed(10) > 0.9 * limit, `${machine.speed(10)}`);
  machine.end();
});

test("a kind of request is compared with its own kind", async () => {
  const machine = await withOrdinary();
  machine.ask(50, () => 1, "get");
  await machine.run(10);
  machine.copy();
  machine.ask(20, (_, i) => usual(i));
  await machine.run(90);
  assert.ok(machine.speed(10) > 0.9 * limit, `${machine.speed(10)}`);
  machine.end();
});

test("work without a speed of its own rests five times as long as it works at the slowest, and not at all at full speed", async () => {
  const machine = await withOrdinary();
  machine.admission.works();
  await machine.run(20);
  assert.equal(machine.admission.restAfter(10), 0);
  const stop = machine.ask(50, () => 500);
  for (let i = 0; i < 40; i++) {
    machine.admission.works();
    await machine.run(0.5);
  }
  assert.equal(Math.round(machine.admission.restAfter(10)), 50);
  assert.equal(machine.admission.restAfter(1000), 1000, "no rest is longer");
  stop();
  machine.end();
});
