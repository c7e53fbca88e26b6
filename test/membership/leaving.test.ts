/**
 * Members that leave, are removed, and carry another share, in whole clusters on virtual time. Everything ends with one
 * ring everywhere, each seat with its owner, and every write that was acknowledged.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterSettings } from "../../src/core/settings.ts";
import type { MemberChangeOutcome } from "../../src/node/api.ts";
import { Coordinator } from "../../src/node/coordinator.ts";
import { HandOvers } from "../../src/node/hand-over.ts";
import { Membership } from "../../src/node/membership.ts";
import type { Node } from "../../src/node/node.ts";
import type { CoordinateWrite } from "../../src/wire/message.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

const accepted: MemberChangeOutcome = { kind: "accepted" };

/** A cluster of so many with some data in it. */
async function filled(seed: number, size: number, settings: Partial<ClusterSettings> = {}): Promise<World> {
  const world = new World(seed);
  await world.cluster(size, { settings });
  for (let i = 0; i < 20; i++) assert.equal(await world.put(`n${1 + (i % size)}`, `k${i}`, `v${i}`), "written");
  return world;
}

/** All that was written is read with one answer through every node that runs. */
async function isWhole(world: World): Promise<void> {
  for (const on of world.nodes.keys()) {
    for (let i = 0; i < 20; i++) assert.deepEqual(await world.get(on, `k${i}`, 1), [`v${i}`], `k${i} through ${on}`);
  }
}

/** Waits until the node of that machine has ended by itself, and takes it away. */
async function hasEnded(world: World, machine: string, withinMs = 60_000): Promise<string> {
  await world.simulation.runUntil(() => world.ended.has(machine), withinMs);
  const error = world.ended.get(machine);
  world.kill(machine);
  return error === undefined ? `${machine} goes on:\n${world.describe()}` : error.code;
}

test("a member that leaves hands everything over, is gone for all, and ends", async () => {
  const world = await filled(1, 4);
  assert.deepEqual(await world.inside("n2", (node) => node.leave("n4")), accepted);
  assert.equal(await hasEnded(world, "n4"), "left");
  assert.match(world.ended.get("n4")?.message ?? "", /n4 has left the cluster; its directory can be deleted/);
  await world.agreed();
  const members = world.nodes
    .get("n1")
    ?.cluster()
    .members.map(({ name }) => name);
  assert.deepEqual(members, ["n1", "n2", "n3"]);
  await isWhole(world);
  assert.match(await world.refused("n4", { join: ["n1"] }), /n4 has left the cluster/);
});

test("a member that is lost is removed, and the others rebuild what it held", async () => {
  const world = await filled(2, 4);
  world.kill("n4");
  await world.simulation.run(60_000);
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n4")), accepted);
  await world.agreed(10_000);
  await isWhole(world);
  assert.match(await world.refused("n4", { join: ["n1"] }), /n4 was removed from the cluster, and stays out/);
});

test("one that is removed by force while it is up gives up what it alone holds, and answers no client any more", async () => {
  const world = await filled(3, 4, { n: 1, r: 1, w: 1 });
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n4")), {
    kind: "refused",
    why: "is-up",
    detail: "n4 is up: have it leave, or remove it by force",
  });
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n4", { force: true })), accepted);
  const n4 = world.nodes.get("n4");
  assert.ok(await world.simulation.runUntil(() => n4?.departed === "removed", 5000));
  assert.equal(n4?.isReady, false);
  assert.equal(await world.put("n4", "k0", "late"), "not-ready");
  assert.equal(await hasEnded(world, "n4"), "removed");
  await world.agreed(10_000);
  await isWhole(world);
});

