/** The description and the code have the same routes; what the routes of the cluster say is what it describes. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { defaultLimits } from "../../src/core/limits.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import { bucketRoutes } from "../../src/http/bucket-routes.ts";
import { clusterRoutes } from "../../src/http/cluster-routes.ts";
import { kvRoutes } from "../../src/http/kv-routes.ts";
import { shownEvents } from "../../src/http/member-routes.ts";
import { HttpMetrics } from "../../src/http/metrics.ts";
import { startHttpServer } from "../../src/http/server.ts";
import { serviceRoutes } from "../../src/http/service-routes.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { joins, nodeId } from "../core/membership-arbitraries.ts";
import { ServedNode } from "./served-node.ts";

let served: ServedNode;
before(async () => {
  served = await ServedNode.start({ name: "n<1>".replace(/[<>]/g, "-"), zone: "z1" });
});
after(() => served.node.stop());

test("every route is described and every described route answers", async () => {
  const others = [...kvRoutes(defaultLimits), ...clusterRoutes(), ...bucketRoutes()];
  const service = serviceRoutes({ node: () => undefined, metrics: new HttpMetrics(), software: "0", others });
  const coded = [...others, ...service].map((route) => `${route.method} ${route.path}`);
  const { paths } = await served.description();
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(described.filter((line) => !line.startsWith("HEAD ")).sort(), coded.sort());
  for (const line of described) {
    const [method = "", path = ""] = line.split(" ");
    const asked = path.replace("{bucket}", "b").replace("{key}", "k").replace("{name}", "n-1-");
    const told = await served.ask(asked, { method });
    assert.ok(![404, 405].includes(told.status) || path.startsWith("/kv/"), `${line}: ${told.status}`);
  }
});

test("operation ids are unique and every reference leads somewhere", async () => {
  const document = await served.description();
  const ids = Object.values(document.paths).flatMap((operations) =>
    Object.values(operations).map((operation) => (operation as unknown as { operationId: string }).operationId),
  );
  assert.equal(new Set(ids).size, ids.length);
  for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    assert.ok(name !== undefined && name in (document.components as { schemas: object }).schemas, name);
  }
});

test("the cluster of one is ready and says so", async () => {
  const view = (await served.ask("/cluster")).json();
  assert.equal(view["name"], "n-1-");
  const members = view["members"] as { id: string; status: string }[];
  assert.deepEqual(
    members.map(({ status }) => status),
    ["up"],
  );
  assert.match(members[0]?.id ?? "", /^[0-9a-f]{16}$/);
  assert.deepEqual(view["quorum"], { n: 1, r: 1, w: 1 });
  const ring = (await served.ask("/cluster/ring")).json() as { partitions: { id: number; owner: string }[] };
  assert.equal(ring.partitions.length, view["partitions"]);
  assert.ok(ring.partitions.every(({ id, owner }, i) => id === i && owner === "n-1-"));
  const place = (await served.ask("/cluster/locate/b/a%2Fb")).json();
  assert.equal(place["key"], "a/b");
  assert.deepEqual(place["preferenceList"], [{ name: "n-1-", role: "owner", isUp: true }]);
  assert.equal((await served.ask("/readyz")).status, 200);
  assert.equal((await served.ask("/healthz?probe=1")).status, 200);
});

test("a bucket changes what is named and nothing else", async () => {
  const before = (await served.ask("/buckets/shop")).json();
  assert.deepEqual(before, {
    bucket: "shop",
    n: before["n"],
    r: before["r"],
    w: before["w"],
    pr: 0,
    pw: 0,
    dw: before["w"],
    durability: "synced",
    reconcile: "siblings",
  });
  const set = await served.ask("/buckets/shop", { method: "PUT", body: '{"reconcile":"last-write-wins","r":"all"}' });
  assert.equal(set.status, 200);
  assert.deepEqual(set.json(), { ...before, reconcile: "last-write-wins", r: "all" });
  assert.deepEqual((await served.ask("/buckets/shop")).json(), set.json());
  assert.deepEqual((await served.ask("/buckets")).json(), { buckets: [set.json()] });
  const buffered = await served.ask("/buckets/shop", { method: "PUT", body: '{"durability":"buffered"}' });
  assert.equal(buffered.json()["dw"], 0);
});

test("metrics are in the text format, and count requests by route", async () => {
  await served.ask("/kv/m/k");
  const text = (await served.ask("/metrics")).body.toString();
  assert.match(
    text,
    /^cartwheel_http_request_duration_seconds_count\{method="GET",route="\/kv\/\{bucket\}\/\{key\}",status="404"\} \d+$/m,
  );
  const used = Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1]);
  const { user, system } = process.cpuUsage();
  const byNow = (user + system) / 1e6;
  // Somewhat more than the process itself was told: the two are rounded apart.
  const isAll = used > byNow / 2 && used < byNow * 1.1;
  assert.ok(isAll, `${used} of ${byNow}: all since the process began, not since a scrape`);
  assert.match(text, /^cartwheel_requests_total\{operation="get"\} \d+$/m);
  const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  assert.equal(new Set(names).size, names.length, "no metric twice");
});

test("no scrape tells of a delay that was not measured, neither the first nor one right after another", async () => {
  const script = `
    import { HttpMetrics } from "./dist/src/http/metrics.js";
    const metrics = new HttpMetrics();
    for (let i = 0; i < 2; i++) process.stdout.write(await metrics.text([]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  const samples = [...stdout.matchAll(/^([^#\s]\S*) (\S+)$/gm)].map(([, name, value]) => ({
    name,
    value: Number(value),
  }));
  assert.ok(samples.length > 20);
  assert.deepEqual(
    samples.filter(
      ({ name, value }) => !Number.isFinite(value) || (name?.startsWith("nodejs_eventloop") && value > 60),
    ),
    [],
  );
});

test("the page shows the members and escapes what operators typed", async () => {
  const page = (await served.ask("/")).body.toString();
  assert.match(page, /<td>n-1-<\/td>/);
  assert.doesNotMatch(page, /<script/);
});

test("before there is a node, only life is told", async () => {
  const limits = defaultLimits;
  const http = await startHttpServer({ listen: "127.0.0.1:0", limits, names: [], software: "0", log: silentLog });
  try {
    const status = async (path: string): Promise<number> => (await fetch(`http://${http.address}${path}`)).status;
    assert.equal(await status("/healthz"), 200);
    assert.equal(await status("/readyz"), 503);
    assert.equal(await status("/metrics"), 200);
    assert.equal(await status("/"), 200);
    const told = await fetch(`http://${http.address}/kv/b/k`);
    assert.equal(told.status, 503);
    assert.equal(told.headers.get("retry-after"), "1");
    assert.equal(((await told.json()) as { type: string }).type, "not-ready");
  } finally {
    await http.close(1000);
  }
});

test("a plan is shown before anything is done, and nonsense is refused", async () => {
  const plan = (await served.ask("/cluster/plan?change=join&name=n2&zone=z2&capacity=3")).json();
  const partitions = (await served.ask("/cluster")).json()["partitions"] as number;
  assert.equal(plan["moves"], partitions);
  assert.deepEqual(plan["copies"], { before: 1, after: 2 });
  assert.deepEqual(plan["zones"], { before: 1, after: 2 });
  assert.equal(((await served.ask("/cluster")).json()["members"] as unknown[]).length, 1);
  const last = await served.ask("/cluster/plan?change=leave&name=n-1-");
  assert.equal(last.status, 409);
  assert.match(String(last.json()["detail"]), /last member/);
  const nobody = await served.ask("/cluster/plan?change=leave&name=nobody");
  assert.deepEqual([nobody.status, nobody.json()["type"]], [404, "no-such-member"]);
  for (const query of [
    "",
    "change=grow&name=n2",
    "change=leave",
    "change=leave&name=n-1-&capacity=2",
    "change=leave&name=n-1-&zone=a",
    "change=capacity&name=n-1-",
    "change=capacity&name=n-1-&capacity=0",
    "change=capacity&name=n-1-&capacity=2&zone=a",
    "change=zone&name=n-1-",
    "change=zone&name=n-1-&zone=%20",
    "change=join&name=%2f",
    "change=join&name=n2&capacity=101",
    "change=join&name=n2&size=1",
  ]) {
    assert.equal((await served.ask(`/cluster/plan?${query}`)).status, 400, query);
  }
});

test("a change of membership that cannot be is refused with the reason, and one that is so already is accepted", async () => {
  const leave = await served.ask("/cluster/members/n-1-/leave?force=true", { method: "POST" });
  assert.deepEqual([leave.status, leave.json()["type"]], [409, "conflicting-change"]);
  assert.match(String(leave.json()["detail"]), /n-1- is the last member/);
  const unknown = await served.ask("/cluster/members/n2/leave", { method: "POST" });
  assert.deepEqual([unknown.status, unknown.json()["type"]], [404, "no-such-member"]);
  const removed = await served.ask("/cluster/members/n-1-?force=true", { method: "DELETE" });
  assert.match(String(removed.json()["detail"]), /is the last member/);
  const member = { path: "/cluster/members/n-1-", method: "PUT" };
  for (const [body, wrong] of [
    ['{"capacity":0}', /capacity is 0/],
    ['{"capacity":"2"}', /capacity is "2"/],
    ['{"zone":"a b"}', /zone is "a b"/],
    ['{"weight":1}', /unknown property "weight"/],
  ] as const) {
    const told = await served.ask(member.path, { method: "PUT", body });
    assert.equal(told.status, 400);
    assert.match(String(told.json()["detail"]), wrong);
  }
  const same = await served.ask(member.path, { method: "PUT", body: '{"capacity":1,"zone":"z1"}' });
  assert.deepEqual([same.status, same.json()], [202, { member: "n-1-", change: "change" }]);
});

test("the history says who did what when", async () => {
  await served.ask("/cluster/members/n-1-", { method: "PUT", body: '{"capacity":3,"zone":"z2"}' });
  const { events } = (await served.ask("/cluster/history")).json() as { events: Record<string, unknown>[] };
  const told = events.map(({ name: _, at, ...event }) => {
    assert.ok(Number.isFinite(Date.parse(String(at))));
    return event;
  });
  assert.deepEqual(told[0], { author: "n-1-", kind: "found", member: "n-1-", zone: "z1", capacity: 1 });
  assert.deepEqual(told.slice(-2), [
    { author: "n-1-", kind: "capacity", member: "n-1-", capacity: 3 },
    { author: "n-1-", kind: "zone", member: "n-1-", zone: "z2" },
  ]);
});

test("the history tells a member that has left from one that was removed", () => {
  const settings = { partitions: 8, n: 1, r: 1, w: 1 } as const;
  const place = { zone: "", capacity: 1 };
  const about = (kind: "leave" | "remove", node: number, author: number, lamport: number): HistoryEvent => {
    return { kind, lamport, author: nodeId(author), at: 0, node: nodeId(node), claim: 1 };
  };
  const changes = [
    about("leave", 1, 0, 10),
    about("remove", 1, 1, 11),
    about("leave", 2, 0, 12),
    about("remove", 2, 0, 13),
  ];
  const shown = shownEvents([...joins(settings, [place, place, place]), ...changes]) as {
    kind: string;
    member: string;
  }[];
  assert.deepEqual(
    shown.slice(3).map(({ kind, member }) => [kind, member]),
    [
      ["leave", "n1"],
      ["left", "n1"],
      ["leave", "n2"],
      ["remove", "n2"],
    ],
  );
});
