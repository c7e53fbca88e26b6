/** How hints go home: to whom, on which answers they go, and what holds up what. The peers answer as each test says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyDotSet } from "../../src/core/causality/dot-set.ts";
import type { NodeId, PartitionId } from "../../src/core/ids.ts";
import { ownersOf } from "../../src/core/ring/preference-list.ts";
import { foldHistory } from "../../src/core/ring/ring.ts";
import { Admission } from "../../src/node/admission.ts";
import type { Coordination } from "../../src/node/coordination.ts";
import { Delivery } from "../../src/node/delivery.ts";
import type { KeyPlace } from "../../src/node/key-place.ts";
import type { AnswerHandler, CallFailure } from "../../src/rpc/call.ts";
import type { Answer, RefusalCode, ReplicaPut } from "../../src/wire/message.ts";
import { joins, nodeId } from "../core/membership-arbitraries.ts";
import { HintStore, partitions, place, stateOf, textsOf } from "./hint-store.ts";

const voice = { seat: 0, epoch: 1 };
const held = { kind: "replica-stored", id: 0, voice, synced: true } as const;
const refusing = (code: RefusalCode): Answer => {
  return { kind: "refusal", id: 0, ringVersion: 1, code, detail: code, mayHaveHappened: false };
};

/** A node that keeps hints, among peers that answer what `answer` says, a millisecond later. */
class Keeper {
  readonly store: HintStore;
  readonly self: NodeId = nodeId(9);
  readonly sent: { readonly to: NodeId; readonly put: ReplicaPut }[] = [];
  readonly down: Set<NodeId> = new Set();
  answer: (to: NodeId, put: ReplicaPut) => Answer | CallFailure = () => held;

  constructor(members = 5) {
    this.store = new HintStore();
    const settings = { partitions, n: 3, r: 2, w: 2 } as const;
    const places = Array.from({ length: members }, () => ({ zone: "", capacity: 1 }));
    this.store.ring = foldHistory(joins(settings, places));
  }

  /** A key with this owner, and one that has it not. */
  keyOf(owner: NodeId, owns = true): KeyPlace {
    for (let i = 0; ; i++) {
      const at = place(`key-${i}`);
      if (ownersOf(this.store.ring, at.partition, 3).includes(owner) === owns) return at;
    }
  }

  coordination(): Coordination {
    const { store, self } = this;
    const { runtime } = store;
    const call = (to: NodeId, put: ReplicaPut, _: number, handler: AnswerHandler, tag: number): void => {
      runtime.clock.setTimer(1, () => {
        this.sent.push({ to, put });
        const answer = this.down.has(to) ? "lost" : this.answer(to, put);
        if (typeof answer === "string") handler.onFailure(to, answer, tag);
        else handler.onAnswer(to, answer, tag);
      });
    };
    return {
      runtime,
      self,
      hints: store.hints,
      admission: new Admission(runtime.clock, () => false),
      seats: {
        owners: ({ partition }: { readonly partition: PartitionId }) =>
          ownersOf(store.ring, partition, 3).map((node, seat) => ({ seat, node })),
        hash: () => 0,
        learn: () => {},
        mayStore: () => true,
      },
      ring: () => store.ring,
      peers: { call },
      isUp: (node: NodeId) => !this.down.has(node),
      isServing: () => true,
      ringDiffers: () => {},
    } as unknown as Coordination;
  }

  /** One run; answers once it has ended, or after `withinMs`. */
  async deliver(owner: NodeId, withinMs = 60_000): Promise<Delivery["totals"]> {
    const delivery = new Delivery(this.coordination(), owner);
    const { simulation } = this.store.world;
    let hasEnded = false;
    simulation.schedule(0, undefined, () => {
      void delivery.run().finally(() => {
        hasEnded = true;
      });
    });
    if (!(await simulation.runUntil(() => hasEnded, withinMs))) delivery.stop();
    await simulation.runUntil(() => hasEnded, 10_000);
    return delivery.totals;
  }

  keep(owner: NodeId, at: KeyPlace, text = "v", counter = 1): void {
    this.store.hints.keep(owner, at, stateOf(text, counter), false, undefined);
  }
}

test("hints go to their owner alone, synced, with the state that was kept", async () => {
  const keeper = new Keeper();
  const owner = nodeId(1);
  const at = keeper.keyOf(owner);
  keeper.keep(owner, at, "one", 1);
  keeper.keep(owner, at, "two", 2);
  assert.equal((await keeper.deliver(owner)).delivered, 1);
  const [first, ...more] = keeper.sent;
  assert.deepEqual(more, []);
  assert.equal(first?.to, owner);
  assert.deepEqual(
    [first?.put.purpose, first?.put.synced, first?.put.hintFor, textsOf(first?.put.state)],
    ["hint", true, undefined, ["one", "two"]],
  );
  assert.equal(keeper.store.hints.isEmpty(undefined), true);
});

