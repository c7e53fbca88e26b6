/** What nodes say of themselves: two tables of any size find out where they differ with lists that stay short. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../src/core/ids.ts";
import { isNewerRecord, type RecordVersion } from "../../src/core/membership/node-record.ts";
import { mostVersions, type RecordPart, RecordTable } from "../../src/core/membership/record-table.ts";
import { hashOfName, joinedHash, noHash } from "../../src/core/membership/summary.ts";
import { plainRecord } from "../plain-record.ts";
import { nodeId } from "./membership-arbitraries.ts";

const incarnations = fc.constantFrom("1-a", "2-a", "10-a");
const versionsOf = (nodes: number): fc.Arbitrary<RecordVersion> =>
  plainRecord({ node: fc.nat(nodes - 1).map(nodeId), incarnation: incarnations, version: fc.nat(3) });

function tableOf(records: Iterable<RecordVersion>): RecordTable<RecordVersion> {
  const table = new RecordTable<RecordVersion>();
  for (const record of records) table.put(record);
  return table;
}

/** The table's naive twin: a map, and the sum over it. */
function hashOf(records: ReadonlyMap<NodeId, RecordVersion>): unknown {
  return [...records.values()].reduce(
    (hash, { node, incarnation, version }) => joinedHash(hash, hashOfName(`${node} ${incarnation} ${version}`)),
    noHash,
  );
}

/** All that is different, as parts find it; counts the parts. */
function compareByParts(a: RecordTable<RecordVersion>, b: RecordTable<RecordVersion>) {
  const newer: RecordVersion[] = [];
  const wanted: NodeId[] = [];
  let heard: readonly RecordPart[] = [b.part("")];
  let [speaker, listener] = [b, a];
  let steps = 0;
  let parts = 1;
  while (heard.length > 0) {
    steps++;
    [speaker, listener] = [listener, speaker];
    const differences = heard.map((part) => speaker.compare(part));
    for (const difference of differences) {
      const isOurs = speaker === a;
      newer.push(
        ...(isOurs ? difference.newer : difference.wanted.map((node) => a.records.get(node) as RecordVersion)),
      );
      wanted.push(...(isOurs ? difference.wanted : difference.newer.map(({ node }) => node)));
    }
    heard = differences.flatMap(({ prefixes }) => prefixes.map((prefix) => speaker.part(prefix)));
    parts += heard.length;
  }
  return { newer, wanted, steps, parts };
}

test("records that are put, replaced and forgotten leave the hash of those that are known now", () => {
  const steps = fc.array(plainRecord({ record: versionsOf(60), isForgotten: fc.boolean() }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (taken) => {
      const twin = new Map<NodeId, RecordVersion>();
      const table = new RecordTable<RecordVersion>();
      for (const { record, isForgotten } of taken) {
        if (isForgotten) table.delete(record.node);
        else table.put(record);
        if (isForgotten) twin.delete(record.node);
        else twin.set(record.node, record);
        assert.deepEqual(table.hash, hashOf(twin));
      }
      assert.deepEqual(new Map(table.records), twin);
      const whole = compareByParts(table, tableOf(twin.values()));
      assert.deepEqual([whole.newer, whole.wanted], [[], []]);
    }),
  );
});

test("by parts two nodes find exactly what each has in a newer version, whatever they know", () => {
  const anySize = fc.constantFrom(3, 20, 400).chain((nodes) => {
    const some = fc.array(versionsOf(nodes), { maxLength: 40 });
    return plainRecord({ nodes: fc.constant(nodes), common: fc.nat(nodes), ours: some, theirs: some });
  });
  fc.assert(
    fc.property(anySize, ({ common, ours, theirs }) => {
      const shared = Array.from({ length: common }, (_, i): RecordVersion => {
        return { node: nodeId(i), incarnation: "1-a", version: 1 };
      });
      const [a, b] = [tableOf([...shared, ...ours]), tableOf([...shared, ...theirs])];
      const isNews = (version: RecordVersion, known: RecordVersion | undefined) =>
        known === undefined || isNewerRecord(version, known);
      const newer = [...a.records.values()].filter((record) => isNews(record, b.records.get(record.node)));
      const wanted = [...b.records.values()].filter((record) => isNews(record, a.records.get(record.node)));
      const found = compareByParts(a, b);
      assert.deepEqual(found.newer.map(({ node }) => node).sort(), newer.map(({ node }) => node).sort());
      assert.deepEqual([...found.wanted].sort(), wanted.map(({ node }) => node).sort());
    }),
    { numRuns: 200 },
  );
});

test("one record of thousands is found with a list for each digit that tells it apart, and none is long", () => {
  const nodes = 3000;
  const records = Array.from({ length: nodes }, (_, i): RecordVersion => {
    return { node: nodeId(i), incarnation: "1-a", version: 1 };
  });
  const [a, b] = [tableOf(records), tableOf(records)];
  b.put({ ...(records[1234] as RecordVersion), version: 2 });
  const found = compareByParts(a, b);
  assert.deepEqual(found.wanted, [nodeId(1234)]);
  assert.ok(found.parts <= 4, `${found.parts} parts`);
  for (const { node } of records) {
    for (let length = 0; length < 4; length++) {
      const part = a.part(node.slice(0, length));
      assert.ok(part.kind === "hashes" ? part.hashes.length === 16 : part.versions.length <= mostVersions);
    }
  }
});
