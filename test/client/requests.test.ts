/** What a client does with time, trouble and a ring that changes: real nodes on virtual time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, ClientWorld, text } from "./client-world.ts";

test("every request goes to a node that can coordinate it", async () => {
  const world = await ClientWorld.of(5);
  const client = await world.client();
  await client.act(async (db) => {
    const bucket = db.bucket("carts");
    for (let i = 0; i < 50; i++) await bucket.put(`k${i}`, bytes(`v${i}`));
    for (let i = 0; i < 50; i++) {
      const found = await bucket.get(`k${i}`);
      assert.equal(found.kind === "value" ? text(found.value) : found.kind, `v${i}`);
    }
  });
  assert.equal(world.forwarded, 0);
});

test("a client that asks anybody leaves it to the nodes to find an owner", async () => {
  const world = await ClientWorld.of(5);
  const client = await world.client({ asksAnybody: true });
  await client.act(async (db) => {
    const bucket = db.bucket("carts");
    for (let i = 0; i < 50; i++) await bucket.put(`k${i}`, bytes(`v${i}`));
    for (let i = 0; i < 50; i++) assert.equal((await bucket.get(`k${i}`)).kind, "value");
  });
  // Two of five nodes own no copy of a key.
  assert.ok(world.forwarded > 20 && world.forwarded < 60, String(world.forwarded));
});

test("buckets of another n have other owners, and are asked of those", async () => {
  const world = await ClientWorld.of(5);
  await world.inside("n1", (node) => node.setBucket("few", { n: 1, r: 1, w: 1 }));
  await world.agreed();
  const client = await world.client();
  await client.act(async (db) => {
    const bucket = db.bucket("few");
    for (let i = 0; i < 30; i++) await bucket.put(`k${i}`, bytes("v"));
    for (let i = 0; i < 30; i++) assert.equal((await bucket.get(`k${i}`)).kind, "value");
  });
  assert.equal(world.forwarded, 0);
});

test("a node that has gone costs a request one refused connection, and no error", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client();
  const key = world.keyOf("n2");
  await client.act((db) => db.bucket("carts").put(key, bytes("before")));
  world.kill("n2");
  await client.act(async (db) => {
    const bucket = db.bucket("carts");
    const found = await bucket.get(key);
    assert.equal(found.kind, "value");
    await bucket.put(key, bytes("after"), { context: found.context });
    const again = await bucket.get(key);
    assert.equal(again.kind === "value" ? text(again.value) : again.kind, "after");
  });
});

test("a ring that changes under load is followed, without an error, and then without a detour", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client({}, ["n1:7400", "n2:7400"]);
  let isOver = false;
  const troubles: unknown[] = [];
  const load = client.begin(async (db) => {
    const bucket = db.bucket("carts");
    for (let i = 0; !isOver; i++) {
      const key = `k${i % 40}`;
      try {
        const { context } = await bucket.get(key);
        await bucket.put(key, bytes(`v${i}`), { context });
      } catch (error) {
        troubles.push(String(error));
      }
    }
  });
  await world.up("n4", { join: ["n1"] });
  await world.up("n5", { join: ["n1"] });
  await world.agreed();
  await world.inside("n2", (node) => node.leave("n1"));
  await world.simulation.runUntil(() => world.ended.has("n1"), 120_000);
  world.kill("n1");
  await world.agreed();
  // Ten seconds, and the jitter of those.
  await world.simulation.run(15_000);
  const before = world.forwarded;
  await world.simulation.run(2000);
  isOver = true;
  await world.simulation.settle(load, 60_000, "the load ends");
  assert.deepEqual(troubles, []);
  assert.equal(world.forwarded, before);
});

test("members that have moved are found where they are", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client();
  const key = world.keyOf("n2");
  await client.act((db) => db.bucket("carts").put(key, bytes("v")));
  world.kill("n2");
  await world.up("n2", { host: "elsewhere" });
  await world.agreed();
  // Ten seconds, and the jitter of those; and a first request, which finds that its connection is no more.
  await world.simulation.run(15_000);
  await client.act((db) => db.bucket("carts").get(key));
  await world.simulation.run(1000);
  const before = world.forwarded;
  await client.act(async (db) => {
    for (let i = 0; i < 20; i++) assert.equal((await db.bucket("carts").get(key)).kind, "value");
  });
  assert.equal(world.forwarded, before);
  const gets = metric(world, "n2", "get");
  assert.ok(gets > 0, "n2 was asked nothing where it is now");
});

test("a node that was away is asked again once it is back", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client();
  const key = world.keyOf("n2");
  const gets = (): Promise<unknown> =>
    client.act(async (db) => {
      for (let i = 0; i < 20; i++) await db.bucket("carts").get(key);
    });
  await gets();
  world.kill("n2");
  await gets();
  await world.up("n2");
  await world.agreed();
  await gets();
  await world.simulation.run(1000);
  const before = metric(world, "n2", "get");
  await gets();
  const asked = metric(world, "n2", "get") - before;
  assert.ok(asked >= 10, `${asked} of 20 reads went to it`);
});

test("an owner that takes much longer than the next one is asked less", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client({ hedgeAfterMs: false });
  const key = world.keyOf("n2");
  await client.act((db) => db.bucket("carts").put(key, bytes("v")));
  const { process } = world.machine("n2");
  // It collects garbage for a while, again and again.
  let isOver = false;
  const stutter = (): void => {
    if (isOver) return;
    process?.pause();
    world.simulation.schedule(60, undefined, () => {
      process?.resume();
      world.simulation.schedule(5, undefined, stutter);
    });
  };
  stutter();
  await client.act(async (db) => {
    for (let i = 0; i < 100; i++) await db.bucket("carts").get(key, { r: 1 });
  });
  isOver = true;
  const slow = metric(world, "n2", "get");
  assert.ok(slow < 50, `${slow} of 100 reads went to the slow owner`);
});

function metric(world: ClientWorld, name: string, operation: string): number {
  const samples = world.nodes.get(name)?.metrics() ?? [];
  const of = samples.filter(
    (sample) => sample.name === "cartwheel_requests_total" && sample.labels.operation === operation,
  );
  return of.reduce((sum, { value }) => sum + value, 0);
}

test("a write whose coordinator dies with it is of unknown fate; a read is asked elsewhere", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client({ hedgeAfterMs: false });
  const key = world.keyOf("n2");
  await client.act((db) => db.bucket("carts").put(key, bytes("before")));
  const write = client.begin((db) => db.bucket("carts").put(key, bytes("lost"))).catch((error: unknown) => error);
  const read = client.begin((db) => db.bucket("carts").get(key));
  await world.simulation.run(0.3);
  world.kill("n2");
  const error = (await world.simulation.settle(write, 10_000, "the write")) as { code: string; outcome: string };
  assert.equal(error.code, "lost");
  assert.equal(error.outcome, "unknown");
  assert.notEqual((await world.simulation.settle(read, 10_000, "the read")).kind, "nothing");
});

test("a write that was sent waits for a coordinator that is silent for a while; one that was not goes to another", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client();
  const key = world.keyOf("n2");
  // Both at once, and the first to this node: what is asked of it before it is connected counts, too.
  const sent = client.begin((db) => db.bucket("carts").put(key, bytes("sent")));
  await world.simulation.run(3);
  const { process } = world.machine("n2");
  process?.pause();
  await world.simulation.run(1500);
  const other = await client.act((db) => db.bucket("carts").put(key, bytes("other")));
  process?.resume();
  assert.equal(other.siblings !== undefined, true);
  assert.ok((await world.simulation.settle(sent, 5000, "the write")).context);
});

test("a write of unknown fate is sent again where its caller says so, and is seen once", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client();
  const key = world.keyOf("n2");
  await client.act((db) => db.bucket("carts").put(key, bytes("before")));
  const before = await client.act((db) => db.bucket("carts").get(key));
  const write = client.begin((db) =>
    db.bucket("carts").put(key, bytes("again"), { ifUnknown: "retry", context: before.context }),
  );
  await world.simulation.run(1.2);
  world.kill("n2");
  await world.simulation.settle(write, 10_000, "the write");
  const found = await client.act((db) => db.bucket("carts").get(key));
  assert.equal(found.kind === "value" ? text(found.value) : found.kind, "again");
});

test("a read whose coordinator is silent is answered by another", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client({ hedgeAfterMs: 50 });
  const key = world.keyOf("n2");
  await client.act((db) => db.bucket("carts").put(key, bytes("v")));
  world.machine("n2").process?.pause();
  const before = world.simulation.now;
  assert.equal((await client.act((db) => db.bucket("carts").get(key))).kind, "value");
  assert.ok(world.simulation.now - before < 200, `it took ${world.simulation.now - before} ms`);
});

test("no more than a tenth of reads are asked twice", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client({ hedgeAfterMs: 10 });
  const gets = (): number =>
    [...world.nodes.values()]
      .flatMap((node) => node.metrics())
      .reduce((sum, { name, labels, value }) => {
        return name === "cartwheel_requests_total" && labels.operation === "get" ? sum + value : sum;
      }, 0);
  world.network.traits = { ...world.network.traits, leastDelayMs: 40, mostDelayMs: 45 };
  const before = gets();
  await client.act(async (db) => {
    for (let i = 0; i < 10; i++) await db.bucket("carts").getMany(Array.from({ length: 20 }, (_, j) => `k${j}`));
  });
  const asked = gets() - before;
  assert.ok(asked > 200 && asked <= 200 + 20 + 10, `${asked} gets for 200 reads`);
});

test("a request is over at its deadline, whatever its coordinator does", async () => {
  const world = await ClientWorld.of(1);
  const client = await world.client();
  await client.act((db) => db.bucket("carts").put("k", bytes("v")));
  world.machine("n1").process?.pause();
  const before = world.simulation.now;
  const error = await client.failure((db) => db.bucket("carts").put("k", bytes("w"), { timeoutMs: 300 }));
  assert.deepEqual([error.code, error.outcome], ["timeout", "unknown"]);
  const read = await client.failure((db) => db.bucket("carts").get("k", { timeoutMs: 300 }));
  assert.equal(read.outcome, undefined);
  assert.ok(world.simulation.now - before < 1000, `both took ${world.simulation.now - before} ms`);
});

test("a request that is given up ends at once; a write that left may happen", async () => {
  const world = await ClientWorld.of(1);
  const client = await world.client();
  await client.act((db) => db.bucket("carts").get("k"));
  const reason = new Error("no more patience");
  const controller = new AbortController();
  const { signal } = controller;
  const write = client
    .begin((db) => db.bucket("carts").put("k", bytes("v"), { signal }))
    .catch((error: unknown) => error);
  const read = client.begin((db) => db.bucket("carts").get("k", { signal })).catch((error: unknown) => error);
  await world.simulation.run(0.1);
  controller.abort(reason);
  for (const [request, outcome] of [
    [write, "unknown"],
    [read, undefined],
  ] as const) {
    const error = (await request) as Error & { code: string; outcome?: string };
    assert.deepEqual([error.name, error.code, error.outcome, error.cause], ["AbortError", "aborted", outcome, reason]);
  }
  const never = await client.failure((db) => db.bucket("carts").put("k", bytes("v"), { signal }));
  assert.deepEqual([(never as { code?: string }).code, never.outcome], ["aborted", undefined]);
});

test("requests beyond those in flight wait for their turn, and beyond those that wait they are refused", async () => {
  const world = await ClientWorld.of(1);
  const client = await world.client({ inFlight: 4, waiting: 6 });
  const outcomes = await client.act((db) =>
    Promise.allSettled(Array.from({ length: 15 }, (_, i) => db.bucket("carts").put(`k${i}`, bytes("v")))),
  );
  const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  assert.equal(refused.length, 5);
  for (const { code, outcome } of refused) assert.deepEqual([code, outcome], ["overloaded", undefined]);
  assert.equal((await client.act((db) => db.bucket("carts").get("k9"))).kind, "value");
});

test("a request that waits is over at its own deadline, and has certainly not happened", async () => {
  const world = await ClientWorld.of(1);
  const client = await world.client({ inFlight: 1 });
  await client.act((db) => db.bucket("carts").get("k"));
  world.machine("n1").process?.pause();
  const first = client.begin((db) => db.bucket("carts").put("a", bytes("v"), { timeoutMs: 1500 })).catch(() => {});
  const before = world.simulation.now;
  const error = await client.failure((db) => db.bucket("carts").put("b", bytes("v"), { timeoutMs: 200 }));
  assert.deepEqual([error.code, error.outcome], ["timeout", undefined]);
  assert.ok(world.simulation.now - before < 300);
  await world.simulation.settle(first, 5000, "the first");
});

test("a slow node is sent no more than fits in flight", async () => {
  const world = await ClientWorld.of(1);
  const client = await world.client({ inFlight: 8 });
  await client.act((db) => db.bucket("carts").get("k"));
  world.machine("n1").process?.pause();
  const big = new Uint8Array(100_000);
  const all = client.begin((db) =>
    Promise.allSettled(Array.from({ length: 200 }, (_, i) => db.bucket("carts").put(`k${i}`, big, { timeoutMs: 500 }))),
  );
  await world.simulation.run(400);
  const held = world.network.largestQueue(client.process);
  assert.ok(held <= 9 * 100_000, `${held} bytes wait to leave`);
  await world.simulation.settle(all, 10_000, "all are over");
});

test("a value over the limit, and a key that is none, are refused before anything is sent", async () => {
  const world = await ClientWorld.of(1, 1, { limits: { valueBytes: 1000 } });
  const client = await world.client();
  const large = await client.failure((db) => db.bucket("carts").put("k", new Uint8Array(1001)));
  assert.match(large.message, /value is 1001 bytes, the limit is 1000/);
  for (const key of ["", "k".repeat(1025), "\ud800"]) {
    assert.equal((await client.failure((db) => db.bucket("carts").get(key))).code, "bad-request");
  }
  for (const r of [0, 1.5, -1, 17, "most"] as const) {
    assert.equal((await client.failure((db) => db.bucket("carts").get("k", { r: r as number }))).code, "bad-request");
  }
  assert.equal(
    (await client.failure((db) => db.bucket("carts").put("k", bytes("v"), { context: "?" }))).code,
    "bad-context",
  );
  assert.equal((await client.act((db) => db.bucket("carts").put("k", new Uint8Array(1000)))).siblings, 1);
});

test("a closed client finishes what is under way and takes nothing more", async () => {
  const world = await ClientWorld.of(3);
  const client = await world.client();
  const write = client.begin((db) => db.bucket("carts").put("k", bytes("v")));
  await client.act((db) => db.close());
  assert.equal((await write).siblings, 1);
  const error = await client.failure((db) => db.bucket("carts").get("k"));
  assert.equal(error.code, "closed");
});

test("whoever cannot be reached is said to be, and nothing else is", async () => {
  const world = await ClientWorld.of(1);
  await assert.rejects(world.client({ connectTimeoutMs: 300 }, ["nowhere:7400"]), /nowhere:7400: cannot be reached/);
  const client = await world.client();
  world.kill("n1");
  const error = await client.failure((db) => db.bucket("carts").put("k", bytes("v"), { timeoutMs: 500 }));
  assert.deepEqual([error.code, error.outcome], ["unreachable", undefined]);
});

test("a client of one cluster is no other cluster's", async () => {
  const world = await ClientWorld.of(1);
  const client = await world.client();
  world.kill("n1");
  world.wipe("n1");
  await world.up("n1");
  const error = await client.failure((db) => db.bucket("carts").get("k", { timeoutMs: 500 }));
  assert.equal(error.code, "unreachable");
});