for (const [name, answer] of Object.entries({
  "that is not on the owner's disk": { ...held, synced: false },
  "that the owner took without a voice": { kind: "replica-stored", id: 0, synced: true },
  "that the owner refuses": refusing("corrupt"),
  "of which nothing is heard": "timed-out",
} as const)) {
  test(`a hint ${name} stays`, async () => {
    const keeper = new Keeper();
    const owner = nodeId(1);
    keeper.keep(owner, keeper.keyOf(owner));
    keeper.answer = () => answer;
    assert.deepEqual(await keeper.deliver(owner), { delivered: 0, bytes: 0, left: 1 });
    assert.equal(keeper.store.hints.count, 1);
    keeper.answer = () => held;
    assert.equal((await keeper.deliver(owner)).delivered, 1);
    assert.equal(keeper.store.hints.count, 0);
  });
}

test("a hint that changes while it is under way stays, and goes as it is then", async () => {
  const keeper = new Keeper();
  const owner = nodeId(1);
  const at = keeper.keyOf(owner);
  keeper.keep(owner, at, "one", 1);
  let times = 0;
  keeper.answer = () => {
    if (++times === 1) keeper.keep(owner, at, "two", 2);
    return held;
  };
  await keeper.deliver(owner);
  assert.equal(keeper.store.hints.count, 1);
  await keeper.deliver(owner);
  assert.equal(keeper.store.hints.count, 0);
  assert.deepEqual(textsOf(keeper.sent.at(-1)?.put.state), ["one", "two"]);
});

test("an owner that is full is left in peace for a while, again and again, and gets all in the end", async () => {
  const keeper = new Keeper();
  const owner = nodeId(1);
  const at = keeper.keyOf(owner);
  keeper.keep(owner, at);
  const { simulation } = keeper.store.world;
  keeper.answer = () => (simulation.now < 20_000 ? refusing("disk-full") : held);
  assert.equal((await keeper.deliver(owner)).delivered, 1);
  assert.ok(keeper.sent.length < 15, `${keeper.sent.length} times in 20 s`);
});

test("a hint that its owner does not answer does not keep the others from going", async () => {
  const keeper = new Keeper();
  const owner = nodeId(1);
  const stuck = keeper.keyOf(owner);
  keeper.keep(owner, stuck);
  const keys = Array.from({ length: 200 }, (_, i) => place(`more-${i}`)).filter((at) => {
    return ownersOf(keeper.store.ring, at.partition, 3).includes(owner);
  });
  for (const at of keys) keeper.keep(owner, at);
  keeper.answer = (_, put) => (put.key === stuck.key ? "timed-out" : held);
  assert.equal((await keeper.deliver(owner)).delivered, keys.length);
  assert.equal(keeper.store.hints.count, 1);
});

test("a run ends when its owner goes, and a few hints are under way at a time", async () => {
  const keeper = new Keeper(3);
  const owner = nodeId(1);
  for (let i = 0; i < 500; i++) keeper.keep(owner, place(`key-${i}`), "v", i + 1);
  keeper.answer = () => {
    if (keeper.sent.length === 100) keeper.down.add(owner);
    return held;
  };
  const { delivered } = await keeper.deliver(owner);
  assert.ok(delivered >= 90 && delivered <= 100, String(delivered));
  assert.ok(keeper.sent.length <= 120, String(keeper.sent.length));
  keeper.down.clear();
  keeper.answer = () => held;
  assert.equal((await keeper.deliver(owner)).delivered, 500 - delivered);
});

test("an owner without a voice is asked for one page a partition, not for every hint", async () => {
  const keeper = new Keeper(3);
  const owner = nodeId(1);
  for (let i = 0; i < 500; i++) keeper.keep(owner, place(`key-${i}`), "v", i + 1);
  keeper.answer = () => ({ kind: "replica-stored", id: 0, synced: true });
  await keeper.deliver(owner);
  assert.ok(keeper.sent.length <= 16 * partitions, String(keeper.sent.length));
  assert.equal(keeper.store.hints.count, 500);
});

test("what waits for a former owner goes to all who own the key now, and when all of them have it", async () => {
  const keeper = new Keeper();
  const former = nodeId(77);
  const at = place("k");
  const owners = ownersOf(keeper.store.ring, at.partition, 3);
  const [slow] = owners;
  assert.ok(slow);
  keeper.keep(former, at);
  keeper.down.add(slow);
  await keeper.deliver(former);
  assert.equal(keeper.store.hints.count, 1);
  assert.deepEqual(new Set(keeper.sent.map(({ to }) => to)), new Set(owners));
  keeper.down.clear();
  assert.equal((await keeper.deliver(former)).delivered, 1);
  assert.equal(keeper.store.hints.count, 0);
});

test("so does what waits for a member that owns the key no more", async () => {
  const keeper = new Keeper();
  const member = nodeId(1);
  const at = keeper.keyOf(member, false);
  keeper.keep(member, at);
  assert.equal((await keeper.deliver(member)).delivered, 1);
  assert.deepEqual(new Set(keeper.sent.map(({ to }) => to)), new Set(ownersOf(keeper.store.ring, at.partition, 3)));
});

test("the mint record of a hint stays at home", async () => {
  const keeper = new Keeper();
  const owner = nodeId(1);
  const at = keeper.keyOf(owner);
  const value = new TextEncoder().encode("v");
  const version = { value, checksum: keeper.store.runtime.checksum(value), contentType: "" };
  const minted = keeper.store.hints.write(owner, at, { seen: emptyDotSet, version, lastWriteWins: false }, undefined);
  assert.ok(minted.kind === "written");
  await keeper.deliver(owner);
  assert.deepEqual(keeper.sent[0]?.put.state, minted.state);
});
