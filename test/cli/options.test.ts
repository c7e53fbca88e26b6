import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { isLoopback, parseAddress, parseAddressList } from "../../src/cli/address.ts";
import { environmentSource, fileSource } from "../../src/cli/option-sources.ts";
import { type OptionName, type OptionSource, options, readOptions } from "../../src/cli/options.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

const directory = mkdtempSync(join(tmpdir(), "cartwheel-options-"));
after(() => rmSync(directory, { recursive: true }));

const file = (content: string): string => {
  const path = join(directory, "cartwheel.json");
  writeFileSync(path, content);
  return path;
};
const flags = (texts: Partial<Record<OptionName, string>>): OptionSource => ({
  label: (name) => `--${name}`,
  text: (name) => texts[name],
});

test("the command line beats the environment, which beats the file", () => {
  const sources = [
    flags({ w: "1" }),
    environmentSource({ CARTWHEEL_W: "2", CARTWHEEL_R: "2" }),
    fileSource(file('{"w": 3, "r": 3, "n": 3}')),
  ];
  assert.deepEqual(readOptions(["w", "r", "n", "zone"], sources), { w: 1, r: 2, n: 3 });
});

test("an option is the same from everywhere, and refused in the same words", () => {
  const wrong = [
    [flags({ w: "0" }), "--w"],
    [environmentSource({ CARTWHEEL_W: "0" }), "CARTWHEEL_W"],
    [fileSource(file('{"w": 0}')), `w in ${join(directory, "cartwheel.json")}`],
  ] as const;
  for (const [source, label] of wrong) {
    const message = `${label} is "0", and must be a whole number from 1, or one of one, quorum, all`;
    assert.throws(() => readOptions(["w"], [source]), new UsageError(message));
  }
});

test("a file may have lists, numbers and switches, and nothing unknown", () => {
  const source = fileSource(file('{"join": ["a:1", "[::1]:2"], "insecure": true, "capacity": 3, "name": "n1"}'));
  const read = readOptions(["join", "insecure", "capacity", "name"], [source]);
  assert.deepEqual(read, { join: ["a:1", "[::1]:2"], insecure: true, capacity: 3, name: "n1" });
  const bad = ["{", "[]", "1", '{"nane": "x"}', '{"name": {}}', '{"join": [1]}', '{"w": null}', '{"toString": 1}'];
  for (const content of bad) assert.throws(() => fileSource(file(content)), UsageError, content);
  assert.throws(() => fileSource(join(directory, "missing.json")), UsageError);
});

test("an empty variable is as good as none", () => {
  assert.deepEqual(readOptions(["w"], [environmentSource({ CARTWHEEL_W: "" })]), {});
});

test("each option takes what it should and nothing else", () => {
  const table: Partial<Record<OptionName, readonly (readonly string[])[]>> = {
    name: [
      ["n1", "A.b_c-9", "x".repeat(64)],
      ["", "-n", "a b", "x".repeat(65), "é", "a/b"],
    ],
    listen: [
      ["127.0.0.1:0", "[::1]:7400", "node-1.example:65535"],
      ["7400", "a", "a:", ":1", "::1:5", "a:65536", "a b:1"],
    ],
    join: [
      ["a:1", "a:1, b:2"],
      ["", "a", "a:0", "a:1,", ",a:1"],
    ],
    capacity: [
      ["1", "100"],
      ["0", "101", "1.5", "-1", ""],
    ],
    storage: [
      ["lmdb", "log", "memory"],
      ["level", "LMDB", ""],
    ],
    partitions: [
      ["1", "256", "65536"],
      ["0", "3", "255", "131072"],
    ],
    n: [
      ["1", "16"],
      ["0", "17", "quorum"],
    ],
    r: [
      ["1", "quorum", "one", "all"],
      ["0", "some", "-1", "1e1", "1.0"],
    ],
    log: [
      ["debug", "silent"],
      ["trace", "INFO", ""],
    ],
    url: [
      ["http://localhost:7480", "http://[::1]:1/"],
      ["localhost:7480", "https://a", "ftp://a", "", "http://", "http://a/cluster", "http://a/?b", "http://me@a"],
    ],
    nodes: [
      ["1", "6"],
      ["0", "33", "x"],
    ],
    insecure: [
      ["true", "false", "1", "0"],
      ["yes", "TRUE"],
    ],
  };
  for (const [name, [good = [], bad = []]] of Object.entries(table)) {
    const { parse } = options[name as OptionName];
    for (const text of good) assert.notEqual(parse(text), undefined, `${name} "${text}"`);
    for (const text of bad) assert.equal(parse(text), undefined, `${name} "${text}"`);
  }
});

test("no text makes an option's parser throw", () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(...Object.values(options)), (text, { parse }) => {
      parse(text);
    }),
  );
});

test("loopback is what only this machine reaches", () => {
  for (const address of ["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"])
    assert.ok(isLoopback(address), address);
  for (const address of ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.0.0.1.evil:1", "nonsense"]) {
    assert.ok(!isLoopback(address), address);
  }
  assert.deepEqual(parseAddress("[::1]:80"), { host: "::1", port: 80 });
  assert.equal(parseAddressList("a:1,b"), undefined);
});
