/** Which disks the nemesis may not take: one whose machine has asked for a seat may be handed it after it is gone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartitionId } from "../../src/core/ids.ts";
import type { Hold } from "../../src/core/seats/record.ts";
import { AskedSeats } from "../../src/sim/asked-seats.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { SimMachine } from "../../src/sim/machine.ts";
import { calmLink, SimNetwork } from "../../src/sim/network.ts";
import { SeatBook } from "../../src/sim/seat-book.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SimDisk } from "../../src/sim/storage.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const partition = 2 as PartitionId;
const encoder = new TextEncoder();

class Bench {
  readonly simulation: Simulation = new Simulation(1, nodeSurroundings);
  readonly book: SeatBook = new SeatBook(this.simulation);
  readonly asked: AskedSeats = new AskedSeats(this.simulation, this.book);
  readonly #network: SimNetwork = new SimNetwork(this.simulation, calmLink);
  #machines = 0;

  machine(name: string): SimMachine {
    const clock = new MachineClock(this.simulation, 1, 0);
    const disk = new SimDisk(this.simulation, name, { leastCommitMs: 1, mostCommitMs: 10 });
    const index = this.#machines++;
    const parts = { name, index, clock, disk, network: this.#network, turnMs: 0, warnings: new Map() };
    const machine = new SimMachine(this.simulation, parts);
    this.book.follow(machine);
    return machine;
  }

  async stores(machine: SimMachine, hold: Hold): Promise<void> {
    const { engine } = machine.spawn(machine.name);
    const key = Uint8Array.of(1, ...encoder.encode(`seat/${partition}`));
    const value = Uint8Array.of(0, 0, 0, 0, ...encoder.encode(JSON.stringify({ hold, known: [] })));
    await this.simulation.settle(engine.write([{ key, value }]), 1000, "a seat is stored");
  }

  asks(machine: SimMachine): void {
    this.asked.heard({ kind: "take-seat", id: 1, partition, seat: 3, incarnation: "5-n1" }, { host: machine });
  }

  comingTo(...lost: readonly SimMachine[]): readonly number[] {
    return [...this.asked.comingTo(partition, new Set(lost))];
  }
}

test("a seat that was asked for may come to a machine that is lost, until it has passed on", async () => {
  const bench = new Bench();
  const [holder, asker] = [bench.machine("n4"), bench.machine("n9")];
  await bench.stores(holder, { kind: "active", seat: 3, epoch: 0 });
  assert.deepEqual(bench.comingTo(asker), []);
  bench.asks(asker);
  bench.asks(asker);
  assert.deepEqual(bench.comingTo(), []);
  assert.deepEqual(bench.comingTo(holder), []);
  assert.deepEqual(bench.comingTo(asker), [3]);
  await bench.stores(bench.machine("n5"), { kind: "active", seat: 3, epoch: 1 });
  assert.deepEqual(bench.comingTo(asker), []);
});

test("it may come to a disk that was lost and replaced, too, as long as the request can be on its way", async () => {
  const bench = new Bench();
  const asker = bench.machine("n9");
  bench.asks(asker);
  asker.disk.replace(new Map());
  assert.deepEqual(bench.comingTo(), [3]);
  await bench.simulation.run(31_000);
  assert.deepEqual(bench.comingTo(asker), []);
});