test("what cannot be asked for is refused with the reason, and asking twice is asking once", async () => {
  const world = await filled(4, 3);
  const refusal = (outcome: MemberChangeOutcome): string => (outcome.kind === "refused" ? outcome.why : outcome.kind);
  const ask = async (act: (node: Node) => Promise<MemberChangeOutcome>): Promise<string> =>
    refusal(await world.inside("n1", act));
  assert.equal(await ask((node) => node.leave("n9")), "unknown-member");
  assert.equal(await ask((node) => node.remove("n9")), "unknown-member");
  assert.equal(await ask((node) => node.leave("n3")), "too-few");
  assert.equal(await ask((node) => node.changeMember("n3", { capacity: 0 })), "bad-value");
  assert.equal(await ask((node) => node.changeMember("n3", { zone: "a b" })), "bad-value");
  const events = (): number => world.nodes.get("n1")?.history().length ?? 0;
  const before = events();
  assert.equal(await ask((node) => node.changeMember("n3", { capacity: 2, zone: "z" })), "accepted");
  assert.equal(await ask((node) => node.changeMember("n3", { capacity: 2, zone: "z" })), "accepted");
  assert.equal(events(), before + 2);
  await world.agreed();
  await isWhole(world);
});

/** Puts and gets that want everybody there is; and how many answer. */
async function asksAll(world: World, members: number): Promise<void> {
  for (const [on, node] of world.nodes) {
    const value = new Uint8Array([1]);
    const request = {
      bucket: "carts",
      key: `all ${on} ${members}`,
      value,
      contentType: "",
      w: "all",
      pw: "all",
    } as const;
    const written = await world.inside(on, () => node.put(request));
    assert.equal(written.kind === "written" ? written.voices : written.detail, members);
    const found = await world.inside(on, () => node.get({ bucket: "carts", key: request.key, r: "all", pr: "all" }));
    assert.equal(found.kind === "found" ? found.voices : found.detail, members);
    assert.equal(node.cluster().quorum.n, members);
  }
}

test("with fewer members than copies there is one copy a member, whether one leaves or is lost, and then more again", async () => {
  const world = await filled(5, 3);
  assert.deepEqual(await world.inside("n1", (node) => node.leave("n3", { force: true })), accepted);
  assert.equal(await hasEnded(world, "n3"), "left");
  await world.agreed();
  await asksAll(world, 2);
  await isWhole(world);
  world.kill("n2");
  await world.simulation.run(1000);
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n2")), accepted);
  await world.agreed();
  await asksAll(world, 1);
  await isWhole(world);
  await world.up("n4", { join: ["n1"] });
  await world.up("n5", { join: ["n4"] });
  await world.agreed();
  await asksAll(world, 3);
  await isWhole(world);
});

test("a member that ended before anybody heard that it had left tells them when it is started again", async () => {
  const world = await filled(6, 4);
  const n4 = world.nodes.get("n4") as Node;
  assert.deepEqual(await world.inside("n4", (node) => node.leave("n4")), accepted);
  const others = ["n1", "n2", "n3"].map((name) => world.machine(name));
  assert.ok(
    await world.simulation.runUntil(() => n4.transfers().pending === 0 && n4.hints().waiting.length === 0, 20_000),
  );
  // What it writes down from now on nobody hears.
  for (const other of others) world.network.cut(world.machine("n4"), other);
  assert.ok(await world.simulation.runUntil(() => n4.departed === "left", 20_000));
  await world.simulation.run(2000);
  world.kill("n4");
  // Nor can it tell anybody when it is started again, for a while.
  const refused = world.refused("n4", { join: ["n1"] });
  await world.simulation.run(20_000);
  assert.equal(world.nodes.get("n1")?.cluster().members.length, 4);
  world.network.mendAll();
  assert.match(await refused, /n4 has left the cluster/);
  await world.agreed(10_000);
  assert.equal(world.nodes.get("n1")?.cluster().members.length, 3);
  await isWhole(world);
});

