/** Which of a bucket's keys a seat is to have that is filled while the bucket's n changes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PartitionId } from "../../src/core/ids.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import { foldHistory } from "../../src/core/ring/ring.ts";
import { seatOrder } from "../../src/core/seats/bucket-seats.ts";
import { allChanges } from "../../src/core/seats/filled.ts";
import { type KnownSeats, withFilled, withHolder } from "../../src/core/seats/known.ts";
import { defaultClusterSettings } from "../../src/core/settings.ts";
import { SeatPlaces } from "../../src/node/seat-places.ts";
import { joins, nodeId } from "../core/membership-arbitraries.ts";

test("a seat has the keys of a time when it would be one of more, as long as requests meet the quorums of that time", () => {
  const partition = 0 as PartitionId;
  const place = { zone: "", capacity: 1 };
  const settings = { ...defaultClusterSettings, partitions: 16 };
  const change = (lamport: number, n: number): HistoryEvent => {
    return { kind: "bucket", lamport, author: nodeId(0), at: 0, bucket: "carts", change: { n } };
  };
  const ring = foldHistory([
    ...joins(settings, [place, place, place, place]),
    change(10, 4),
    change(11, 3),
    change(12, 2),
  ]);
  const order = seatOrder(ring, partition, 4);
  const [first, second, third, fourth] = order as [number, number, number, number];
  // All but the third of them have holders.
  let known: KnownSeats = [];
  for (const seat of [first, second, fourth]) known = withHolder(known, seat, 0, nodeId(seat));
  const places = new SeatPlaces(
    () => ring,
    () => known,
  );
  assert.ok(places.keeps(partition, 2, third));
  for (const seat of [first, second, fourth]) known = withFilled(known, seat, allChanges(ring.eras));
  assert.ok(!places.keeps(partition, 2, third));
});
