/** The simulated disk under the log engine: the checkers' record of what is on it is what the engine finds there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MachineClock } from "../../src/sim/clock.ts";
import { LogEngineDisk } from "../../src/sim/log-engine-disk.ts";
import { SimMachine, type Spawned } from "../../src/sim/machine.ts";
import { calmLink, SimNetwork } from "../../src/sim/network.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { StorageError } from "../../src/storage/engine.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const key = (n: number): Uint8Array => Uint8Array.of(2, n);
const everything = { from: new Uint8Array(0), to: Uint8Array.of(0xff, 0xff, 0xff) };

class Bench {
  readonly simulation: Simulation;
  readonly disk: LogEngineDisk;
  readonly machine: SimMachine;

  constructor(seed: number) {
    this.simulation = new Simulation(seed, nodeSurroundings);
    const sizes = { segmentBytes: 2000, checkpointBytes: 1000 };
    this.disk = new LogEngineDisk(this.simulation, "d", { leastCommitMs: 1, mostCommitMs: 10, ...sizes });
    this.machine = new SimMachine(this.simulation, {
      name: "d",
      index: 0,
      clock: new MachineClock(this.simulation, 1, 0),
      disk: this.disk,
      network: new SimNetwork(this.simulation, calmLink),
      turnMs: 0.05,
      warnings: new Map(),
    });
  }

  async open(): Promise<Spawned> {
    const spawned = this.machine.spawn("d");
    await this.simulation.settle(spawned.engine.opened, 60_000, "the log opens");
    return spawned;
  }
}

test("after any crash the record of the disk is what the engine finds, and what was acknowledged is there", async () => {
  let refused = 0;
  let lost = 0;
  for (let seed = 0; seed < 30; seed++) {
    const bench = new Bench(seed);
    const prng = bench.simulation.prng("test");
    for (let life = 0; life < 5; life++) {
      const { engine } = await bench.open();
      for (let n = 0; n < 30; n++) {
        bench.disk.isFull = prng.chance(0.1);
        const value = prng.chance(0.2) ? undefined : prng.bytes(prng.below(300));
        const isRange = prng.chance(0.03);
        const range = { from: key(3), to: key(3 + prng.below(4)) };
        const done = isRange ? engine.drop(range) : engine.write([{ key: key(prng.below(10)), value }]);
        done.catch((error: unknown) => {
          assert.ok(error instanceof StorageError && error.code === "disk-full", String(error));
          refused++;
        });
        if (prng.chance(0.7)) await bench.simulation.run(prng.below(12));
      }
      bench.disk.isFull = false;
      if (prng.chance(0.5)) bench.machine.losePower();
      else bench.machine.kill();
    }
    const { engine } = await bench.open();
    assert.deepEqual(bench.simulation.violations, []);
    assert.deepEqual(engine.scan(everything, 100), bench.disk.sorted());
    lost += bench.disk.lostWrites;
  }
  assert.ok(refused > 50 && lost > 20, `${refused} refused, ${lost} lost`);
});

test("a paused process has on disk what was synced meanwhile, and hears of it when it goes on", async () => {
  const bench = new Bench(1);
  const { engine, process } = await bench.open();
  let isTold = false;
  await bench.simulation.settle(engine.write([{ key: key(1), value: key(1) }]), 1000, "a write");
  void engine.write([{ key: key(2), value: key(2) }]).then(() => {
    isTold = true;
  });
  process.pause();
  await bench.simulation.run(5000);
  assert.equal(isTold, false);
  process.resume();
  await bench.simulation.run(10);
  assert.equal(isTold, true);
  assert.deepEqual(bench.disk.get(key(2)), key(2));
});

test("nothing is written while the disk stalls, and a crash that waits for a write comes within one", async () => {
  const bench = new Bench(2);
  const { engine } = await bench.open();
  let commitMs: number | undefined;
  bench.disk.whenNextWrite((takesMs) => {
    commitMs = takesMs;
  });
  bench.disk.stall(3000);
  const from = bench.simulation.now;
  await bench.simulation.settle(engine.write([{ key: key(1), value: key(1) }]), 20_000, "a write");
  assert.ok(bench.simulation.now - from >= 3000);
  assert.ok((commitMs ?? 0) > 0);
});

test("a disk that is wiped, or restored from a copy, has that and nothing else", async () => {
  const bench = new Bench(3);
  const { engine } = await bench.open();
  await bench.simulation.settle(engine.write([{ key: key(1), value: key(7) }]), 1000, "a write");
  const copy = bench.disk.contents();
  await bench.simulation.settle(engine.write([{ key: key(2), value: key(8) }]), 1000, "a write");
  bench.machine.kill();
  bench.disk.replace(copy);
  const restored = (await bench.open()).engine;
  assert.deepEqual(restored.scan(everything, 10), [{ key: key(1), value: key(7) }]);
  bench.machine.kill();
  bench.disk.replace(new Map());
  assert.deepEqual((await bench.open()).engine.scan(everything, 10), []);
  assert.deepEqual(bench.simulation.violations, []);
});
