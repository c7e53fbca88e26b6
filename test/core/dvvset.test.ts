/**
 * Facts of the reference implementation of dotted version vector sets (the structure Riak keeps, and the nearest kin
 * of ours), as far as they carry over: `data/dvvset-vectors.json` says where they come from.
 *
 * There an entry `{id, n, values}` says: n events of `id`, of which the newest `values.length` are live. Here that is
 * the interval 1..n and siblings at n, n-1, ... A DVVSet takes a new dot's counter from the entry; here it comes from a
 * mint record, so these tests give the one the reference chose.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { compareDots, type Dot } from "../../src/core/causality/dot.ts";
import { covers, type DotSet, emptyDotSet, sameDots } from "../../src/core/causality/dot-set.ts";
import {
  mergeStates,
  putVersion,
  type Sibling,
  type SiblingSet,
  sameState,
} from "../../src/core/causality/sibling-set.ts";
import type { ActorId } from "../../src/core/ids.ts";

interface Entry {
  readonly id: string;
  readonly n: number;
  readonly values: readonly (string | number)[];
}
interface Clock {
  readonly entries: readonly Entry[];
  readonly anon: readonly string[];
}
interface Vector {
  readonly op: string;
  readonly note: string;
  readonly args: readonly unknown[];
  readonly expect: unknown;
}

const { vectors } = JSON.parse(readFileSync("test/data/dvvset-vectors.json", "utf8")) as { vectors: readonly Vector[] };

function version(dot: Dot, value: string | number): Sibling {
  return { dot, value: new TextEncoder().encode(String(value)), checksum: 0, contentType: "", modified: 0 };
}

function contextOf(counts: readonly (readonly [string, number])[]): DotSet {
  const known = counts.filter(([, n]) => n > 0).map(([id, n]) => ({ actor: id as ActorId, from: 1, to: n, time: 0 }));
  return known.sort((a, b) => (a.actor < b.actor ? -1 : 1));
}

function seenBy(clock: Clock): DotSet {
  return contextOf(clock.entries.map(({ id, n }) => [id, n]));
}

function stateOf(clock: Clock): SiblingSet {
  const siblings = clock.entries.flatMap(({ id, n, values }) =>
    values.map((value, i) => version({ actor: id as ActorId, counter: n - i }, value)),
  );
  return { context: seenBy(clock), siblings: siblings.sort((a, b) => compareDots(a.dot, b.dot)) };
}

/** Both as text, since some facts keep other values under a dot than a dot can have here. */
function assertSame(found: SiblingSet, expected: SiblingSet): void {
  assert.ok(sameState(found, expected));
  assert.deepEqual(found.siblings, expected.siblings);
}

function counterOf(clock: Clock, id: string): number {
  return clock.entries.find((entry) => entry.id === id)?.n ?? 0;
}

/** Puts `value` as the event of `id` that the reference chose. */
function put(state: SiblingSet, seen: DotSet, id: string, value: string, expected: Clock): SiblingSet {
  return putVersion(state, seen, version({ actor: id as ActorId, counter: counterOf(expected, id) }, value));
}

const check: Readonly<Record<string, (args: readonly unknown[], expect: unknown) => void>> = {
  sync: (args, expect) => {
    const [a, b] = args as [Clock, Clock];
    assertSame(mergeStates(stateOf(a), stateOf(b)), stateOf(expect as Clock));
    assertSame(mergeStates(stateOf(b), stateOf(a)), stateOf(expect as Clock));
  },
  update: (args, expect) => {
    const [client, server, id] = args as [Clock, Clock, string];
    const after = put(stateOf(server), seenBy(client), id, client.anon[0] ?? "", expect as Clock);
    assertSame(after, stateOf(expect as Clock));
  },
  update_no_server: (args, expect) => {
    const [client, id] = args as [Clock, string];
    const nothing: SiblingSet = { context: emptyDotSet, siblings: [] };
    assertSame(put(nothing, seenBy(client), id, client.anon[0] ?? "", expect as Clock), stateOf(expect as Clock));
  },
  event: (args, expect) => {
    const [clock, id, value] = args as [Clock, string, string];
    assertSame(put(stateOf(clock), emptyDotSet, id, value, expect as Clock), stateOf(expect as Clock));
  },
  new_with_context: (args, expect) => {
    const [{ vv }] = args as [{ vv: readonly [string, number][] }, string];
    assert.deepEqual(contextOf(vv), seenBy(expect as Clock));
  },
  join: (args, expect) => {
    assert.deepEqual(seenBy(args[0] as Clock), contextOf((expect as { vv: readonly [string, number][] }).vv));
  },
  less: (args, expect) => {
    const [a, b] = (args as [Clock, Clock]).map(seenBy) as [DotSet, DotSet];
    assert.equal(covers(b, a) && !sameDots(a, b), expect);
  },
  equal: (args, expect) => {
    const [a, b] = (args as [Clock, Clock]).map(stateOf) as [SiblingSet, SiblingSet];
    assert.equal(sameState(a, b), expect);
  },
  values_sorted: (args, expect) => {
    const values = stateOf(args[0] as Clock).siblings.map((sibling) => new TextDecoder().decode(sibling.value));
    assert.deepEqual(values.sort(), (expect as readonly unknown[]).map(String).sort());
  },
};

describe("facts of the reference DVVSet", () => {
  for (const op of new Set(vectors.map((vector) => vector.op))) {
    const facts = vectors.filter((vector) => vector.op === op);
    test(`${facts.length} of ${op}`, () => {
      for (const { args, expect, note } of facts) {
        const checkFact = check[op];
        assert.ok(checkFact, `no check for ${op}`);
        assert.doesNotThrow(() => checkFact(args, expect), `${note}: ${JSON.stringify(args)}`);
      }
    });
  }
  test("are many enough to mean something", () => assert.ok(vectors.length > 400));
});
