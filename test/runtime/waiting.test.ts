/** Task groups, pauses, tickers, backoffs and turn-taking: what owns the waiting of a node. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../src/runtime/backoff.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { type Log, silentLog } from "../../src/runtime/log.ts";
import { Pause } from "../../src/runtime/pause.ts";
import type { Random } from "../../src/runtime/random.ts";
import { TaskGroup } from "../../src/runtime/task-group.ts";
import { Ticker } from "../../src/runtime/ticker.ts";
import { TurnTaking } from "../../src/runtime/turn-taking.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

interface Bench {
  readonly simulation: Simulation;
  readonly clock: Clock;
  readonly random: Random;
}

function bench(): Bench {
  const simulation = new Simulation(1, nodeSurroundings);
  const process = new SimProcess(simulation, "p", 0, 0.05);
  return { simulation, clock: new MachineClock(simulation, 1, 0).of(process), random: simulation.prng("p") };
}

function listeningLog(lines: string[]): Log {
  return { ...silentLog, error: (message, fields) => lines.push(`${message}: ${JSON.stringify(fields)}`) };
}

test("a task group logs what fails, waits for the rest, and takes nothing once closed", async () => {
  const { simulation } = bench();
  const lines: string[] = [];
  const tasks = new TaskGroup(listeningLog(lines));
  let isDone = false;
  tasks.run("slow", async () => {
    await simulation.sleep(100);
    isDone = true;
    tasks.run("too late", () => Promise.reject(new Error("ran")));
  });
  tasks.run("broken", () => Promise.reject(new Error("no")));
  assert.equal(tasks.size, 2);
  await simulation.settle(tasks.close(), 1000, "close");
  assert.equal(isDone, true);
  assert.equal(tasks.size, 0);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /broken failed.*no/);
});

test("a pause lasts its time, can be cut short, and never waits again once ended", async () => {
  const { simulation, clock } = bench();
  const pause = new Pause(clock);
  await simulation.settle(pause.wait(50), 1000, "wait");
  assert.ok(simulation.now >= 50);
  const long = pause.wait(1_000_000);
  assert.throws(() => void pause.wait(1), /twice/);
  pause.cutShort();
  await simulation.settle(long, 0, "cut");
  const last = pause.wait(1_000_000);
  pause.end();
  await simulation.settle(last, 0, "ended");
  await simulation.settle(pause.wait(1_000_000), 0, "never again");
});

test("a ticker's rounds never overlap, keep their distance, survive a failure, and stop", async () => {
  const { simulation, clock, random } = bench();
  const lines: string[] = [];
  const starts: number[] = [];
  let running = 0;
  const ticker = new Ticker({
    name: "tick",
    clock,
    random,
    log: listeningLog(lines),
    everyMs: 100,
    round: async () => {
      running++;
      assert.equal(running, 1);
      starts.push(simulation.now);
      await simulation.sleep(30);
      running--;
      if (starts.length === 2) throw new Error("second");
    },
  });
  ticker.start();
  await simulation.run(2000);
  for (let i = 1; i < starts.length; i++) {
    const apart = (starts[i] as number) - (starts[i - 1] as number);
    assert.ok(apart >= 110 && apart <= 151, `rounds ${apart} ms apart`);
  }
  assert.equal(lines.length, 1);
  const before = starts.length;
  ticker.hurry();
  await simulation.settle(ticker.stop(), 1000, "stop");
  await simulation.run(2000);
  assert.ok(starts.length <= before + 1);
});

test("a backoff doubles up to its limit, with chance in half of it, and begins anew", () => {
  const { random } = bench();
  const backoff = new Backoff(random, { firstMs: 10, longestMs: 100 });
  for (const most of [10, 20, 40, 80, 100, 100]) {
    const delay = backoff.next();
    assert.ok(delay >= most / 2 && delay <= most, `${delay} of ${most}`);
  }
  backoff.reset();
  assert.ok(backoff.next() <= 10);
});

test("turns are taken in order, one at a time, also after one that failed", async () => {
  const { simulation } = bench();
  const turns = new TurnTaking();
  const seen: string[] = [];
  const take = (name: string, ms: number, fails = false): Promise<string> =>
    turns.run(async () => {
      seen.push(`${name} begins`);
      await simulation.sleep(ms);
      seen.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const first = take("a", 30, true);
  const second = take("b", 10);
  const third = take("c", 0);
  assert.equal(turns.size, 3);
  await assert.rejects(simulation.settle(first, 1000, "a"), /a/);
  assert.equal(await simulation.settle(second, 1000, "b"), "b");
  assert.equal(await simulation.settle(third, 1000, "c"), "c");
  assert.deepEqual(seen, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  assert.equal(turns.size, 0);
});
