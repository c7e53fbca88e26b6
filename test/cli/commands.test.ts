/** The commands, run as a user runs them, against a real node. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hintsText } from "../../src/cli/hints-command.ts";
import { type RunningNode, startNode } from "../../src/host/start-node.ts";
import { type Ran, runCartwheel } from "./run-cartwheel.ts";

let node: RunningNode;
before(async () => {
  node = await startNode({ name: "n1", zone: "z1", storage: "memory", listen: "127.0.0.1:0", http: "127.0.0.1:0" });
});
after(() => node.stop());

const run = (words: readonly string[], input?: string): Promise<Ran> =>
  runCartwheel(words, { environment: { CARTWHEEL_URL: `http://${node.http}` }, ...(input !== undefined && { input }) });

test("a value goes in and comes out, from a word, stdin and a file", async () => {
  assert.deepEqual(await run(["put", "b", "k", "from a word"]), { status: 0, out: "stored k in b\n", err: "" });
  assert.deepEqual(await run(["get", "b", "k"]), { status: 0, out: "from a word", err: "" });
  assert.equal((await run(["put", "b", "k", "-"], "from stdin")).status, 0);
  assert.equal((await run(["get", "b", "k"])).out, "from stdin");
  assert.equal((await run(["put", "b", "k", "--file", "LICENSE"])).status, 0);
  assert.match((await run(["get", "b", "k"])).out, /Apache License/);
  assert.equal((await run(["put", "b", "a/b ?#%é", "odd key"])).status, 0);
  assert.equal((await run(["get", "b", "a/b ?#%é"])).out, "odd key");
  assert.equal((await run(["put", "..", ".", "--", "-dotted"])).status, 0);
  assert.equal((await run(["get", "..", "."])).out, "-dotted");
});

test("get tells nothing, one and siblings apart by its status", async () => {
  const missing = await run(["get", "b", "never"]);
  assert.equal(missing.status, 3);
  assert.match(missing.err, /never/);
  const first = JSON.parse((await run(["put", "b", "two", "1", "--json"])).out) as { context: string };
  await run(["put", "b", "two", "2", "--context", first.context]);
  const second = await run(["put", "b", "two", "3", "--context", first.context]);
  assert.match(second.out, /2 siblings/);
  const siblings = await run(["get", "b", "two"]);
  assert.equal(siblings.status, 4);
  assert.match(
    siblings.out,
    /--- 1 of 2[\s\S]*\n2\n[\s\S]*--- context \S+\n$|--- 1 of 2[\s\S]*\n3\n[\s\S]*--- context \S+\n$/,
  );
  const inJson = JSON.parse((await run(["get", "b", "two", "--json"])).out) as { siblings: { value: string }[] };
  assert.deepEqual(inJson.siblings.map(({ value }) => atob(value)).sort(), ["2", "3"]);

  // Without a context both commands read first, and so replace all that is there.
  assert.equal((await run(["put", "b", "two", "4"])).out, "stored two in b\n");
  assert.equal((await run(["get", "b", "two"])).out, "4");
  assert.equal((await run(["delete", "b", "two"])).status, 0);
  assert.equal((await run(["get", "b", "two"])).status, 3);
});

test("status, members and ring show the cluster, for people and for programs", async () => {
  const status = await run(["status"]);
  assert.match(status.out, /^quorum +n 1, r 1, w 1$/m);
  assert.match(status.out, /^n1 +up +z1 +1 +256 /m);
  assert.match((await run(["members"])).out, /^n1 +up/m);
  assert.match((await run(["ring"])).out, /^ *255 +n1 +n1$/m);
  const view = JSON.parse((await run(["status", "--json"])).out) as { name: string };
  assert.equal(view.name, "n1");
  assert.equal((JSON.parse((await run(["ring", "--json"])).out) as { partitions: unknown[] }).partitions.length, 256);
});

test("hints are told by whom they wait for, and none is told, too", async () => {
  assert.equal((await run(["hints"])).out, "no hints: nothing waits here for another member\n");
  assert.deepEqual(JSON.parse((await run(["hints", "--json"])).out), { areCounted: true, waiting: [] });
  const some = { owner: "n2", status: "down", hints: 12, bytes: 3 * 1024 * 1024, oldestMs: 61_000 } as const;
  const gone = { owner: "0123456789abcdef", status: "departed", hints: 1, bytes: 90, oldestMs: 7_300_000 } as const;
  assert.equal(
    hintsText({ areCounted: false, waiting: [some, gone] }),
    [
      "WAITS FOR         STATUS    KEYS     SIZE  OLDEST",
      "n2                down        12  3.0 MiB    61 s",
      "0123456789abcdef  departed     1     90 B     2 h",
      "the node is still counting: there may be more",
      "",
    ].join("\n"),
  );
});

test("a node's refusal is one line, and so is a node that is not there", async () => {
  const refused = await run(["put", "b", "k", "v", "--context", "nonsense"]);
  assert.equal(refused.status, 1);
  assert.match(refused.err, /^cartwheel: bad-context: [^\n]+\n$/);
  const nowhere = await run(["get", "b", "k", "--url", "http://127.0.0.1:1"]);
  assert.equal(nowhere.status, 1);
  assert.match(nowhere.err, /^cartwheel: cannot reach http:\/\/127\.0\.0\.1:1: [^\n]+\n$/);
});

const anyPorts = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];

test("a wrong command line is one line that says what is allowed, and exit status 2", async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /no command is given.*demo, start/],
    [["frobnicate"], /frobnicate.*demo, start/],
    [["get"], /bucket/],
    [["get", "b"], /key/],
    [["get", "b", "k", "extra"], /too many/],
    [["get", "b", "k", "--w", "1"], /unknown option '--w'.*--r, --zones, --url, --json/],
    [["get", "b", "k", "--r"], /--r/],
    [["get", "b", "k", "--r", "0"], /--r is "0", and must be a whole number from 1/],
    [["put", "b", "k"], /VALUE/],
    [["put", "b", "k", "v", "--file", "LICENSE"], /one value/],
    [["get", "b", "k", "--url", "nowhere"], /--url is "nowhere", and must be http/],
    [["start"], /--name/],
    [["start", "--name", "n1"], /--data/],
    [["start", "--name", "n 1", "--data", "x"], /--name is "n 1"/],
    [["start", "--name", "n1", "--data", "x", "--storage", "level"], /one of lmdb, log, memory/],
    [["start", "--name", "n1", "--storage", "memory", "--listen", "0.0.0.0:0"], /--insecure/],
    [["start", "--name", "n1", "--storage", "memory", "--http", "10.1.1.1:0"], /--insecure/],
    [["start", "--name", "n1", "--storage", "memory", "--config", "missing.json"], /config file/],
    [["start", "--name", "n1", "--storage", "memory", ...anyPorts, "--w", "4"], /w is 4 and n is 3/],
    [["start", "--name", "n1", "--storage", "memory", ...anyPorts, "--n", "1", "--r", "2"], /r is 2 and n is 1/],
    [["demo", "--nodes", "0"], /--nodes is "0"/],
    [["leave"], /name/],
    [["capacity", "n1", "0"], /WEIGHT is "0", and must be a whole number from 1 to 100/],
    [["zone", "n1", "a b"], /ZONE is "a b"/],
    [["bench", "--workload", "g"], /--workload is "g", and must be one of get, put, a, /],
    [["bench", "--rate", "0%"], /--rate is "0%"/],
    [["bench", "--rate", "50%", "--warm-up", "0"], /--warm-up is 0/],
    [["bench", "--target", "bare", "--nodes", "4"], /--nodes is for nodes that the benchmark starts/],
    [["bench", "--compare", "bare", "--rate", "100"], /--compare has no use for --rate/],
  ];
  const ran = await Promise.all(wrong.map(([words]) => run(words)));
  for (const [i, [words, said]] of wrong.entries()) {
    const { status, out, err } = ran[i] as Ran;
    assert.equal(status, 2, `${words.join(" ")}: ${err}`);
    assert.equal(out, "");
    assert.match(err, /^cartwheel: [^\n]+\n$/, words.join(" "));
    assert.match(err, said, words.join(" "));
  }
});

test("a flag beats the environment, which beats the file that the environment names", async () => {
  const directory = mkdtempSync(join(tmpdir(), "cartwheel-config-"));
  const config = join(directory, "cartwheel.json");
  writeFileSync(config, '{"url": "http://127.0.0.1:1"}');
  const good = `http://${node.http}`;
  const status = async (words: readonly string[], environment: Record<string, string>): Promise<number | null> =>
    (await runCartwheel(["members", ...words], { environment: { CARTWHEEL_CONFIG: config, ...environment } })).status;
  assert.equal(await status([], {}), 1);
  assert.equal(await status([], { CARTWHEEL_URL: good }), 0);
  assert.equal(await status(["--url", "http://127.0.0.1:1"], { CARTWHEEL_URL: good }), 1);
  assert.equal(await status(["--url", good], { CARTWHEEL_URL: "http://127.0.0.1:1" }), 0);
  rmSync(directory, { recursive: true });
});

test("help and version are no errors", async () => {
  const help = await run(["--help"]);
  assert.equal(help.status, 0);
  assert.match(help.out, /demo[\s\S]*start[\s\S]*get[\s\S]*ring/);
  const startHelp = await run(["start", "--help"]);
  assert.equal(startHelp.status, 0);
  assert.match(startHelp.out, /--listen <HOST:PORT> +peers and native clients\s+\(default 127\.0\.0\.1:7400\)/);
  // What is one option to all of them is not the same to each.
  const lines = async (command: string): Promise<string> => (await run([command, "--help"])).out.replace(/\s+/g, " ");
  assert.match(await lines("demo"), /--zones <COUNT> how many zones to spread them over \(default 3\)/);
  assert.match(await lines("get"), /--r <R> answers a read waits for \(default the bucket's\)/);
  assert.match(await lines("bench"), /--nodes <COUNT> nodes of its own to start \(default 3\)/);
  for (const { out } of [help, startHelp]) assert.match(out, /CARTWHEEL_DATA for --data/);
  const version = await run(["--version"]);
  assert.equal(version.status, 0);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
});

test("plan says who would gain and lose how much, and changes nothing", async () => {
  const joined = await run(["plan", "join", "n2", "--zone", "z2", "--capacity", "2"]);
  assert.equal(joined.status, 0, joined.err);
  assert.match(joined.out, /^n2 +z2 +2 +0 +256 +\+256$/m);
  assert.match(
    joined.out,
    /256 copies of partitions would move, the fewest .*\neach partition has 1, then 2 copies, in at least 1, then 2 zones$/m,
  );
  const zone = JSON.parse((await run(["plan", "zone", "n1", "z3", "--json"])).out) as { moves: number };
  assert.equal(zone.moves, 0);
  assert.match((await run(["plan", "capacity", "n1", "4"])).out, /^0 copies/m);
  const last = await run(["plan", "remove", "n1"]);
  assert.equal(last.status, 1);
  assert.match(last.err, /last member/);
  assert.match((await run(["plan", "leave", "n9"])).err, /no-such-member: there is no member n9/);
  const weight = await run(["plan", "capacity", "n1", "0"]);
  assert.equal(weight.status, 2);
  assert.match(weight.err, /WEIGHT is "0", and must be a whole number from 1 to 100/);
  for (const words of [
    ["plan", "grow", "n1"],
    ["plan", "leave", "n1", "2"],
    ["plan", "zone", "n1"],
  ]) {
    const refused = await run(words);
    assert.equal(refused.status, 2, words.join(" "));
    assert.match(refused.err, /it takes join NAME/);
  }
  assert.match((await run(["members"])).out, /^n1 +up +z1 +1 +256/m);
});
