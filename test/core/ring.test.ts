import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PartitionId } from "../../src/core/ids.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import { type History, isPlacement, uniteHistories } from "../../src/core/membership/history.ts";
import { keyHash, partitionOf } from "../../src/core/ring/key-hash.ts";
import { ownersOf, preferenceList, preferenceOrder } from "../../src/core/ring/preference-list.ts";
import { bucketSettings, foldHistory, memberNamed, placementTime, type Ring } from "../../src/core/ring/ring.ts";
import { histories, join, joins, nodeId, places } from "./membership-arbitraries.ts";

const plain = ({ orders: _, owners: __, ...ring }: Ring): object => ring;

test("members with the same history have the same ring, whatever order it came in", () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(), { minLength: 20, maxLength: 20 }), (events, order) => {
      const expected = plain(foldHistory(uniteHistories([], events)));
      let history: History = [events[0] as (typeof events)[0]];
      let ring = foldHistory(history);
      const rest = [...events.slice(1)].sort(() => 0);
      for (let i = rest.length - 1; i > 0; i--) {
        const j = (order[i % order.length] as number) % (i + 1);
        [rest[i], rest[j]] = [rest[j] as never, rest[i] as never];
      }
      for (const event of rest) {
        history = uniteHistories(history, [event]);
        ring = foldHistory(history, ring);
      }
      assert.deepEqual(plain(ring), expected);
    }),
    { numRuns: 300 },
  );
});

test("what buckets were told is the same map until something else is told, however a history grows", () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(), { minLength: 20, maxLength: 20 }), (events, order) => {
      let history: History = [events[0] as (typeof events)[0]];
      let ring = foldHistory(history);
      const rest = [...events.slice(1)];
      for (const at of order) {
        const [event] = rest.splice(rest.length === 0 ? 0 : at % rest.length, 1);
        if (event === undefined) break;
        history = uniteHistories(history, [event]);
        const next = foldHistory(history, ring);
        const { buckets, eras } = foldHistory(history);
        if (event.kind !== "bucket") assert.equal(next.buckets, ring.buckets);
        if (next.buckets === ring.buckets) assert.deepEqual([ring.buckets, ring.eras], [buckets, eras]);
        ring = next;
      }
    }),
    { numRuns: 300 },
  );
});

test("names are unique, a rejoin keeps seats and takes a new incarnation, versions are those of placement", () => {
  fc.assert(
    fc.property(histories, (events) => {
      const history = uniteHistories([], events);
      let ring = foldHistory(history.slice(0, 1));
      for (let i = 1; i < history.length; i++) {
        const next = foldHistory(history.slice(0, i + 1), ring);
        const event = history[i] as (typeof history)[0];
        assert.equal(placementTime(next.version), history.slice(0, i + 1).findLast(isPlacement)?.lamport);
        assert.equal(next.version === ring.version, !isPlacement(event));
        if (event.kind === "join" && ring.members.has(event.node)) {
          assert.deepEqual(next.seats, ring.seats);
          assert.notEqual(next.members.get(event.node)?.incarnation, ring.members.get(event.node)?.incarnation);
        }
        assert.equal(new Set([...next.members.values()].map((member) => member.name)).size, next.members.size);
        ring = next;
      }
      for (const member of ring.members.values()) assert.equal(memberNamed(ring, member.name), member);
    }),
  );
});

test("a bucket has what it was told last, over the cluster's defaults", () => {
  const settings = { partitions: 8, n: 3, r: 2, w: "quorum" } as const;
  const history = joins(settings, [{ zone: "", capacity: 1 }]);
  const author = nodeId(0);
  const told: History = [
    ...history,
    { kind: "bucket", lamport: 2, author, at: 0, bucket: "carts", change: { n: 5, r: 1 } },
    { kind: "bucket", lamport: 3, author, at: 0, bucket: "carts", change: { r: "all" } },
  ];
  const ring = foldHistory(told);
  assert.deepEqual(bucketSettings(ring, "carts"), { ...bucketSettings(ring, "other"), n: 5, r: "all" });
  assert.equal(bucketSettings(ring, "other").n, 3);
  assert.equal(bucketSettings(ring, "other").w, "quorum");
  assert.equal(placementTime(ring.version), 2);
});

