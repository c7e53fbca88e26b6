/** What a holder says of a seat that it has promised to help with, and has sealed before that was on its disk. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, PartitionId } from "../../src/core/ids.ts";
import { knownSeat } from "../../src/core/seats/known.ts";
import { seal } from "../../src/core/seats/record.ts";
import { Seats } from "../../src/node/seats.ts";
import { plant } from "./plant.ts";
import { World } from "./world.ts";

/** The members' ids by name, and the incarnations that belong to them, as the history has them. */
function identities(world: World): ReadonlyMap<string, { readonly node: NodeId; readonly incarnation: string }> {
  const found = new Map<string, { readonly node: NodeId; readonly incarnation: string }>();
  for (const event of world.nodes.get("n1")?.history() ?? []) {
    if (event.kind !== "join" && event.kind !== "found") continue;
    const node = event.kind === "join" ? event.node : event.author;
    found.set(event.name, { node, incarnation: `${event.lamport}-${event.author}` });
  }
  return found;
}

test("who has sealed its seat while its promise to a rebuild went to the disk does not answer with the seat's voice", async () => {
  const world = new World(1);
  await world.cluster(4);
  for (let i = 0; i < 20; i++) assert.equal(await world.put("n1", `k${i}`, `v${i}`, 3), "written");
  const members = identities(world);
  const { change } = Seats.prototype;
  /** Who sealed, and where. */
  let sealed: { readonly name: string; readonly partition: PartitionId } | undefined;
  const restore = plant(Seats.prototype, "change", function (this: Seats, partition, decide) {
    const before = this.record(partition).grant;
    const changed = change.call(this, partition, decide);
    const { grant, hold, known } = this.record(partition);
    if (sealed !== undefined || grant === undefined || grant === before || hold.kind !== "active") return changed;
    const { holder } = knownSeat(known, hold.seat);
    const name = [...members].find(([, { node }]) => node === holder)?.[0];
    const successor = members.get(name === "n2" ? "n3" : "n2");
    if (name === undefined || successor === undefined) return changed;
    sealed = { name, partition };
    void change.call(this, partition, (record) => seal(record, hold.seat, successor));
    return changed;
  });
  const asked = new Set<number>();
  const answers: string[] = [];
  world.network.onMessage = (message, from) => {
    if (message.kind === "fence-seat") {
      // Whoever it is asked of seals, if at all, when it has arrived.
      if (sealed === undefined) asked.add(message.id);
    } else if (sealed !== undefined && from.host === world.machine(sealed.name) && asked.has(message.id)) {
      if (message.kind === "seat-fenced" || message.kind === "refusal") answers.push(message.kind);
    }
  };
  try {
    world.kill("n4");
    world.wipe("n4");
    await world.up("n4", { join: ["n1"] });
    assert.ok(await world.simulation.runUntil(() => answers.length > 0, 20_000));
  } finally {
    restore();
  }
  assert.equal(answers[0], "refusal");
  await world.agreed();
  for (let i = 0; i < 20; i++) assert.deepEqual(await world.get("n4", `k${i}`), [`v${i}`]);
});
