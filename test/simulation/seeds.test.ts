/** Some seeds with faults, through every checker. `.ci/run` goes on where this ends; more: `npm run simulate -- --seeds 500`. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { faultNames } from "../../src/sim/plan.ts";
import { type Report, runSeed } from "../../src/sim/run.ts";
import { buildNode } from "../../tools/product-node.ts";
import { guardPromises, nodeSurroundings } from "../../tools/surroundings.ts";

const seeds = 30;
const reports: Report[] = [];

for (let seed = 1; seed <= seeds; seed++) {
  test(`seed ${seed} passes every checker`, async () => {
    const unhandled = guardPromises();
    const report = await runSeed({ seed, surroundings: nodeSurroundings, build: buildNode });
    reports.push(report);
    const [first] = report.violations;
    assert.equal(first && `${first.law}: ${first.what}\n  replay: npm run simulate -- --seed ${seed}`, undefined);
    assert.deepEqual(unhandled(), []);
  });
}

test("the seeds tried something: every fault occurred, and every checker had much to check", () => {
  const sum = (of: (report: Report) => number): number => reports.reduce((total, report) => total + of(report), 0);
  for (const fault of faultNames) {
    assert.ok(sum(({ faults }) => faults.get(fault) ?? 0) > 0, fault);
  }
  assert.ok(sum(({ counts }) => counts.acknowledged) > 5000, "acknowledged writes");
  assert.ok(sum(({ regularPairs }) => regularPairs) > 25_000, "pairs of a read and a write it had to see");
  assert.ok(sum(({ durableWrites }) => durableWrites) > 10_000, "acknowledged writes looked for at the end");
  assert.ok(sum(({ recordsRead }) => recordsRead) > 500, "records on disks");
  assert.ok(sum(({ gaugesRead }) => gaugesRead) > 5000, "levels held against their bounds");
  assert.ok(sum(({ logsOpened }) => logsOpened) > 10, "logs opened again");
  assert.ok(sum(({ lostWrites }) => lostWrites) > 2, "unacknowledged writes that crashes took");
});

after(() => {
  const calls = reports.reduce(
    (sum, { counts }) => sum + counts.reads + counts.acknowledged + counts.refused + counts.unknown,
    0,
  );
  const seconds = reports.reduce((sum, { virtualMs }) => sum + virtualMs / 1000, 0);
  const lost = reports.reduce((sum, { lostWrites }) => sum + lostWrites, 0);
  console.log(
    `${reports.length} seeds: ${calls} calls of clients in ${seconds.toFixed(0)} virtual seconds, ${lost} writes lost to crashes`,
  );
});