test("of two that are down one is removed: what waits for the other says so, and goes on when that returns", async () => {
  const world = await filled(7, 5);
  world.kill("n4");
  world.kill("n5");
  await world.simulation.run(40_000);
  assert.deepEqual(await world.inside("n1", (node) => node.remove("n4")), accepted);
  await world.simulation.run(20_000);
  const waiting = ["n1", "n2", "n3"].flatMap((name) => world.nodes.get(name)?.transfers().transfers ?? []);
  assert.ok(waiting.length > 0);
  for (const { why, waitsFor } of waiting) assert.deepEqual([waitsFor, why], ["n5", "cannot be reached"]);
  await world.up("n5");
  // To n5 itself n4 has been silent only since its start.
  await world.agreed(40_000);
  await isWhole(world);
});

test("a member that leaves gives hints for one that is down to the next who can keep them", async () => {
  const world = await filled(8, 5);
  world.kill("n5");
  await world.simulation.run(2000);
  for (let i = 0; i < 20; i++) assert.equal(await world.put("n1", `h${i}`, `v${i}`, 3), "written");
  const hintsOf = (name: string): number => {
    const waiting = world.nodes.get(name)?.hints().waiting ?? [];
    return waiting.reduce((sum, { hints }) => sum + hints, 0);
  };
  const all = ["n1", "n2", "n3", "n4"].reduce((sum, name) => sum + hintsOf(name), 0);
  assert.ok(hintsOf("n3") > 0);
  assert.deepEqual(await world.inside("n1", (node) => node.leave("n3")), accepted);
  assert.ok(await world.simulation.runUntil(() => hintsOf("n3") === 0, 20_000));
  assert.equal(hintsOf("n1") + hintsOf("n2") + hintsOf("n4"), all);
  // Its seats go to n5, too.
  await world.up("n5");
  assert.equal(await hasEnded(world, "n3"), "left");
  await world.agreed();
  // What n5 was about to store when it was killed, comparisons of trees bring it.
  await world.simulation.run(20_000);
  await isWhole(world);
});

test("a leave is taken back while it is under way, and cannot be once the member has gone", async () => {
  for (let seed = 20; seed < 28; seed += 2) {
    const world = await filled(seed, 4);
    assert.deepEqual(await world.inside("n2", (node) => node.leave("n4")), accepted);
    await world.simulation.run((seed - 20) * 1000);
    const stayed = await world.inside("n3", (node) => node.stay("n4"));
    if (seed === 20) assert.deepEqual(stayed, accepted);
    if (stayed.kind === "refused") assert.equal(stayed.why, "unknown-member");
    // Of the two at the same moment, having gone wins.
    await world.simulation.run(6000);
    const isGone = world.nodes.get("n4")?.departed === "left";
    assert.ok(isGone || stayed.kind === "accepted");
    if (isGone) assert.equal(await hasEnded(world, "n4"), "left");
    await world.agreed();
    const n4 = world.nodes
      .get("n1")
      ?.cluster()
      .members.find(({ name }) => name === "n4");
    assert.deepEqual(
      [n4?.status, (n4?.partitions ?? 0) > 0],
      isGone ? [undefined, false] : ["up", true],
      `seed ${seed}`,
    );
    await isWhole(world);
  }
});

