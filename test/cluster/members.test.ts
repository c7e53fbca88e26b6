/** Members leave, are removed, and change, as an operator does it: by the commands, on real processes. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Ran, runCartwheel } from "../cli/run-cartwheel.ts";
import { RealCluster, type RealNode, until } from "./real-cluster.ts";

let cluster: RealCluster;
before(async () => {
  cluster = await RealCluster.start(5, { args: ["--partitions", "16", "--log", "info"] });
});
after(() => cluster.stop());

/** A command that asks the named node. */
const ask = (of: string, words: readonly string[]): Promise<Ran> => {
  const { http } = cluster.node(of);
  return runCartwheel(words, { environment: { CARTWHEEL_URL: `http://${http.host}:${http.port}` } });
};

async function membersOf(node: RealNode): Promise<readonly string[]> {
  const { members } = await node.json<{ members: readonly { name: string }[] }>("/cluster");
  return members.map(({ name }) => name).sort();
}

test("a command that changes the cluster shows its plan, and does nothing unless it is told to", async () => {
  const asked = await ask("n1", ["leave", "n5"]);
  assert.equal(asked.status, 2);
  assert.match(asked.out, /copies of partitions would move/);
  assert.match(asked.err, /leave asks before it changes the cluster; here it needs --yes/);
  assert.match((await ask("n1", ["leave", "n9", "--yes"])).err, /no-such-member: there is no member n9/);
  assert.match((await ask("n1", ["remove", "n5", "--yes"])).err, /conflicting-change: n5 is up/);
  assert.equal((await membersOf(cluster.node("n1"))).length, 5);
});

test("another capacity and zone move seats, outlive a restart with the old ones, and are told then", async () => {
  const weight = await ask("n1", ["capacity", "n2", "2", "--yes"]);
  assert.deepEqual([weight.status, weight.err.includes("seats are on their way")], [0, true], weight.err);
  assert.match(weight.out, /n2 has capacity 2, and every seat is where it shall be/);
  assert.match(
    (await ask("n3", ["zone", "n2", "east", "--yes", "--no-wait"])).out,
    /n2 is in zone east, and seats move/,
  );
  assert.equal((await ask("n3", ["zone", "n2", "east", "--yes"])).status, 0);
  const n2 = cluster.node("n2");
  await n2.end("SIGTERM");
  n2.start(["--capacity", "1"]);
  await n2.ready();
  assert.match(n2.errors, /n2 was given capacity 2: capacity 1 is out of date/);
});

test("a member that leaves says so, ends well, and stays away", async () => {
  const n5 = cluster.node("n5");
  const left = await ask("n5", ["leave", "n5", "--yes"]);
  assert.equal(left.status, 0, left.err);
  assert.match(left.out, /n5 has left the cluster; its directory can be deleted/);
  assert.equal(await n5.exit(), 0);
  assert.match(n5.errors, /n5 has left the cluster; its directory can be deleted/);
  n5.start(["--join", `${cluster.node("n1").peer.host}:${cluster.node("n1").peer.port}`]);
  assert.equal(await n5.exit(), 1);
  assert.match(n5.errors, /cartwheel: n5 has left the cluster; its directory can be deleted/);
  assert.deepEqual(await membersOf(cluster.node("n1")), ["n1", "n2", "n3", "n4"]);
});

test("a member that is lost is removed, what it held is rebuilt, and what returns of it stays out", async () => {
  const [n1, n4] = [cluster.node("n1"), cluster.node("n4")];
  assert.equal((await n1.call("PUT", "/kv/carts/zoe", { body: "tea" })).status, 204);
  await n4.end("SIGKILL");
  await until(10_000, "n4 to be down", async () => {
    const { members } = await n1.json<{ members: readonly { name: string; status: string }[] }>("/cluster");
    return members.some(({ name, status }) => name === "n4" && status === "down") || undefined;
  });
  const removed = await ask("n1", ["remove", "n4", "--yes"]);
  assert.equal(removed.status, 0, removed.err);
  assert.match(removed.err, /n4 was removed; unless it answers within 30 s/);
  assert.deepEqual(await membersOf(n1), ["n1", "n2", "n3"]);
  for (const node of [n1, cluster.node("n2"), cluster.node("n3")]) {
    assert.equal((await node.call("GET", "/kv/carts/zoe?r=1")).body.toString(), "tea");
  }
  n4.start();
  assert.equal(await n4.exit(), 1);
  assert.match(n4.errors, /n4 was removed from the cluster, and stays out; with an empty directory it may join again/);
  const { out: history } = await ask("n2", ["history"]);
  assert.match(history, /^\S+Z +n1 +capacity +n2 +capacity 2$/m);
  assert.match(history, /^\S+Z +n5 +leave +n5$/m);
  assert.match(history, /^\S+Z +n1 +remove +n4$/m);
  const few = await ask("n1", ["leave", "n3", "--yes"]);
  assert.match(few.err, /conflicting-change: without n3 2 members would be left to keep 3 copies of each key/);
});
