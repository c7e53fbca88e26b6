/** The book of voices: what a disk refused and has all the same was never said, and may come to be said later. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartitionId } from "../../src/core/ids.ts";
import type { Hold } from "../../src/core/seats/record.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimMachine } from "../../src/sim/machine.ts";
import { calmLink, SimNetwork } from "../../src/sim/network.ts";
import { SeatBook } from "../../src/sim/seat-book.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SimDisk } from "../../src/sim/storage.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const partition = 14 as PartitionId;
const none: Hold = { kind: "none" };
const active: Hold = { kind: "active", seat: 1, epoch: 3 };
const encoder = new TextEncoder();

class Bench {
  readonly machine: SimMachine;
  readonly book: SeatBook;
  /** How often a voice was told to have begun. */
  begun = 0;
  /** Writes what the node says it holds. */
  readonly store: (hold: Hold, withinMs?: number) => Promise<"stored" | "refused">;

  constructor(seed: number) {
    const simulation = new Simulation(seed, nodeSurroundings);
    const clock = new MachineClock(simulation, 1, 0);
    const disk = new SimDisk(simulation, "n1", { leastCommitMs: 1, mostCommitMs: 10 });
    const network = new SimNetwork(simulation, calmLink);
    const parts = { name: "n1", index: 0, clock, disk, network, turnMs: 0, warnings: new Map() };
    this.machine = new SimMachine(simulation, parts);
    this.book = new SeatBook(simulation);
    this.book.follow(this.machine);
    this.book.onVoice = () => this.begun++;
    const { engine } = this.machine.spawn("10.0.0.1");
    this.store = async (hold, withinMs = 1000) => {
      const key = Uint8Array.of(1, ...encoder.encode(`seat/${partition}`));
      const value = Uint8Array.of(0, 0, 0, 0, ...encoder.encode(JSON.stringify({ hold, known: [] })));
      const written = engine.write([{ key, value }]).then(
        () => "stored" as const,
        () => "refused" as const,
      );
      await simulation.run(withinMs);
      return written;
    };
  }
}

test("a voice that a full disk refused, and has, may begin once more; one that was stored may not", async () => {
  let wasThere = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const bench = new Bench(seed);
    bench.machine.disk.isFull = true;
    assert.equal(await bench.store(active), "refused");
    if (bench.begun === 1) wasThere++;
    bench.machine.disk.isFull = false;
    assert.equal(await bench.store(none), "stored");
    assert.equal(await bench.store(active), "stored");
    assert.equal(bench.begun, 1, "never said before");
    assert.equal(bench.book.spoken(partition, { seat: 1, epoch: 3 })?.until, Number.POSITIVE_INFINITY);
    await bench.store(none);
    await bench.store(active);
    assert.equal(bench.begun, 2, "said, silent, and said again");
  }
  assert.ok(wasThere > 2 && wasThere < 38, `${wasThere} of 40 were there`);
});

test("a voice that was refused twice, and is there, was still never said; one that was stored after it was", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const bench = new Bench(seed);
    const { disk } = bench.machine;
    disk.isFull = true;
    await bench.store(active);
    await bench.store(active);
    disk.isFull = false;
    await bench.store(none);
    await bench.store(active);
    assert.equal(bench.begun, 1);
    disk.isFull = true;
    await bench.store(active);
    disk.isFull = false;
    await bench.store(none);
    await bench.store(active);
    assert.equal(bench.begun, 2);
  }
});

test("a rebuild that goes on after its end was written has said nothing, and may end once more", async () => {
  const bench = new Bench(1);
  const rebuilding: Hold = { kind: "rebuilding", seat: 1, epoch: 3, lost: 2, isHolder: false, copied: [] };
  for (const hold of [rebuilding, active, rebuilding, active]) await bench.store(hold);
  assert.equal(bench.begun, 1);
  // One that was deposed since, and rebuilds the seat at another epoch, has.
  for (const hold of [{ ...rebuilding, epoch: 9 }, active]) await bench.store(hold);
  assert.equal(bench.begun, 2);
});

test("a holder that rebuilds its own seat keeps its voice where the end of that is withdrawn; after silence it has none", async () => {
  const bench = new Bench(2);
  const own: Hold = { kind: "rebuilding", seat: 1, epoch: 3, lost: 2, isHolder: true, copied: [] };
  for (const hold of [own, active, own, active]) await bench.store(hold);
  assert.equal(bench.begun, 2, "the voice it had, and the one it came to have");
  await bench.store({ kind: "active", seat: 1, epoch: 2 });
  assert.equal(bench.begun, 3, "the first one again, long after the second");
});

test("a holder that gives up as the end of its rebuild is written has its voice as before, and never said the new one", async () => {
  const bench = new Bench(3);
  const own: Hold = { kind: "rebuilding", seat: 1, epoch: 3, lost: 2, isHolder: true, copied: [] };
  const first: Hold = { kind: "active", seat: 1, epoch: 2 };
  await bench.store(own);
  await bench.store(active, 20);
  await bench.store(first, 20);
  assert.equal(bench.begun, 2);
  assert.equal(bench.book.spoken(partition, { seat: 1, epoch: 2 })?.until, Number.POSITIVE_INFINITY);
  assert.equal(bench.book.spoken(partition, { seat: 1, epoch: 3 })?.isUnsaid, true);
  assert.equal(bench.book.newest().get(partition)?.get(1)?.epoch, 2);
});

test("who gives up as the end of its rebuild is written was never the seat's holder", async () => {
  const bench = new Bench(4);
  await bench.store({ kind: "rebuilding", seat: 1, epoch: 3, lost: -1, isHolder: false, copied: [] });
  await bench.store(active, 20);
  assert.equal(bench.book.newest().get(partition)?.get(1)?.epoch, 3);
  await bench.store({ kind: "former" }, 20);
  assert.equal(bench.book.newest().get(partition)?.get(1), undefined);
});
