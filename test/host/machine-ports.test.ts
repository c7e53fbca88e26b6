/** The machine's clock, chance, checksum and log keep what their ports promise. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { crc32 } from "../../src/core/hash/crc32.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { machineClock } from "../../src/host/clock.ts";
import { machineRandom } from "../../src/host/random.ts";

test("a timer never fires early, not even one set late in a long turn", async () => {
  for (const delayMs of [0, 1, 3.5]) {
    const until = performance.now() + 5;
    while (performance.now() < until);
    const set = machineClock.monotonicMs();
    let isSetting = true;
    await new Promise<void>((resolve) => {
      machineClock.setTimer(delayMs, () => {
        assert.equal(isSetting, false);
        assert.ok(machineClock.monotonicMs() - set >= delayMs);
        resolve();
      });
      isSetting = false;
    });
  }
});

test("a timer that is cancelled does not fire, and one beyond setTimeout's reach does not fire at once", async () => {
  let fired = 0;
  machineClock.setTimer(1, () => fired++).cancel();
  const distant = machineClock.setTimer(2 ** 40, () => fired++);
  await new Promise<void>((resolve) => machineClock.setTimer(5, resolve));
  distant.cancel();
  assert.equal(fired, 0);
});

test("the turn ends after the promises that are due", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    machineClock.endOfTurn(() => {
      order.push("end of turn");
      resolve();
    });
    Promise.resolve()
      .then(() => order.push("promise"))
      .then(() => order.push("its heir"));
    order.push("now");
  });
  assert.deepEqual(order, ["now", "promise", "its heir", "end of turn"]);
});

test("random numbers stay below their limit and reach everything below it", () => {
  const random = machineRandom();
  for (const limit of [1, 2, 3, 7, 10]) {
    const seen = new Set(Array.from({ length: 2000 }, () => random.below(limit)));
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      [...Array(limit).keys()],
    );
  }
  assert.ok(random.below(2 ** 32) < 2 ** 32);
  for (const limit of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN]) assert.throws(() => random.below(limit), RangeError);
  assert.equal(random.bytes(33).length, 33);
  assert.notDeepEqual(random.bytes(16), random.bytes(16));
});

test("the platform's checksum is the one in JavaScript, in pieces or in one", () => {
  // Short ones and long ones have their sums made in different ways.
  const bytes = fc.uint8Array({ maxLength: 400, size: "max" });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(machineChecksum(a), crc32(a));
      assert.equal(machineChecksum(b, machineChecksum(a)), machineChecksum(Uint8Array.of(...a, ...b)));
    }),
  );
});

test("the log writes one JSON line an event, and nothing below its level", () => {
  const url = pathToFileURL("dist/src/host/log.js").href;
  const program = `
    import { stderrLog } from ${JSON.stringify(url)};
    const log = stderrLog({ level: "info", isPretty: false }).child({ node: "n1" });
    log.debug("too much");
    log.info("started", { peer: "127.0.0.1:7400" });
    log.warn("with a % sign");
    log.error("failed", { error: new Error("because") });
    process.exit(0);
  `;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  const lines = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ level, node, msg }) => [level, node, msg]),
    [
      ["info", "n1", "started"],
      ["warn", "n1", "with a % sign"],
      ["error", "n1", "failed"],
    ],
  );
  assert.equal(lines[0]?.["peer"], "127.0.0.1:7400");
  const error = lines[2]?.["error"] as { message: string } | undefined;
  assert.equal(error?.message, "because");
  assert.ok(!Number.isNaN(Date.parse(String(lines[0]?.["time"]))));
});
