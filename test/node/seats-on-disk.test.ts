/** Decisions on one seat that are made while another one is under way to the disk: neither is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, PartitionId } from "../../src/core/ids.ts";
import { beginRebuild, finishRebuild, giveUpRebuild, grantRebuild, withCopied } from "../../src/core/seats/rebuild.ts";
import type { SeatRecord } from "../../src/core/seats/record.ts";
import type { Coordination } from "../../src/node/coordination.ts";
import { Membership } from "../../src/node/membership.ts";
import type { PartitionCopies } from "../../src/node/partition-copies.ts";
import { Rebuilds } from "../../src/node/rebuild.ts";
import type { SeatNews } from "../../src/node/seat-news.ts";
import { Seats } from "../../src/node/seats.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { MachineClock } from "../../src/sim/clock.ts";
import { simLog } from "../../src/sim/log.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import type { MetaStore } from "../../src/storage/meta-store.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

const partition = 0 as PartitionId;
const other = "b".repeat(16) as NodeId;

/** A disk that is done with a write when it is told to be. */
class SlowMeta implements MetaStore {
  readonly records: Map<string, Uint8Array | undefined> = new Map();
  #waiting: (() => void)[] = [];
  isSlow = false;

  get(name: string): Uint8Array | undefined {
    return this.records.get(name);
  }

  async put(changes: Parameters<MetaStore["put"]>[0]): Promise<void> {
    if (this.isSlow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    for (const { name, value } of changes) this.records.set(name, value);
  }

  goOn(): void {
    this.isSlow = false;
    for (const done of this.#waiting.splice(0)) done();
  }

  stored(): SeatRecord {
    return JSON.parse(new TextDecoder().decode(this.records.get(`seat/${partition}`)));
  }
}

/** The founder of a cluster, and what its disk does; it rebuilds its own seat, of which others know a later epoch. */
async function rebuilding(): Promise<{ readonly seats: Seats; readonly meta: SlowMeta; readonly self: NodeId }> {
  const simulation = new Simulation(1, nodeSurroundings);
  const process = new SimProcess(simulation, "n1", 0, 0);
  const none = (): never => assert.fail("nobody is asked");
  const runtime: Runtime = {
    clock: new MachineClock(simulation, 1, 0).of(process),
    random: simulation.prng("n1"),
    network: { listen: none, dial: none },
    log: simLog(process, new Map()),
    checksum: nodeSurroundings.checksum,
  };
  const meta = new SlowMeta();
  const membership = new Membership(runtime, meta, { name: "n1", settings: {}, software: "test" });
  await membership.open();
  await membership.found();
  const seats = new Seats(membership, meta, runtime.clock, runtime.log);
  await seats.open([]);
  const { self } = membership;
  assert.ok(await seats.change(partition, (record) => beginRebuild(record, 0, self)));
  return { seats, meta, self };
}

const finish =
  (self: NodeId) =>
  (record: SeatRecord): SeatRecord | undefined =>
    finishRebuild(record, 1, self);

test("a promise that is given while a rebuild is being stored is kept", async () => {
  const { seats, meta, self } = await rebuilding();
  meta.isSlow = true;
  const finished = seats.commit(partition, finish(self));
  await Promise.resolve();
  await Promise.resolve();
  const granted = seats.change(partition, (record) => grantRebuild(record, 1, 0, other));
  meta.goOn();
  assert.equal((await finished)?.hold.kind, "active");
  assert.deepEqual((await granted)?.grant, { seat: 1, epoch: 0, by: other });
  assert.deepEqual(seats.record(partition).grant, { seat: 1, epoch: 0, by: other });
  assert.equal(meta.stored().hold.kind, "active");
  assert.deepEqual(meta.stored().grant, { seat: 1, epoch: 0, by: other });
});

test("so is one that goes to the disk together with it", async () => {
  const { seats, meta, self } = await rebuilding();
  const granted = seats.change(partition, (record) => grantRebuild(record, 1, 0, other));
  const finished = seats.commit(partition, finish(self));
  assert.equal((await finished)?.hold.kind, "active");
  assert.ok(await granted);
  assert.equal(meta.stored().hold.kind, "active");
  assert.equal(meta.stored().known[1]?.fence, 0);
});

test("a rebuild that is given up while its end is being stored does not end, and counts as under way until the disk says so", async () => {
  const { seats, meta, self } = await rebuilding();
  assert.ok(await seats.change(partition, (record) => withCopied(record, { seat: 1, epoch: 0 })));
  meta.isSlow = true;
  const finished = seats.commit(partition, finish(self));
  await Promise.resolve();
  await Promise.resolve();
  const givenUp = seats.change(partition, giveUpRebuild);
  assert.equal(seats.hold(partition).kind, "active");
  assert.equal(seats.storedHold(partition)?.kind, "rebuilding");
  meta.goOn();
  assert.equal(await finished, undefined);
  assert.ok(await givenUp);
  assert.deepEqual(seats.hold(partition), { kind: "active", seat: 0, epoch: 0 });
  assert.deepEqual(meta.stored().hold, { kind: "active", seat: 0, epoch: 0 });
});

test("nor is it over while the disk says that it has ended", async () => {
  const { seats, meta, self } = await rebuilding();
  const hold = seats.hold(partition);
  const epoch = hold.kind === "rebuilding" ? hold.epoch : assert.fail(hold.kind);
  const rebuilds = new Rebuilds({ seats } as Coordination, {} as PartitionCopies, {} as SeatNews);
  meta.isSlow = true;
  const finished = seats.commit(partition, finish(self));
  await Promise.resolve();
  await Promise.resolve();
  const givenUp = seats.change(partition, giveUpRebuild);
  meta.goOn();
  meta.isSlow = true;
  assert.equal(await finished, undefined);
  assert.deepEqual(meta.stored().hold, { kind: "active", seat: 0, epoch });
  assert.ok(rebuilds.isUnderWay(partition, 0, epoch), "a crash would make it speak");
  meta.goOn();
  assert.ok(await givenUp);
  assert.ok(!rebuilds.isUnderWay(partition, 0, epoch));
});
