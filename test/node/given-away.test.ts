/** Copies that others are to have: who is given them, and when they go. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId, PartitionId } from "../../src/core/ids.ts";
import type { SeatRecord } from "../../src/core/seats/record.ts";
import type { Coordination } from "../../src/node/coordination.ts";
import type { PartitionCopies } from "../../src/node/partition-copies.ts";
import { SeatUpkeep, type UpkeepParts } from "../../src/node/seat-upkeep.ts";
import { Surplus } from "../../src/node/surplus.ts";
import type { Trees } from "../../src/node/trees.ts";
import type { WriteBuffer } from "../../src/storage/write-buffer.ts";

const [a, b, c] = ["a", "b", "c"] as [NodeId, NodeId, NodeId];
const partition = 0 as PartitionId;
const known: SeatRecord["known"] = [b, c, a].map((holder) => ({ held: 1, holder, fence: 1 }));

interface Given {
  readonly upkeep: SeatUpkeep;
  readonly surplus: Surplus;
  readonly to: NodeId[];
  record: SeatRecord;
  /** Which seats keep the keys. */
  kept: readonly number[];
  /** How often what is stored was looked through. */
  scans: number;
  onPush: () => void;
}

/** The node a, where another one may be down. */
function given(hold: SeatRecord["hold"], down?: NodeId): Given {
  const ring = { copies: [2], eras: { buckets: new Map(), hashes: [0], most: 2 }, wanted: new Map([[0, [b, c]]]) };
  const node = {
    self: a,
    runtime: { clock: {}, log: { debug: () => {} } },
    isUp: (peer: NodeId) => peer !== down,
    ring: () => ring,
    seats: {
      record: () => is.record,
      known: () => is.record.known,
      hold: () => is.record.hold,
      seatsFor: () => is.kept,
      change: async (_: PartitionId, decide: (before: SeatRecord) => SeatRecord | undefined) => {
        const after = decide(is.record);
        if (after !== undefined) is.record = after;
        return after;
      },
    },
  } as unknown as Coordination;
  const copies = {
    push: async (_: PartitionId, peer: NodeId) => {
      is.to.push(peer);
      is.onPush();
      return true;
    },
  } as unknown as PartitionCopies;
  const buffer = {
    scan: () => {
      is.scans += 1;
      return [];
    },
  } as unknown as WriteBuffer;
  const states = { stored: () => {} };
  const trees = { isEmpty: () => false } as unknown as Trees;
  const is: Given = {
    upkeep: new SeatUpkeep({ node, copies, buffer, states } as unknown as UpkeepParts),
    surplus: new Surplus(node, copies, buffer, states, trees),
    ...{ to: [], record: { hold, known }, kept: [0, 1], scans: 0, onPush: () => {} },
  };
  return is;
}

describe("what others are to have", () => {
  test("is handed back to one that is up, where another is down", async () => {
    const is = given({ kind: "former" }, b);
    assert.equal(await is.upkeep.handBack(partition), undefined);
    assert.deepEqual(is.to, [c]);
    assert.equal(is.record.hold.kind, "none");
  });

  test("is handed back once more if seats have passed on meanwhile: it may have been kept for one of them", async () => {
    const is = given({ kind: "former" });
    is.onPush = () => {
      if (is.to.length === 1) is.record = { ...is.record, known: [...is.record.known] };
    };
    assert.notEqual(await is.upkeep.handBack(partition), undefined);
    assert.equal(is.record.hold.kind, "former");
    assert.equal(await is.upkeep.handBack(partition), undefined);
    assert.deepEqual(is.to, [b, b]);
    assert.equal(is.record.hold.kind, "none");
  });

  test("is shed to one that is up, where another is down", async () => {
    const is = given({ kind: "active", seat: 2, epoch: 1 }, b);
    assert.equal(await is.surplus.shed(partition, 2), undefined);
    assert.deepEqual(is.to, [c]);
    assert.equal(is.scans, 1);
  });

  test("stays if this node is to keep it once it was given away", async () => {
    const is = given({ kind: "active", seat: 2, epoch: 1 });
    is.onPush = () => {
      is.kept = [0, 2];
    };
    await is.surplus.shed(partition, 2);
    assert.equal(is.scans, 0);
  });
});
