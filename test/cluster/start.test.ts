/** `cartwheel start` as an operator meets it: each refusal is one sentence that says which, and stopping is clean. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Ran, runCartwheel } from "../cli/run-cartwheel.ts";
import { RealCluster, type RealNode } from "./real-cluster.ts";

const directory = mkdtempSync(join(tmpdir(), "cartwheel-start-"));
let cluster: RealCluster;
let node: RealNode;
before(async () => {
  cluster = await RealCluster.start(1);
  node = cluster.nodes[0] as RealNode;
});
after(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true });
});

function start(words: readonly string[], environment: Record<string, string> = {}): Promise<Ran> {
  const ports = { CARTWHEEL_LISTEN: "127.0.0.1:0", CARTWHEEL_HTTP: "127.0.0.1:0", CARTWHEEL_LOG: "error" };
  return runCartwheel(["start", ...words], { environment: { ...ports, ...environment } });
}

function refused(ran: Ran, sentence: RegExp): void {
  assert.equal(ran.status, 1, ran.err);
  assert.match(ran.err, /^cartwheel: [^\n]+\n$/);
  assert.match(ran.err, sentence);
}

test("a directory in use, of another node, from a newer version, or of something else is refused", async () => {
  refused(await start(["--name", node.name, "--data", node.data]), /is in use by process \d+/);
  const newer = mkdtempSync(join(directory, "newer-"));
  writeFileSync(join(newer, "cartwheel.json"), '{"format": 99, "storage": "lmdb"}');
  refused(await start(["--name", "n9", "--data", newer]), /format 99/);
  const foreign = mkdtempSync(join(directory, "foreign-"));
  writeFileSync(join(foreign, "letter.txt"), "Dear diary");
  refused(await start(["--name", "n9", "--data", foreign]), /letter\.txt/);
});

test("a port that is taken is named, whichever of the two it is", async () => {
  const memory = ["--name", "n9", "--storage", "memory"];
  refused(await start([...memory, "--listen", `127.0.0.1:${node.peerPort}`]), new RegExp(`listen.*:${node.peerPort}`));
  refused(await start([...memory, "--http", `127.0.0.1:${node.httpPort}`]), new RegExp(`HTTP.*:${node.httpPort}`));
});

test("a joiner with a name that is up, or with other settings, is refused", async () => {
  const join = ["--join", `127.0.0.1:${node.peerPort}`, "--storage", "memory"];
  refused(await start(["--name", node.name, ...join]), /the name n1 is taken by a member that is up/);
  refused(await start(["--name", "n9", ...join, "--partitions", "64"]), /partitions 256, not 64/);
});

test("SIGTERM ends a node cleanly, and it is the same member when it starts again", async () => {
  assert.equal((await node.call("PUT", "/kv/b/kept", { body: "still here" })).status, 204);
  const before = JSON.parse((await node.call("GET", "/cluster")).body.toString()) as { cluster: string };
  await node.end("SIGTERM");
  assert.match(node.errors, /"msg":"stopped"/);
  node.start();
  await node.ready();
  assert.equal((await node.call("GET", "/kv/b/kept")).body.toString(), "still here");
  const view = JSON.parse((await node.call("GET", "/cluster")).body.toString()) as {
    cluster: string;
    members: unknown[];
  };
  assert.equal(view.cluster, before.cluster);
  assert.equal(view.members.length, 1);
  await node.end("SIGTERM");
  refused(await start(["--name", "another", "--data", node.data]), /is that of node n1, not of another/);
});
