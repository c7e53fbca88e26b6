/** What `cartwheel transfers` says, from what members tell. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type ToldTransfers, transfersText } from "../../src/cli/transfers-text.ts";
import type { TransferView } from "../../src/node/api.ts";

const mib = 1024 * 1024;

function handOver(more: Partial<TransferView>): TransferView {
  const place = { partition: 1, seat: 0, kind: "hand-over", from: "n1", to: "n4" } as const;
  const state = { running: true, why: "", waitsFor: "", bytesReceived: mib, ageMs: 1000 } as const;
  return { ...place, ...state, keys: 50, bytes: mib, keysInAll: 100, bytesInAll: 2 * mib, ...more };
}

function told(transfers: readonly TransferView[], more: Partial<ToldTransfers> = {}): ToldTransfers {
  const taken = { seats: 6, keys: 600, bytes: 12 * mib, tookMs: 12_000 };
  const rates = { bytesPerSecond: mib, limitBytesPerSecond: 8 * mib };
  const pending = transfers.length;
  return { pending, members: [{ name: "n4", pending, taken, ...rates, transfers }], silent: [], ...more };
}

test("seats that go on, that wait for their turn and that wait for a member have a line each, with what is left", () => {
  const queued = { running: false, why: "waits its turn: 2 are copied at a time", keys: 0, bytes: 0 };
  const stuck = { running: false, why: "cannot be reached", waitsFor: "n2", from: "n2", keys: 0, bytes: 0 };
  const text = transfersText(told([handOver({}), handOver({ ...queued, partition: 2 }), handOver(stuck)]), false);
  assert.equal(
    text,
    [
      "3 seats of the cluster are on their way, 5.0 MiB to copy, 1.0 MiB/s, 5 s left",
      "n4 takes seats: 6 of 9 done, 13.0 MiB of 18.0 MiB (72 %), 1.0 MiB/s, at most 8.0 MiB/s, 5 s left",
      "",
      "WHAT       FROM  TO  SEATS       KEYS                SIZE       RATE  LEFT  STATE",
      "hand-over  n1    n4      1  50 of 100  1.0 MiB of 2.0 MiB  1.0 MiB/s   1 s  goes on",
      "hand-over  n1    n4      1   0 of 100      0 B of 2.0 MiB          -     -  waits its turn: 2 are copied at a time",
      "hand-over  n2    n4      1   0 of 100      0 B of 2.0 MiB          -     -  n2: cannot be reached",
      "",
    ].join("\n"),
  );
});

test("what nobody has said yet is a question mark, and no time is guessed", () => {
  const text = transfersText(told([handOver({ keysInAll: undefined, bytesInAll: undefined })]), true);
  assert.match(text, /^1 seat of the cluster is on its way, more than 0 B to copy, 1\.0 MiB\/s, \? left$/m);
  assert.match(text, /^n4 takes seats: 6 of 7 done, 13\.0 MiB of \?, /m);
  assert.match(text, /^hand-over +n1 +n4 +1\/0 +50 of \? +1\.0 MiB of \? +1\.0 MiB\/s +\? +goes on$/m);
});

test("how long it takes is not known where all that comes waits for another member", () => {
  const stuck = { running: false, why: "cannot be reached", waitsFor: "n2", from: "n2" };
  const text = transfersText(told([handOver(stuck), handOver({ ...stuck, partition: 2 })]), false);
  assert.match(text, /^2 seats of the cluster are on their way, 2\.0 MiB to copy, 1\.0 MiB\/s, \? left$/m);
  assert.match(text, /^n4 takes seats: 6 of 8 done, .*, \? left$/m);
});

test("where nothing moves, that is said, with what was taken last and who did not answer", () => {
  const silent = [{ name: "n3", why: "cannot reach http://127.0.0.1:1" }];
  assert.equal(
    transfersText(told([], { silent }), false),
    [
      "every seat is where it shall be",
      "n4 took 6 seats with 600 keys, 12.0 MiB, in 12 s",
      "n3 did not say what it does: cannot reach http://127.0.0.1:1",
      "",
    ].join("\n"),
  );
});