test("two rings that differ in an event of placement differ in version, be their newest events of one time or one", () => {
  const settings = { partitions: 8, n: 3, r: 2, w: 2 } as const;
  const base = joins(settings, Array(3).fill({ zone: "", capacity: 1 }));
  const rejoin = (i: number, author: number, lamport: number): HistoryEvent => ({
    ...join(i, lamport, { zone: "", capacity: 1 }),
    author: nodeId(author),
    directory: nodeId(100 + i),
  });
  const bucket = { kind: "bucket", lamport: 4, author: nodeId(2), at: 0, bucket: "b", change: { n: 2 } } as const;
  const sides = [[rejoin(0, 1, 2000)], [rejoin(1, 0, 2000)], [bucket, rejoin(0, 1, 2000)], [bucket]];
  const versions = sides.map((events) => foldHistory(uniteHistories(base, events)).version);
  assert.equal(new Set(versions).size, sides.length, String(versions));
  // In whatever order they come.
  const early = foldHistory(uniteHistories(base, [rejoin(0, 1, 2000)]));
  const late = foldHistory(uniteHistories(early.history, [bucket]), early);
  assert.equal(late.version, versions[2]);
});

test("preference lists: every member once, owners first, zones spread, one order for every n", () => {
  fc.assert(
    fc.property(places(9, 4, 3), fc.integer({ min: 1, max: 4 }), fc.nat(15), (where, copies, at) => {
      const ring = foldHistory(joins({ partitions: 16, n: copies, r: 1, w: 1 }, where));
      const partition = at as PartitionId;
      const order = preferenceOrder(ring, partition);
      assert.deepEqual(order.toSorted(), [...ring.members.keys()].sort());
      const seats = ring.seats[partition] ?? [];
      assert.equal(seats.length, Math.min(copies, where.length));
      assert.deepEqual(order.slice(0, seats.length).toSorted(), seats.toSorted());
      const zones = new Set(where.map(({ zone }) => zone)).size;
      for (let n = 1; n <= 12; n++) {
        const owners = ownersOf(ring, partition, n);
        assert.deepEqual(owners, order.slice(0, n));
        assert.equal(ownersOf(ring, partition, n), owners, "not remembered");
        const list = preferenceList(ring, partition, n);
        assert.deepEqual(
          list.filter(({ role }) => role === "owner").map(({ node }) => node),
          owners,
        );
        assert.equal(new Set(owners).size, owners.length, "an owner twice");
        if (n <= copies) {
          const spread = new Set(owners.map((node) => ring.members.get(node)?.zone)).size;
          assert.equal(spread, Math.min(n, copies, zones, where.length), "zones left out");
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("the partitions of a lost node fall back on nearly all others", (t) => {
  const ring = foldHistory(joins({ partitions: 256, n: 3, r: 2, w: 2 }, Array(12).fill({ zone: "", capacity: 1 })));
  const lost = nodeId(4);
  const standIns = new Map<string, number>();
  for (const [partition, seats] of ring.seats.entries()) {
    if (!seats.includes(lost)) continue;
    const standIn = preferenceOrder(ring, partition as PartitionId)[3] as string;
    standIns.set(standIn, (standIns.get(standIn) ?? 0) + 1);
  }
  t.diagnostic(`seats of a lost node by stand-in: ${[...standIns.values()].sort((a, b) => a - b).join(" ")}`);
  assert.ok(standIns.size >= 10);
  assert.ok(Math.max(...standIns.values()) <= 14, "one node takes far more than its part of 64");
});

test("fallbacks follow capacity", () => {
  const where = Array.from({ length: 10 }, (_, i) => ({ zone: "", capacity: i < 5 ? 1 : 4 }));
  const ring = foldHistory(joins({ partitions: 512, n: 1, r: 1, w: 1 }, where));
  let large = 0;
  for (let partition = 0; partition < 512; partition++) {
    const first = preferenceOrder(ring, partition as PartitionId)[1];
    if ((ring.members.get(first as never)?.capacity ?? 0) === 4) large++;
  }
  assert.ok(
    large / 512 > 0.7 && large / 512 < 0.88,
    `${large} of 512 first fallbacks are large nodes, 0.8 is their part`,
  );
});

test("the hash of a bucket and key is theirs alone, spreads evenly, and stays what it is", () => {
  assert.notDeepEqual(keyHash("ab", "c"), keyHash("a", "bc"));
  assert.notDeepEqual(keyHash("", "ab"), keyHash("ab", ""));
  assert.notDeepEqual(keyHash("ß".repeat(40), "x"), keyHash("ß".repeat(40), "y"));
  const counts = new Array<number>(64).fill(0);
  for (let i = 0; i < 64_000; i++) {
    const partition = partitionOf("carts", `user-${i}`, 64);
    counts[partition] = (counts[partition] as number) + 1;
  }
  for (const count of counts) assert.ok(count > 850 && count < 1150, `${count} keys where 1000 are expected`);
  // Another answer here would be another home for every key of every cluster.
  const { hi, lo } = keyHash("carts", "user-17");
  assert.equal(hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0"), "d07e4019e8e5e65e");
  for (const partitions of [1, 2, 65536]) {
    const partition = partitionOf("carts", "user-17", partitions);
    assert.equal(partition, partitions === 1 ? 0 : Math.floor(hi / (2 ** 32 / partitions)));
  }
});
