import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuOf, type Measured } from "../../src/bench/measure.ts";
import { usageOfProc } from "../../src/bench/other-servers.ts";
import { pictureOf } from "../../src/bench/picture.ts";
import { Recording } from "../../src/bench/recording.ts";
import { factsOf, latencyRows, reportOf } from "../../src/bench/report.ts";

const head = {
  target: "nodes",
  workload: "a",
  description: "half <reads> & half writes",
  loop: { kind: "open", rate: 100 },
} as const;

const unknown = { bytes: undefined, sync: undefined };

function measured(operations: number): Measured {
  const recording = new Recording(0);
  for (let i = 0; i < operations; i++) {
    const fromMs = i * 10;
    recording.ended(
      i % 2 === 0 ? "read" : "update",
      fromMs,
      fromMs + 1 + (i % 100),
      i === 7 ? new Error("no") : undefined,
    );
  }
  return {
    recording,
    tookMs: operations * 10,
    client: { name: "client", cpuUs: operations * 10, memoryBytes: 2 ** 20 },
    servers: [1, 2].map((i) => ({ name: `n${i}`, cpuUs: operations * 20, memoryBytes: 2 ** 21 })),
  };
}

test("CPU time an operation is that of all processes, over all operations that ended", () => {
  assert.deepEqual(cpuOf(measured(500)), { all: 50, servers: 40 });
  const report = reportOf(head, measured(500), { bytes: 3 * 2 ** 20, sync: undefined });
  assert.deepEqual(report.cpu, { all: 50, servers: 40, client: 10 });
  assert.equal(report.perSecond, 100);
  assert.deepEqual(report.errors, { no: 1 });
  assert.equal(report.timeline.length, 5);
});

test("where no server can be looked at, nothing is said of the servers", () => {
  const report = reportOf(head, { ...measured(500), servers: [] }, unknown);
  assert.deepEqual([report.cpu.all, report.cpu.servers, report.diskBytes], [null, null, null]);
  assert.ok(factsOf(report).some((line) => /servers' is not known/.test(line)));
});

test("the text has a line for each kind and one for all, in ms; the JSON survives its journey", () => {
  const report = reportOf(head, measured(1000), unknown);
  const rows = latencyRows(report);
  assert.deepEqual(
    rows.map(([first]) => first),
    ["latency in ms", "read", "update", "all"],
  );
  assert.equal(rows[0]?.at(-2), "p99.99");
  assert.equal(rows[3]?.at(-1), "100");
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
});

test("the picture is well-formed, and stays inside, however much or little there is to show", () => {
  for (const operations of [0, 1, 7, 1000, 20_000]) {
    const svg = pictureOf(reportOf(head, measured(operations), unknown));
    assert.ok(!/NaN|Infinity|undefined/.test(svg), svg);
    assert.ok(svg.includes("half &lt;reads> &amp; half writes"));
    const open: string[] = [];
    for (const [, end, name, self] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
      if (end === "/") assert.equal(open.pop(), name);
      else if (self === "") open.push(name as string);
    }
    assert.deepEqual(open, []);
    for (const [, points = ""] of svg.matchAll(/points="([^"]*)"/g)) {
      for (const point of points.split(" ").filter((text) => text !== "")) {
        const [x = -1, y = -1] = point.split(",").map(Number);
        assert.ok(x >= 60 && x <= 1080 && y >= 79 && y <= 381, `${point} is outside`);
      }
    }
  }
});

test("Linux tells CPU time behind any name of a process", () => {
  const rest = `S ${Array.from({ length: 10 }, (_, i) => i).join(" ")} 250 50 0 0`;
  assert.deepEqual(usageOfProc(`12 (a ) name (of) 7) ${rest}`, "Name:\ta\nVmRSS:\t    2048 kB\n"), {
    cpuUs: 3_000_000,
    memoryBytes: 2 ** 21,
  });
});
