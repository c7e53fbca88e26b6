/** What is counted of requests over HTTP, as Prometheus reads it; and dates as HTTP writes them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Durations } from "../../src/http/durations.ts";
import { httpDate } from "../../src/http/siblings-body.ts";

test("each bucket counts what took as long, or less, and the last one all", () => {
  const durations = new Durations("d", "help");
  for (const tookMs of [0.1, 0.5, 3, 20_000]) durations.observe("GET", "/a", 200, tookMs);
  durations.observe("GET", "/a", 404, 7);
  const lines = durations.text().split("\n");
  const bucket = (le: string, status: number): string | undefined =>
    lines.find((line) => line.startsWith(`d_bucket{le="${le}",method="GET",route="/a",status="${status}"}`));
  assert.deepEqual(lines.slice(0, 2), ["# HELP d help", "# TYPE d histogram"]);
  assert.match(bucket("0.0005", 200) ?? "", / 2$/);
  assert.match(bucket("0.0025", 200) ?? "", / 2$/);
  assert.match(bucket("0.005", 200) ?? "", / 3$/);
  assert.match(bucket("10", 200) ?? "", / 3$/);
  assert.match(bucket("+Inf", 200) ?? "", / 4$/);
  assert.match(bucket("10", 404) ?? "", / 1$/);
  assert.ok(lines.includes('d_count{method="GET",route="/a",status="200"} 4'));
  assert.ok(lines.includes('d_sum{method="GET",route="/a",status="404"} 0.007'));
});

test("a date is what the platform says of it", () => {
  const time = fc.integer({ min: 0, max: 253_402_300_799_999 });
  fc.assert(fc.property(time, (ms) => assert.equal(httpDate(ms), new Date(ms).toUTCString())));
});
