/** The paper's figures as a user has them drawn: briefly, to see that each runs and leaves what it should. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const main = new URL("../../bench/paper/main.js", import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), "cartwheel-paper-"));
after(() => rmSync(directory, { recursive: true }));

interface Told {
  readonly command: string;
  readonly machine: { readonly node: string; readonly cores: number };
  readonly data: unknown;
}

interface Latencies {
  readonly count: number;
  readonly mean: number;
  readonly p999: number;
}

/** Runs it, and answers with its data; its picture must be one. */
async function dataOf(figure: string, hasPicture = true): Promise<unknown> {
  const arguments_ = [
    main,
    figure,
    "--brief",
    "--storage",
    "memory",
    "--data",
    directory,
    "--out",
    join(directory, "out"),
  ];
  const { stdout } = await run(process.execPath, arguments_, { timeout: 300_000 });
  assert.deepEqual(readdirSync(directory), ["out"], "nodes leave nothing behind");
  assert.match(stdout, /JSON and pictures are in/);
  const told = JSON.parse(readFileSync(join(directory, "out", `${figure}.json`), "utf8")) as Told;
  assert.ok(told.command.includes(figure) && told.machine.cores > 0);
  if (hasPicture) {
    const picture = readFileSync(join(directory, "out", `${figure}.svg`), "utf8");
    assert.match(picture, /^<svg .*\n[\s\S]*<\/svg>\n$/);
    assert.ok(!/NaN|undefined|Infinity/.test(picture), `${figure}'s picture has a number that is none`);
  }
  return told.data;
}

function assertLatencies(...all: readonly Latencies[]): void {
  for (const { count, mean, p999 } of all)
    assert.ok(count > 0 && mean > 0 && p999 >= mean * 0.5, `${count} ${mean} ${p999}`);
}

test("Figure 4: a day of reads and writes, none of which fails", async () => {
  const { all, day, errors } = (await dataOf("figure-4")) as {
    all: { reads: Latencies; writes: Latencies };
    day: readonly { perSecond: number; reads: Latencies; writes: Latencies }[];
    errors: object;
  };
  assertLatencies(all.reads, all.writes);
  assert.deepEqual(errors, {});
  assert.equal(day.length, 48);
  assert.equal(
    day.reduce((sum, { reads, writes }) => sum + reads.count + writes.count, 0),
    all.reads.count + all.writes.count,
  );
});

test("Figure 5: synced and buffered writes, as many of each, and the disk's own sync", async () => {
  const { all, day, errors } = (await dataOf("figure-5")) as {
    all: { synced: Latencies; buffered: Latencies; diskSync: Latencies };
    day: readonly unknown[];
    errors: number;
  };
  assertLatencies(all.synced, all.buffered, all.diskSync);
  assert.equal(all.synced.count, all.buffered.count);
  assert.deepEqual([day.length, errors], [6, 0]);
});

test("Table 2: three ways, at one rate, without an error", async () => {
  const { table } = (await dataOf("table-2", false)) as {
    table: readonly { name: string; reads: Latencies; writes: Latencies; errors: number }[];
  };
  assert.deepEqual(
    table.map(({ name, errors }) => [name, errors]),
    [
      ["client-driven", 0],
      ["server-driven", 0],
      ["server-driven, HTTP", 0],
    ],
  );
  for (const { reads, writes } of table) assertLatencies(reads, writes);
  assert.equal(new Set(table.map(({ reads, writes }) => reads.count + writes.count)).size, 1);
});

test("§6.3: one writer sees one version, and more writers more", async () => {
  const { runs } = (await dataOf("versions")) as {
    runs: readonly { failure: string; reads: readonly number[]; writes: number }[];
  };
  assert.equal(runs.length, 12);
  const siblings = (i: number): number => (runs[i]?.reads ?? []).slice(2).reduce((sum, count) => sum + count, 0);
  assert.equal(siblings(0), 0);
  assert.ok(siblings(2) > siblings(0) && siblings(3) > siblings(2));
});

test("Figures 6 and 8 and the sizes of contexts are drawn", async () => {
  for (const figure of ["figure-6", "figure-8", "contexts"]) await dataOf(figure);
});

test("a figure that does not exist is refused, and those that do are named", async () => {
  await assert.rejects(run(process.execPath, [main, "figure-7"]), (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 2);
    assert.match(error.stderr, /no figure is called figure-7; there are figure-4, /);
    return true;
  });
});
