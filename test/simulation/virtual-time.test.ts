import assert from "node:assert/strict";
import { test } from "node:test";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const simulate = (seed: number): Simulation => new Simulation(seed, nodeSurroundings);

test("events run in the order of their time, and at one time in the order they were scheduled in", async () => {
  const simulation = simulate(1);
  const prng = simulation.prng("test");
  const seen: { at: number; order: number }[] = [];
  for (let i = 0; i < 2000; i++) {
    const at = prng.below(100);
    simulation.schedule(at, undefined, () => seen.push({ at, order: i }));
  }
  await simulation.run(1000);
  assert.equal(seen.length, 2000);
  for (let i = 1; i < seen.length; i++) {
    const [a, b] = [seen[i - 1], seen[i]];
    assert.ok(a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order)));
  }
  assert.equal(simulation.now, 1000);
});

test("every promise reaction of an event has run before the next event", async () => {
  const simulation = simulate(1);
  const seen: string[] = [];
  const slow = async (): Promise<void> => {
    for (let i = 0; i < 1000; i++) await undefined;
    seen.push("reactions");
  };
  simulation.schedule(1, undefined, () => void slow());
  simulation.schedule(1, undefined, () => seen.push("next event"));
  await simulation.run(1);
  assert.deepEqual(seen, ["reactions", "next event"]);
});

test("what an event throws in a process is a violation, and the simulation goes on", async () => {
  const simulation = simulate(1);
  const process = new SimProcess(simulation, "p", 0, 0);
  simulation.schedule(1, process, () => {
    throw new Error("planted");
  });
  await simulation.run(2);
  assert.match(simulation.violations[0]?.what ?? "", /planted/);
});

test("events without end at one instant are told, not suffered", async () => {
  const simulation = simulate(1);
  const again = (): void => void simulation.schedule(0, undefined, again);
  again();
  await assert.rejects(simulation.run(1), /something loops/);
});

test("nothing of a dead process happens, and what waits for it is told so", async () => {
  const simulation = simulate(1);
  const process = new SimProcess(simulation, "p", 0, 0);
  const seen: string[] = [];
  process.onDeath(() => seen.push("death"));
  simulation.schedule(
    5,
    process,
    () => seen.push("ran"),
    () => seen.push("lost"),
  );
  process.endOfTurn(() => seen.push("end of turn"));
  process.kill();
  await simulation.run(10);
  assert.deepEqual(seen, ["death", "lost"]);
});

test("a paused process runs what it missed, in order, once it goes on", async () => {
  const simulation = simulate(1);
  const process = new SimProcess(simulation, "p", 0, 0);
  const seen: number[] = [];
  for (const at of [1, 2, 3]) simulation.schedule(at, process, () => seen.push(at));
  const cancelled = simulation.schedule(2, process, () => seen.push(99));
  process.pause();
  await simulation.run(10);
  assert.deepEqual(seen, []);
  cancelled.isCancelled = true;
  process.resume();
  await simulation.run(1);
  assert.deepEqual(seen, [1, 2, 3]);
});

test("a turn's end comes once for all that asked, after what arrived in it", async () => {
  const simulation = simulate(1);
  const process = new SimProcess(simulation, "p", 0, 0.5);
  const seen: string[] = [];
  simulation.schedule(1, process, () => {
    process.endOfTurn(() => seen.push("end a"));
    seen.push("a");
  });
  simulation.schedule(1.2, process, () => {
    process.endOfTurn(() => seen.push("end b"));
    seen.push("b");
  });
  await simulation.run(5);
  assert.deepEqual(seen, ["a", "b", "end a", "end b"]);
});

test("a timer never fires before its own clock says so, however the clock runs", async () => {
  const simulation = simulate(7);
  const process = new SimProcess(simulation, "p", 0, 0);
  const prng = simulation.prng("test");
  let fired = 0;
  for (let i = 0; i < 300; i++) {
    const clock = new MachineClock(simulation, prng.uniform(0.9, 1.1), 0).of(process);
    const delay = prng.chance(0.5) ? prng.below(1000) : prng.uniform(0, 1000);
    const from = clock.monotonicMs();
    clock.setTimer(delay, () => {
      fired++;
      assert.ok(clock.monotonicMs() - from >= delay - 1e-9, `${clock.monotonicMs() - from} of ${delay}`);
    });
    clock.setTimer(delay, () => assert.fail("cancelled")).cancel();
    await simulation.run(prng.below(10));
  }
  await simulation.run(2000);
  assert.equal(fired, 300);
  assert.deepEqual(simulation.violations, []);
});

test("a jump moves the wall clock and not the monotonic one", () => {
  const simulation = simulate(1);
  const machine = new MachineClock(simulation, 1, 0);
  const clock = machine.of(new SimProcess(simulation, "p", 0, 0));
  const [wall, monotonic] = [clock.wallMs(), clock.monotonicMs()];
  machine.jump(-60_000);
  assert.equal(clock.wallMs(), wall - 60_000);
  assert.equal(clock.monotonicMs(), monotonic);
  machine.correct();
  assert.equal(clock.wallMs(), wall);
});

test("chance is a seed's and a stream's own", () => {
  const draw = (seed: number, stream: string): number[] => {
    const prng = simulate(seed).prng(stream);
    return Array.from({ length: 5 }, () => prng.u32());
  };
  assert.deepEqual(draw(1, "a"), draw(1, "a"));
  assert.notDeepEqual(draw(1, "a"), draw(2, "a"));
  assert.notDeepEqual(draw(1, "a"), draw(1, "b"));
  assert.notDeepEqual(draw(1, "a"), draw(1 + 2 ** 32, "a"));
});