test("in the moment in which it goes a member that leaves keeps no write for another: it would be gone with it", async () => {
  const world = await filled(9, 4, { n: 1, r: 1, w: 1 });
  const n4 = world.nodes.get("n4") as Node;
  const keyOf = (owner: string): string => {
    const keys = Array.from({ length: 200 }, (_, i) => `of ${i}`);
    return keys.find((key) => n4.locate("carts", key)?.preferenceList[0]?.name === owner) as string;
  };
  // How it is asked to coordinate, and by whom inside it.
  let asked: { readonly coordinator: Coordinator; readonly request: CoordinateWrite } | undefined;
  const { write } = Coordinator.prototype;
  const takeOut = plant(Coordinator.prototype, "write", function (this: Coordinator, request, deliver) {
    if (request.kind === "coordinate-write") asked = { coordinator: this, request };
    write.call(this, request, deliver);
  });
  assert.equal(await world.put("n4", keyOf("n4"), "its own"), "written");
  takeOut();
  const answers: string[] = [];
  const late = keyOf("n3");
  const { append } = Membership.prototype;
  const goesOn = plant(Membership.prototype, "append", function (this: Membership, draft, isStill, also) {
    return append.call(
      this,
      draft,
      () => {
        const isIt = isStill === undefined || isStill();
        // From now on it only waits for its disk. A member that has not heard that it leaves asks it to stand in.
        if (isIt && draft.kind === "remove" && asked !== undefined) {
          const { coordinator, request } = asked;
          coordinator.write({ ...request, key: late, asFallback: true }, (answer) => {
            answers.push(answer.kind === "refusal" ? answer.code : answer.kind);
          });
        }
        return isIt;
      },
      also,
    );
  });
  try {
    assert.deepEqual(await world.inside("n2", (node) => node.leave("n4")), accepted);
    const holdsNothing = (): boolean => n4.transfers().pending === 0 && n4.cluster().pendingTransfers === 0;
    await world.simulation.run(1000);
    assert.ok(await world.simulation.runUntil(holdsNothing, 20_000));
    world.kill("n3");
    assert.equal(await hasEnded(world, "n4"), "left");
  } finally {
    goesOn();
  }
  assert.deepEqual(answers, ["no-owner"]);
});

test("one that is removed while holders have fallen silent for its sake gives their seats back before it ends", async () => {
  const world = await filled(10, 3);
  const silent = (): number => {
    const transfers = [...world.nodes.values()].flatMap((node) => node.transfers().transfers);
    return transfers.filter(({ kind }) => kind === "reminder").length;
  };
  const heal = plant(HandOvers.prototype, "finish", async () => ({ peer: undefined, why: "the tail is slow to copy" }));
  try {
    await world.up("n4", { join: ["n1"] });
    assert.ok(await world.simulation.runUntil(() => silent() > 3, 10_000));
    assert.deepEqual(await world.inside("n1", (node) => node.remove("n4", { force: true })), accepted);
    const knows = (): boolean => world.nodes.get("n4")?.departed === "removed";
    assert.ok(await world.simulation.runUntil(knows, 5000));
  } finally {
    heal();
  }
  // Long before its silence could mean that the seats are lost.
  assert.equal(await hasEnded(world, "n4", 15_000), "removed");
  assert.equal(silent(), 0);
  await world.agreed(1000);
  await isWhole(world);
});

test("two that leave, and reach nobody but each other, do not go before somebody who stays knows of both", async () => {
  const world = await filled(31, 5);
  for (const name of ["n4", "n5"]) assert.deepEqual(await world.inside("n1", (node) => node.leave(name)), accepted);
  const holdsSeats = (name: string): boolean => {
    const seats = world.nodes
      .get(name)
      ?.metrics()
      .find((metric) => metric.name === "cartwheel_seats");
    return seats === undefined || seats.value > 0;
  };
  assert.ok(await world.simulation.runUntil(() => !holdsSeats("n4") && !holdsSeats("n5"), 60_000));
  await world.simulation.run(3000);
  assert.deepEqual([...world.ended.keys()], []);
  for (const one of ["n4", "n5"]) {
    for (const other of ["n1", "n2", "n3"]) {
      world.network.cut(world.machine(one), world.machine(other));
      world.network.cut(world.machine(other), world.machine(one));
    }
  }
  const areGone = (): boolean => ["n4", "n5"].every((name) => world.nodes.get(name)?.departed === "left");
  assert.ok(await world.simulation.runUntil(areGone, 60_000), "each has written down that it is gone");
  await world.simulation.run(30_000);
  assert.deepEqual([...world.ended.keys()], []);
  world.network.mendAll();
  for (const name of ["n4", "n5"]) assert.equal(await hasEnded(world, name), "left");
  await world.agreed();
  assert.equal(world.nodes.get("n1")?.cluster().members.length, 3);
  await isWhole(world);
});
