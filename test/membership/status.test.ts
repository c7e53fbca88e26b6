/** What members are said to be while they come and go (§4.8.1). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

/** What n1 says of the member, one word for each change, until it is up and all is where it shall be. */
async function told(world: World, name: string): Promise<readonly string[]> {
  const said: string[] = [];
  const look = (): boolean => {
    const { members, pendingTransfers } = world.nodes.get("n1")?.cluster() ?? { members: [], pendingTransfers: 1 };
    const now = members.find((member) => member.name === name);
    if (now !== undefined && said.at(-1) !== now.status) said.push(now.status);
    return now?.status === "up" && pendingTransfers === 0;
  };
  assert.ok(await world.simulation.runUntil(look, 60_000), `${said.join(", ")}\n${world.describe()}`);
  return said;
}

function statusIn(world: World, name: string): string | undefined {
  const { members } = world.nodes.get("n1")?.cluster() ?? { members: [] };
  return members.find((member) => member.name === name)?.status;
}

test("a new member is joining until it has half of what it is to have, whichever way it came to have nothing", async () => {
  const world = new World(31);
  const settings = { partitions: 128 };
  await world.cluster(3, { settings });
  for (let i = 0; i < 40; i++) assert.equal(await world.put("n1", `key ${i}`, "v"), "written");

  world.start("n4", { join: ["n1"], settings });
  assert.deepEqual(
    (await told(world, "n4")).filter((word) => word !== "down"),
    ["joining", "up"],
  );

  // The others get more, too, but had most of it.
  const others = world.nodes
    .get("n1")
    ?.cluster()
    .members.map(({ status }) => status);
  assert.deepEqual(others, ["up", "up", "up", "up"]);

  // Its disk is lost, and one of those that it is to be filled from is away.
  world.kill("n4");
  world.wipe("n4");
  world.kill("n3");
  assert.ok(await world.simulation.runUntil(() => statusIn(world, "n4") === "down", 5000));
  world.start("n4", { join: ["n1"], settings });
  assert.ok(await world.simulation.runUntil(() => statusIn(world, "n4") === "joining", 30_000), world.describe());
  await world.simulation.run(5000);
  world.start("n3", { settings });
  assert.deepEqual(await told(world, "n4"), ["joining", "up"]);
});
