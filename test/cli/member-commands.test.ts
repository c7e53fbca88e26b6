/** What commands that change members say and do while the cluster, played here by a server, goes another way. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type Ran, runCartwheel } from "./run-cartwheel.ts";

interface Told {
  readonly name: string;
  readonly status: string;
  readonly partitions?: number;
}

const n1: Told = { name: "n1", status: "up" };

/** Runs the command against a node that accepts every change, and shows these members one time after the other. */
async function run(words: readonly string[], views: readonly (readonly Told[])[]): Promise<Ran> {
  const left = [...views];
  const server = createServer(({ url, method }, response) => {
    if (method !== "GET" || url !== "/cluster") {
      response.statusCode = method === "GET" ? 409 : 202;
      response.end(JSON.stringify({ type: "conflicting-change", detail: "so already: nothing would change" }));
      return;
    }
    const shown = (left.length > 1 ? left.shift() : left[0]) as readonly Told[];
    const rest = { zone: "", capacity: 1, peer: "", http: "" };
    const members = shown.map((member) => ({ id: "", partitions: 8, ...rest, ...member }));
    const quorum = { n: 3, r: 2, w: 2 };
    response.end(
      JSON.stringify({ name: "n1", cluster: "c", version: "0", members, pendingTransfers: 0, hints: 0, quorum }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return await runCartwheel([...words, "--url", url]);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test("a leave that is taken back ends the command that waits for it", async () => {
  const leaving = [n1, { name: "n2", status: "leaving", partitions: 0 }];
  const comeToBe = ["up", "joining", "down"].map((status) => [leaving, leaving, [n1, { name: "n2", status }]]);
  for (const { status, err } of await Promise.all(comeToBe.map((views) => run(["leave", "n2", "--yes"], views)))) {
    assert.equal(status, 1);
    assert.match(err, /n2 does not leave: that was taken back/);
  }
});

test("a leave goes on where a member has not heard of it yet, or the one that leaves is down", async () => {
  const views = [
    [n1, { name: "n2", status: "up" }],
    [n1, { name: "n2", status: "up" }],
    [n1, { name: "n2", status: "leaving", partitions: 0 }],
    ...Array.from({ length: 14 }, () => [n1, { name: "n2", status: "down", partitions: 0 }]),
    [n1],
  ];
  const { status, out } = await run(["leave", "n2", "--yes"], views);
  assert.deepEqual([status, out], [0, "n2 has left the cluster; its directory can be deleted\n"]);
});

test("a member that is gone is not said to stay, nor to have what it was to get", async () => {
  const views = [[n1, { name: "n2", status: "up" }], [n1]];
  const orders = [
    ["stay", "n2"],
    ["capacity", "n2", "2", "--yes"],
    ["zone", "n2", "z", "--yes"],
  ];
  for (const { status, out, err } of await Promise.all(orders.map((words) => run(words, views)))) {
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /n2 is no member any more: it has left, or was removed/);
  }
});

test("a zone without a name is called none", async () => {
  assert.equal((await run(["zone", "n1", "", "--yes", "--no-wait"], [[n1]])).out.startsWith("n1 is in no zone"), true);
});

test("who leaves is counted as up in the status", async () => {
  const members = [n1, { name: "n2", status: "leaving" }, { name: "n3", status: "down" }];
  assert.match((await run(["status"], [members])).out, /^members +3, of which 2 up$/m);
});
