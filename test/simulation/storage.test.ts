import assert from "node:assert/strict";
import { test } from "node:test";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SimDisk } from "../../src/sim/storage.ts";
import { type EngineHarness, engineConformance } from "../../src/storage/conformance.ts";
import { StorageError } from "../../src/storage/engine.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const key = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 0xff);
const everything = { from: new Uint8Array(0), to: Uint8Array.of(0xff, 0xff, 0xff) };

class Bench {
  readonly simulation: Simulation;
  readonly disk: SimDisk;
  #runs = 0;
  constructor(seed: number) {
    this.simulation = new Simulation(seed, nodeSurroundings);
    this.disk = new SimDisk(this.simulation, "d", { leastCommitMs: 1, mostCommitMs: 10 });
  }
  open(): { process: SimProcess; engine: ReturnType<SimDisk["open"]> } {
    const process = new SimProcess(this.simulation, `p.${++this.#runs}`, 0, 0);
    return { process, engine: this.disk.open(process) };
  }
}

test("what was acknowledged survives a crash; what was not is there whole or not at all", async () => {
  let [kept, lost] = [0, 0];
  for (let seed = 0; seed < 60; seed++) {
    const bench = new Bench(seed);
    const prng = bench.simulation.prng("test");
    const { process, engine } = bench.open();
    const isAcknowledged: boolean[] = [];
    for (let n = 0; n < 20; n++) {
      isAcknowledged[n] = false;
      const value = Uint8Array.of(n);
      const written = engine.write([0, 1, 2].map((part) => ({ key: key(n * 4 + part), value })));
      written.then(() => {
        isAcknowledged[n] = true;
      }, assert.fail);
      if (prng.chance(0.5)) await bench.simulation.run(prng.below(5));
    }
    process.kill();
    await bench.simulation.run(1000);
    const after = bench.open().engine;
    for (let n = 0; n < 20; n++) {
      const there = [0, 1, 2].filter((part) => after.get(key(n * 4 + part)) !== undefined).length;
      assert.ok(there === 0 || there === 3, "torn");
      if (isAcknowledged[n]) assert.equal(there, 3);
      else if (there === 3) kept++;
      else lost++;
    }
  }
  assert.ok(kept > 20 && lost > 20, `${kept} kept, ${lost} lost`);
});

test("a full disk refuses until it has room; a refused write is there whole or not at all", async () => {
  const bench = new Bench(1);
  const { engine } = bench.open();
  bench.disk.isFull = true;
  for (let n = 0; n < 50; n++) {
    const written = engine.write([
      { key: key(2 * n), value: new Uint8Array(1) },
      { key: key(2 * n + 1), value: new Uint8Array(1) },
    ]);
    await assert.rejects(
      bench.simulation.settle(written, 100, "write"),
      (error) => error instanceof StorageError && error.code === "disk-full",
    );
    assert.equal(engine.get(key(2 * n)) === undefined, engine.get(key(2 * n + 1)) === undefined);
  }
  assert.equal(bench.disk.refusedWrites, 50);
  bench.disk.isFull = false;
  await bench.simulation.settle(engine.write([{ key: key(1), value: Uint8Array.of(7) }]), 100, "write");
  assert.deepEqual(engine.get(key(1)), Uint8Array.of(7));
});

test("a stalled disk answers nothing until it is over, and then everything", async () => {
  const bench = new Bench(1);
  const { engine } = bench.open();
  bench.disk.stall(5000);
  let isDone = false;
  void engine.write([{ key: key(1), value: new Uint8Array(1) }]).then(() => {
    isDone = true;
  });
  await bench.simulation.run(4999);
  assert.ok(!isDone);
  await bench.simulation.run(20);
  assert.ok(isDone);
});

test("a backup put in the place of the disk is what the next process finds", async () => {
  const bench = new Bench(1);
  const first = bench.open();
  const write = (engine: typeof first.engine, n: number, value: number): Promise<void> =>
    bench.simulation.settle(engine.write([{ key: key(n), value: Uint8Array.of(value) }]), 100, "write");
  await write(first.engine, 1, 1);
  const backup = bench.disk.contents();
  await write(first.engine, 1, 2);
  await write(first.engine, 2, 2);
  first.process.kill();
  bench.disk.replace(backup);
  const second = bench.open().engine;
  assert.deepEqual(second.get(key(1)), Uint8Array.of(1));
  assert.equal(second.scan(everything, 10).length, 1);
  await write(second, 1, 3);
  assert.equal([...backup.values()][0]?.value[0], 1, "the backup changed");
});

/** Lets virtual time pass while somebody who knows nothing of it waits. */
async function withTimePassing<T>(simulation: Simulation, promise: Promise<T>): Promise<T> {
  let isOver = false;
  const note = (): void => {
    isOver = true;
  };
  promise.then(note, note);
  while (!isOver) await simulation.run(5);
  return promise;
}

const benches = new Map<number, Bench>();
let opened = 0;
const harness = async (): Promise<EngineHarness> => {
  const bench = new Bench(++opened);
  benches.set(opened, bench);
  let { process, engine } = bench.open();
  const next = (): typeof engine => {
    ({ process, engine } = bench.open());
    return engine;
  };
  return {
    engine,
    reopen: async () => next(),
    crash: async () => {
      process.kill();
      return next();
    },
    failWrites: async (isFailing) => {
      bench.disk.isFull = isFailing;
    },
    dispose: async () => process.kill(),
  };
};

for (const { name, run } of await engineConformance(harness)) {
  test(`the simulated engine: ${name}`, async () => {
    const trial = run();
    const bench = benches.get(opened);
    assert.ok(bench !== undefined);
    await withTimePassing(bench.simulation, trial);
    assert.deepEqual(bench.simulation.violations, []);
  });
}
