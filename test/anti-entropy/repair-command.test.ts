/** `/cluster/repair` and `cartwheel repair`, as a user has them, against two real nodes. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { leftLines } from "../../src/cli/repair-command.ts";
import { runCartwheel } from "../cli/run-cartwheel.ts";
import { ServedNode } from "../http/served-node.ts";

const nodes: ServedNode[] = [];

before(async () => {
  const settings = { partitions: 16, n: 2, r: 1, w: 2 } as const;
  const first = await ServedNode.start({ name: "n1", settings });
  nodes.push(first);
  const join = first.node.api.cluster().members.map(({ peer }) => peer);
  nodes.push(await ServedNode.start({ name: "n2", join }));
});

after(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
});

test("a repair is asked for, runs, and tells what it did, as it is described", async () => {
  const [node] = nodes;
  assert.ok(node);
  const rebuild = { seats: 16, voices: 16, running: false, waitingFor: [], forced: null };
  const whole = { leftOut: [], damaged: { waiting: 0, setAside: 0 }, rebuild };
  assert.deepEqual((await node.ask("/cluster/repair")).json(), { running: false, lastRun: null, ...whole });
  assert.equal((await node.ask("/cluster/repair?force=maybe", { method: "POST" })).status, 400);
  await node.ask("/kv/b/k", { method: "PUT", body: "v" });
  const started = await node.ask("/cluster/repair", { method: "POST" });
  assert.equal(started.status, 202);
  assert.equal(started.json()["running"], true);
  let told = (await node.ask("/cluster/repair")).json();
  while (told["running"] === true) told = (await node.ask("/cluster/repair")).json();
  const { bytesSent, bytesReceived, finished, ...counts } = told["lastRun"] as Record<string, unknown>;
  assert.deepEqual(counts, { partitionsCompared: 16, keysCompared: 0, keysRepaired: 0 });
  assert.ok(Number(bytesSent) > 0 && Number(bytesReceived) > 0);
  assert.equal(new Date(String(finished)).toISOString(), finished);
});

test("the command waits for the end, and says it in words or in JSON", async () => {
  const environment = { CARTWHEEL_URL: `http://${nodes[1]?.node.http}` };
  const said = await runCartwheel(["repair"], { environment });
  assert.equal(said.status, 0);
  assert.match(
    said.out,
    /^compared with 16 other copies of its partitions, 0 keys looked at, 0 repaired; \d+ bytes sent, \d+ received\n$/,
  );
  const inJson = await runCartwheel(["repair", "--json"], { environment });
  const { running, lastRun } = JSON.parse(inJson.out) as { running: boolean; lastRun: { partitionsCompared: number } };
  assert.equal(running, false);
  assert.equal(lastRun.partitionsCompared, 16);
});

test("what a repair had to leave is said, and is a failure", async () => {
  const [node, other] = nodes;
  assert.ok(node !== undefined && other !== undefined);
  await other.node.stop();
  const environment = { CARTWHEEL_URL: `http://${node.node.http}` };
  const said = await runCartwheel(["repair"], { environment });
  assert.equal(said.status, 1);
  assert.match(said.out, /\nnot compared with n2: [a-z ]+\n$/);
  const told = (await node.ask("/cluster/repair")).json();
  assert.deepEqual(
    (told["leftOut"] as { name: string }[]).map(({ name }) => name),
    ["n2"],
  );
  const [line] = leftLines({ leftOut: [], damaged: { waiting: 1, setAside: 3 } });
  assert.match(line ?? "", /^1 damaged key is refused here until/);
});
