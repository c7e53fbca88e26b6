/** Times of versions as the interface shows them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { httpDate, rfc3339 } from "../../src/http/siblings-body.ts";

test("a version's time is a date whatever the clock of its writer said", () => {
  const told = Date.UTC(2026, 0, 2, 3, 4, 5);
  assert.equal(httpDate(told), "Fri, 02 Jan 2026 03:04:05 GMT");
  assert.equal(rfc3339(told), "2026-01-02T03:04:05.000Z");
  for (const ms of [-1, 0, Number.MAX_SAFE_INTEGER]) {
    assert.ok(!Number.isNaN(Date.parse(httpDate(ms))), httpDate(ms));
    assert.match(httpDate(ms), /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} /);
    assert.match(rfc3339(ms), /^\d{4}-/);
  }
});
