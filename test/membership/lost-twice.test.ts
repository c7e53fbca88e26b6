/** A member's directory is lost twice, and who has the third take its place has not heard of the second. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

test("of two directories that took one place unknown to each other, the later name stays, and an empty one takes it again", async () => {
  const world = new World(41);
  await world.cluster(3);
  assert.equal(await world.put("n1", "k", "v", 3), "written");
  const ids = new Map(
    world.nodes
      .get("n1")
      ?.cluster()
      .members.map(({ name, id }) => [name, id]),
  );
  const [earlier, later] = ["n1", "n2"].sort((a, b) => ((ids.get(a) ?? "") < (ids.get(b) ?? "") ? -1 : 1)) as [
    string,
    string,
  ];
  // The second directory joins where the other sponsor does not hear of it, and is lost.
  world.kill("n3");
  world.wipe("n3");
  world.kill(earlier);
  await world.simulation.run(2000);
  await world.up("n3", { join: [later] });
  world.kill("n3");
  world.wipe("n3");
  world.kill(later);
  // So is the third, at that other sponsor; then the two hear of each other.
  await world.up(earlier);
  await world.up("n3", { join: [earlier] });
  world.start(later);
  assert.ok(await world.simulation.runUntil(() => world.ended.has("n3"), 60_000), world.describe());
  assert.equal(world.ended.get("n3")?.code, "superseded");
  world.kill("n3");
  world.wipe("n3");
  await world.simulation.run(2000);
  await world.up("n3", { join: [earlier] });
  await world.agreed();
  assert.equal(world.nodes.get("n1")?.cluster().members.length, 3);
  assert.deepEqual(await world.get("n3", "k", 2), ["v"]);
});
