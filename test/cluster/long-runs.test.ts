/** The benchmarks that take long, as a user runs them, but short: that they run, and that they fail where they must. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const data = mkdtempSync(join(tmpdir(), "cartwheel-long-"));
const out = mkdtempSync(join(tmpdir(), "cartwheel-long-out-"));
after(() => {
  for (const directory of [data, out]) rmSync(directory, { recursive: true });
});

/** Runs the benchmark; answers with how it ended. Nothing may be left of its nodes. */
async function run(name: string, args: readonly string[]): Promise<{ readonly status: number; readonly told: string }> {
  const path = new URL(`../../bench/${name}.js`, import.meta.url).pathname;
  const ended = await new Promise<{ status: number; told: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [path, "--data", data, ...args],
      { timeout: 300_000 },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : (child.exitCode ?? -1);
        resolve({ status, told: `${stdout}\n${stderr}` });
      },
    );
  });
  assert.deepEqual(readdirSync(data), [], "nodes leave nothing behind");
  return ended;
}

test("many keys: a stopped and a killed node start again with all of them", async () => {
  const json = join(out, "many.json");
  const args = ["--keys", "3000", "--few", "300", "--seconds", "0.3", "--rounds", "1", "--json", json];
  const { told } = await run("million", args);
  assert.match(told, /starts in less than 10 s: (yes|NO)/, told);
  const { starts, turns } = (JSON.parse(readFileSync(json, "utf8")) as { data: Many }).data;
  assert.deepEqual(
    starts.map(({ how }) => how),
    ["stopped", "killed"],
  );
  for (const { readMs, memory } of starts) assert.ok(readMs > 0 && memory.rssBytes > 0);
  for (const { sides, serversRatio } of Object.values(turns)) {
    assert.ok(serversRatio > 0);
    for (const { errors } of sides) assert.equal(errors, 0);
  }
});

interface Many {
  readonly starts: readonly { how: string; readMs: number; memory: { rssBytes: number } }[];
  readonly turns: Readonly<Record<string, { sides: readonly { errors: number }[]; serversRatio: number }>>;
}

const soak = ["--minutes", "0.1", "--rate", "100", "--keys", "100", "--storage", "memory", "--out", out];

test("a soak without a leak ends well, and leaves its figures and a picture", async () => {
  // In seconds memory still grows: that is not what is tried here.
  const { status, told } = await run("soak", [...soak, "--within", "400"]);
  assert.equal(status, 0, told);
  assert.match(told, /no request failed: yes/);
  const picture = readFileSync(join(out, "soak.svg"), "utf8");
  assert.match(picture, /^<svg .*\n[\s\S]*<\/svg>\n$/);
  assert.ok(!/NaN|undefined|Infinity/.test(picture), "a number that is none");
  const { errors, whole } = (JSON.parse(readFileSync(join(out, "soak.json"), "utf8")) as { data: Soaked }).data;
  assert.deepEqual(errors, {});
  assert.ok(whole.count > 500);
});

interface Soaked {
  readonly errors: Readonly<Record<string, number>>;
  readonly whole: { readonly count: number };
}

test("a soak fails where a node leaks", async () => {
  const { status, told } = await run("soak", [...soak, "--within", "40", "--leak", "65536"]);
  assert.equal(status, 1, told);
  assert.match(told, /memory flat within 40 %: NO/);
});

test("work in the background: a join, hints and a repair are done under load, and no request fails", async () => {
  const json = join(out, "background.json");
  const args = ["--rate", "50", "--megabytes", "0.3", "--seconds", "1", "--away", "2", "--json", json];
  const { told } = await run("background", args);
  assert.match(told, /p99\.9 during: x/, told);
  const { phases, moved, ended } = (JSON.parse(readFileSync(json, "utf8")) as { data: Background }).data;
  assert.deepEqual(
    phases.filter(({ failures }) => failures > 0),
    [],
  );
  assert.ok((moved["hints delivered"] ?? 0) > 0 && (moved["bytes of copies and exchanges that came"] ?? 0) > 0, told);
  assert.deepEqual(Object.keys(ended).sort(), ["hints", "repair", "seats"]);
});

interface Background {
  readonly phases: readonly { readonly name: string; readonly failures: number }[];
  readonly moved: Readonly<Record<string, number>>;
  readonly ended: Readonly<Record<string, number>>;
}
