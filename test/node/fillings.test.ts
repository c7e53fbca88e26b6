/** What a node remembers of copies that fill its seat, when the seat becomes another one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, PartitionId } from "../../src/core/ids.ts";
import { type KnownSeats, knownSeat } from "../../src/core/seats/known.ts";
import { learn, type SeatRecord, voiceOf } from "../../src/core/seats/record.ts";
import type { Coordination } from "../../src/node/coordination.ts";
import { Fillings } from "../../src/node/fillings.ts";
import type { PartitionCopies } from "../../src/node/partition-copies.ts";
import type { SeatNews } from "../../src/node/seat-news.ts";

const [a, b, c, d] = ["a", "b", "c", "d"] as [NodeId, NodeId, NodeId, NodeId];
const partition = 0 as PartitionId;

/** One of three seats since the epoch 1, and the others' holders. */
function at(seat: number, holders: readonly NodeId[]): SeatRecord {
  const known: KnownSeats = holders.map((holder) => ({ held: 1, holder, fence: 1 }));
  return { hold: { kind: "active", seat, epoch: 1 }, known };
}

test("what was copied for one seat fills no other one, though the epoch is the same", async () => {
  let record = at(0, [a, b, c]);
  let down: NodeId | undefined = c;
  let copied: NodeId[] = [];
  const node = {
    self: a,
    ring: () => ({ eras: { buckets: new Map(), hashes: [0, 7], most: 5 } }),
    isUp: (peer: NodeId) => peer !== down,
    ringDiffers: () => {},
    peers: {
      ask: async (peer: NodeId) => {
        const seat = record.known.findIndex(({ holder }) => holder === peer);
        return { kind: "seat-fenced", id: 0, voice: { seat, epoch: 1 }, known: record.known };
      },
    },
    seats: {
      record: () => record,
      known: () => record.known,
      hold: () => record.hold,
      voiceIn: () => voiceOf(record),
      learn: (_: PartitionId, known: KnownSeats) => {
        record = learn(record, known, a);
      },
      change: async (_: PartitionId, decide: (before: SeatRecord) => SeatRecord | undefined) => {
        record = decide(record) ?? record;
        return record;
      },
    },
  } as unknown as Coordination;
  const copies = {
    copy: async (_: PartitionId, peer: NodeId) => {
      copied.push(peer);
      return { kind: "whole", keys: 0 };
    },
  } as unknown as PartitionCopies;
  const fillings = new Fillings(node, copies, { tell: () => {} } as unknown as SeatNews);

  assert.deepEqual(await fillings.fill(partition), { peer: c, why: "cannot be reached" });
  assert.deepEqual(copied, [b]);
  // It hands that seat over, and takes c's.
  record = at(2, [d, b, a]);
  down = undefined;
  copied = [];
  assert.equal(await fillings.fill(partition), undefined);
  assert.deepEqual(copied, [d, b]);
  assert.deepEqual(knownSeat(record.known, 2).filled, { count: 1, hash: 7 });
});
