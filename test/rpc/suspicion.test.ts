import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Finding, Suspicion } from "../../src/rpc/suspicion.ts";

/** One look: how long after the one before, how much of that this process was awake, and what it sees. */
const anyLook = fc.tuple(
  fc.integer({ min: 1, max: 3000 }),
  fc.boolean(),
  fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  fc.boolean(),
);

test("whatever is seen: suspected only after a question and a while of listening, cleared by the first sound", () => {
  fc.assert(
    fc.property(fc.array(anyLook, { maxLength: 60 }), (looks) => {
      const suspicion = new Suspicion(0, false);
      let nowMs = 0;
      let heardMs = 0;
      let listenedMs: number | undefined;
      let downMs: number | undefined;
      for (const [passedMs, isOnTime, isHeard, isWaiting] of looks) {
        nowMs += passedMs;
        const awakeMs = isOnTime ? Math.min(passedMs, 150) : 0;
        if (isHeard) heardMs = nowMs;
        const finding: Finding = suspicion.look({ nowMs, awakeMs, heardMs, isWaiting });
        if (isHeard) {
          assert.equal(finding, "well");
          listenedMs = undefined;
          downMs = undefined;
        }
        if (listenedMs !== undefined) listenedMs += awakeMs;
        if (downMs !== undefined) downMs += awakeMs;
        switch (finding) {
          case "ask":
            assert.ok(nowMs - heardMs >= 200);
            listenedMs = 0;
            break;
          case "suspect":
            assert.ok(listenedMs !== undefined && listenedMs >= 300, `after ${listenedMs} ms`);
            downMs = 0;
            break;
          case "give-up":
            assert.ok(downMs !== undefined && downMs >= 2000, `after ${downMs} ms`);
            return;
          case "well":
            assert.ok(listenedMs === undefined || downMs !== undefined || listenedMs < 1200);
            assert.ok(downMs === undefined || downMs < 2000);
        }
        assert.equal(suspicion.isSuspected, downMs !== undefined);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Runs looks 100 ms apart; `answers` says after how many ms a question is answered, if it is. */
function firstSuspicion(suspicion: Suspicion, fromMs: number, forMs: number, answers: number | undefined): number {
  let heardMs = fromMs;
  let dueMs = Number.POSITIVE_INFINITY;
  for (let nowMs = fromMs + 100; nowMs <= fromMs + forMs; nowMs += 100) {
    if (dueMs <= nowMs) {
      heardMs = dueMs;
      dueMs = Number.POSITIVE_INFINITY;
      if (suspicion.isSuspected) suspicion.clear();
    }
    const finding = suspicion.look({ nowMs, awakeMs: 100, heardMs, isWaiting: true });
    if (finding === "ask" && answers !== undefined) dueMs = nowMs + answers;
    if (finding === "suspect") return nowMs - fromMs;
  }
  return Number.POSITIVE_INFINITY;
}

test("where calls wait, silence is found out in half a second", () => {
  assert.equal(firstSuspicion(new Suspicion(0, false), 0, 10_000, undefined), 500);
});

test("long round trips are learned, up to a bound, and forgotten", () => {
  const suspicion = new Suspicion(0, false);
  assert.ok(firstSuspicion(suspicion, 0, 10_000, 450) < 1000, "the first one is too long");
  suspicion.clear();
  assert.equal(firstSuspicion(suspicion, 10_000, 60_000, 450), Number.POSITIVE_INFINITY, "the next ones are not");
  assert.ok(firstSuspicion(suspicion, 100_000, 10_000, undefined) <= 1500, "and silence is still found out");
  suspicion.clear();
  firstSuspicion(suspicion, 200_000, 60_000, 0);
  assert.equal(firstSuspicion(suspicion, 300_000, 10_000, undefined), 500);
});

test("a connection that is doubted from the start stays so until it stands", () => {
  const suspicion = new Suspicion(0, true);
  for (let nowMs = 100; nowMs < 5000; nowMs += 100) {
    assert.equal(suspicion.lookAtDial({ nowMs, awakeMs: 100, heardMs: 0, isWaiting: true }), "well");
    assert.equal(suspicion.isSuspected, true);
  }
  suspicion.clear();
  assert.equal(suspicion.isSuspected, false);
});
