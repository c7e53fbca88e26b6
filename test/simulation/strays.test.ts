/** Whom an operator has to name others to: only who could never meet them without. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimMember } from "../../src/sim/cluster.ts";
import { isStray } from "../../src/sim/strays.ts";

/** A member that knows these, was started with those addresses, and has joined. */
function member(name: string, knows: readonly string[], named: readonly string[], hasJoined = true): SimMember {
  const members = knows.map((other) => ({ name: other, peer: `${other}:7400` }));
  const node = { isReady: hasJoined, cluster: () => ({ members }) };
  return { machine: { name }, hostName: name, node, named, hasJoined } as unknown as SimMember;
}

const n1: SimMember = member("n1", ["n1", "n2"], []);
const n2: SimMember = member("n2", ["n1", "n2"], []);

test("one whose names have all gone, and who has joined nobody or only those, is a stray", () => {
  for (const stray of [member("n3", [], ["n8:7400"], false), member("n3", ["n3", "n8"], ["n9:7400"])]) {
    assert.equal(isStray({ members: [n1, n2, stray] }, stray), true);
  }
});

test("one that knows, or was told of, somebody who is there, or whom somebody knows, is none", () => {
  const told = member("n3", [], ["n8:7400", "n2:7400"], false);
  const knowing = member("n3", ["n1", "n3", "n8"], []);
  for (const one of [told, knowing]) assert.equal(isStray({ members: [n1, n2, one] }, one), false);
  const known = member("n2", ["n2", "n8"], []);
  assert.equal(isStray({ members: [n1, known] }, known), false);
});

test("where nobody is there whom it could meet, nobody is a stray", () => {
  const alone = member("n3", ["n3", "n8"], []);
  assert.equal(isStray({ members: [alone, member("n4", [], [], false)] }, alone), false);
});
