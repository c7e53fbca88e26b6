/** What is kept for owners that cannot be reached: merged, minted into, counted, bounded, and taken out unchanged only. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { compareBytes } from "../../src/core/bytes/order.ts";
import { mergeStates } from "../../src/core/causality/sibling-set.ts";
import { StorageError } from "../../src/storage/engine.ts";
import { hintKey } from "../../src/storage/store-key.ts";
import { HintStore, intentOf, ownerA, ownerB, place, stateOf, Told, textsOf } from "./hint-store.ts";

test("a hint is merged with what is kept for its owner, and read with what is kept for the others", async () => {
  const { hints } = new HintStore();
  assert.deepEqual(hints.read(place("k")), { kind: "state", state: undefined });
  const told = new Told();
  hints.keep(ownerA, place("k"), stateOf("one", 1), false, told);
  hints.keep(ownerA, place("k"), stateOf("two", 2), false, undefined);
  hints.keep(ownerB, place("k"), stateOf("three", 3), false, undefined);
  hints.keep(ownerB, place("other"), stateOf("four", 4), false, undefined);
  const found = hints.read(place("k"));
  assert.ok(found.kind === "state");
  assert.deepEqual(textsOf(found.state), ["one", "three", "two"]);
});

test("a bucket that keeps one version keeps one in its hints", () => {
  const { hints } = new HintStore();
  const at = place("k", "newest");
  hints.keep(ownerA, at, stateOf("old", 1, "x.1", 1000), true, undefined);
  hints.keep(ownerB, at, stateOf("new", 2, "x.1", 2000), true, undefined);
  const found = hints.read(at);
  assert.ok(found.kind === "state");
  assert.deepEqual(textsOf(found.state), ["new"]);
});

test("the numbers are those of what is stored, also after a restart", async () => {
  const store = new HintStore();
  await store.settled();
  for (let i = 0; i < 300; i++) store.hints.keep(ownerA, place(`k${i}`), stateOf("v", i + 1), false, undefined);
  for (let i = 0; i < 3; i++) store.hints.keep(ownerB, place(`k${i}`), stateOf("v", i + 1), false, undefined);
  await store.settled();
  const before = store.hints.waiting().map(({ owner, hints, bytes }) => ({ owner, hints, bytes }));
  assert.deepEqual(
    before.map(({ owner, hints }) => [owner, hints]),
    [
      [ownerA, 300],
      [ownerB, 3],
    ],
  );
  assert.equal(store.hints.count, 303);
  store.crash();
  store.start();
  assert.deepEqual(store.hints.owners(), [ownerA, ownerB]);
  const found = store.hints.read(place("k1"));
  assert.ok(found.kind === "state" && found.state !== undefined);
  await store.settled();
  assert.deepEqual(
    store.hints.waiting().map(({ owner, hints, bytes }) => ({ owner, hints, bytes })),
    before,
  );
  for (let after: Uint8Array | undefined, isOver = false; !isOver; ) {
    const page = store.hints.page(ownerA, after, 32);
    for (const hint of page.hints) assert.ok(store.hints.takeOut(hint));
    after = page.until;
    isOver = after === undefined;
  }
  assert.deepEqual(
    store.hints.waiting().map(({ owner, hints }) => [owner, hints]),
    [[ownerB, 3]],
  );
  assert.equal(store.hints.isEmpty("carts"), false);
  assert.equal(store.hints.isEmpty("others"), true);
});

test("a hint that changed since it was sent is not taken out", async () => {
  const { hints } = new HintStore();
  hints.keep(ownerA, place("k"), stateOf("one", 1), false, undefined);
  const [sent] = hints.page(ownerA, undefined, 10).hints;
  assert.ok(sent);
  hints.keep(ownerA, place("k"), stateOf("two", 2), false, undefined);
  assert.equal(hints.takeOut(sent), false);
  const [again] = hints.page(ownerA, undefined, 10).hints;
  assert.ok(again && hints.takeOut(again));
  assert.equal(hints.takeOut(again), false);
  assert.deepEqual(hints.page(ownerA, undefined, 10).hints, []);
});

test("a write is minted on top of all that is held, and what is minted after delivery has another actor", async () => {
  const { hints } = new HintStore();
  hints.keep(ownerB, place("k"), stateOf("b", 1), false, undefined);
  const first = hints.write(ownerA, place("k"), intentOf("one"), undefined);
  const second = hints.write(ownerA, place("k"), intentOf("two"), undefined);
  assert.ok(first.kind === "written" && second.kind === "written");
  assert.deepEqual(textsOf(first.state), ["b", "one"]);
  assert.deepEqual(textsOf(second.state), ["b", "one", "two"]);
  assert.equal(first.dot.actor, second.dot.actor);
  const [sent] = hints.page(ownerA, undefined, 10).hints;
  assert.ok(sent && hints.takeOut(sent));
  const third = hints.write(ownerA, place("k"), intentOf("three"), undefined);
  assert.ok(third.kind === "written");
  assert.notEqual(third.dot.actor, first.dot.actor);
  assert.deepEqual(textsOf(mergeStates(third.state, second.state)), ["b", "one", "three", "two"]);
});

test("a damaged hint is set aside, and served, sent and merged into no more", async () => {
  const store = new HintStore();
  store.hints.keep(ownerA, place("k"), stateOf("one", 1), false, undefined);
  store.hints.keep(ownerB, place("k"), stateOf("two", 2), false, undefined);
  await store.settled();
  const contents = [...store.disk.contents()].map(([name, { key, value }]) => {
    const damaged = value.slice();
    if (key[8] === 0xaa) damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1;
    return [name, { key, value: damaged }] as const;
  });
  store.crash();
  store.disk.replace(new Map(contents));
  store.start();
  const found = store.hints.read(place("k"));
  assert.ok(found.kind === "state");
  assert.deepEqual(textsOf(found.state), ["two"]);
  const kept = store.hints.keep(ownerA, place("k"), stateOf("three", 3), false, undefined);
  assert.ok(kept.kind === "state");
  assert.deepEqual(textsOf(kept.state), ["three"]);
  await store.settled();
  assert.equal(store.hints.count, 2);
  assert.equal([...store.disk.contents().values()].filter(({ key }) => key[0] === 4).length, 1);
});

test("a hint under a damaged key is set aside and keeps none from going, least of all that of the key it now names", async () => {
  const store = new HintStore();
  assert.notEqual(place("k1").partition, place("k3").partition);
  for (const key of ["k1", "k3", "k4"]) store.hints.keep(ownerA, place(key), stateOf(key), false, undefined);
  await store.settled();
  const [other, nonsense] = ["k1", "k4"].map((key) => hintKey(ownerA, place(key).storeKey).bytes);
  const contents = [...store.disk.contents()].map(([name, entry]) => {
    const key = entry.key.slice();
    const last = key.length - 1;
    if (compareBytes(key, other as Uint8Array) === 0) key[last] = (key[last] as number) ^ 2;
    if (compareBytes(key, nonsense as Uint8Array) === 0) key[last] = (key[last] as number) ^ 0x80;
    return [compareBytes(key, entry.key) === 0 ? name : String.fromCharCode(...key), { ...entry, key }] as const;
  });
  store.crash();
  store.disk.replace(new Map(contents));
  store.start();
  const sent = store.hints.page(ownerA, undefined, 10).hints;
  assert.deepEqual(
    sent.map(({ place: { key } }) => key),
    ["k3"],
  );
  await store.settled();
  const held = store.hints.read(place("k3"));
  assert.ok(held.kind === "state");
  assert.deepEqual(textsOf(held.state), ["k3"]);
  assert.equal(store.hints.count, 1);
  assert.equal([...store.disk.contents().values()].filter(({ key }) => key[0] === 3).length, 1);
  assert.equal([...store.disk.contents().values()].filter(({ key }) => key[0] === 4).length, 2);
});

test("beyond the limit a hint is refused, and taken again once there is room", async () => {
  const store = new HintStore({ hintBytes: 2000 });
  await store.settled();
  let refused: unknown;
  for (let i = 0; i < 100 && refused === undefined; i++) {
    const kept = store.hints.keep(ownerA, place(`k${i}`), stateOf("x".repeat(100), i + 1), false, undefined);
    if (kept.kind === "refused") refused = kept;
  }
  assert.deepEqual(refused, { kind: "refused", code: "overloaded", detail: "the hints kept here are over 2000 bytes" });
  for (const hint of store.hints.page(ownerA, undefined, 100).hints) store.hints.takeOut(hint);
  assert.equal(store.hints.bytes, 0);
  assert.equal(store.hints.keep(ownerA, place("k"), stateOf("v", 1), false, undefined).kind, "state");
});

test("a hint taken out is remembered for as long as it is asked about, and all are after a restart", async () => {
  const store = new HintStore();
  const { simulation } = store.world;
  assert.equal(store.hints.heldWithin(place("k"), 1000), true, "nothing is known at the start");
  await simulation.run(1001);
  assert.equal(store.hints.heldWithin(place("k"), 1000), false);
  store.hints.keep(ownerA, place("k"), stateOf("v"), false, undefined);
  await simulation.run(5000);
  assert.equal(store.hints.heldWithin(place("k"), 1000), true);
  store.disk.stall(3000);
  for (const hint of store.hints.page(ownerA, undefined, 1).hints) store.hints.takeOut(hint);
  await simulation.run(2500);
  assert.equal(store.hints.heldWithin(place("k"), 1000), true, "the deletion is not on disk yet");
  await simulation.run(1400);
  assert.equal(store.hints.heldWithin(place("k"), 1000), true);
  await simulation.run(2000);
  assert.equal(store.hints.heldWithin(place("k"), 1000), false);
});

test("a disk that is full brings back what was taken out, and the numbers with it", async () => {
  const store = new HintStore();
  await store.settled();
  store.hints.keep(ownerA, place("k"), stateOf("v"), false, undefined);
  await store.settled();
  const { bytes } = store.hints;
  store.disk.isFull = true;
  for (const hint of store.hints.page(ownerA, undefined, 1).hints) store.hints.takeOut(hint);
  assert.equal(store.hints.count, 0);
  await store.settled();
  store.disk.isFull = false;
  await store.settled();
  if (store.buffer.get(hintKey(ownerA, place("k").storeKey)) === undefined) return;
  assert.equal(store.hints.count, 1);
  assert.equal(store.hints.bytes, bytes);
});

test("a hint that somebody waits for is promised to whoever brings the same and does not wait", async () => {
  const store = new HintStore();
  await store.settled();
  store.disk.isFull = true;
  const told = new Told();
  store.hints.keep(ownerA, place("k"), stateOf("v"), false, told);
  assert.equal(store.hints.keep(ownerA, place("k"), stateOf("v"), false, undefined).kind, "state");
  await store.world.simulation.run(1000);
  assert.ok(told.told instanceof StorageError);
  store.disk.isFull = false;
  await store.settled();
  assert.ok(store.disk.get(hintKey(ownerA, place("k").storeKey).bytes));
});
