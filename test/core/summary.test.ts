/** A summary says whether two nodes know the same, at a size that does not depend on how much that is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { eventName, uniteHistories } from "../../src/core/membership/history.ts";
import type { RecordVersion } from "../../src/core/membership/node-record.ts";
import {
  differingGroups,
  emptySummary,
  groupOf,
  recordGroups,
  type Summary,
  sameHistory,
  withEvents,
  withRecord,
} from "../../src/core/membership/summary.ts";
import { plainRecord } from "../plain-record.ts";
import { histories, nodeId } from "./membership-arbitraries.ts";

const versions: fc.Arbitrary<RecordVersion> = plainRecord({
  node: fc.nat(40).map(nodeId),
  incarnation: fc.constantFrom("1-a", "2-a"),
  version: fc.nat(3),
});

function summaryOf(records: Iterable<RecordVersion>): Summary {
  let summary = emptySummary;
  for (const record of records) summary = withRecord(summary, record, undefined);
  return summary;
}

test("the history's hash tells histories apart, and not the order in which their events came", () => {
  fc.assert(
    fc.property(histories, fc.array(fc.boolean()), fc.array(fc.boolean()), (events, ours, theirs) => {
      const history = uniteHistories([], events);
      const knows = (marks: readonly boolean[]) => history.filter((_, i) => marks[i] ?? true);
      const [a, b] = [knows(ours), knows(theirs)];
      const one = withEvents(emptySummary, a);
      const byOne = a.toReversed().reduce((summary, event) => withEvents(summary, [event]), emptySummary);
      assert.deepEqual(byOne, one);
      const isSame = a.map(eventName).join() === b.map(eventName).join();
      assert.equal(sameHistory(one.history, withEvents(emptySummary, b).history), isSame);
    }),
  );
});

test("records replaced and forgotten leave the summary of those that are known now", () => {
  fc.assert(
    fc.property(fc.array(plainRecord({ record: versions, isForgotten: fc.boolean() })), (steps) => {
      const known = new Map<string, RecordVersion>();
      let summary = emptySummary;
      for (const { record, isForgotten } of steps) {
        summary = withRecord(summary, isForgotten ? undefined : record, known.get(record.node));
        if (isForgotten) known.delete(record.node);
        else known.set(record.node, record);
      }
      assert.deepEqual(summary, summaryOf(known.values()));
      assert.equal(summary.records.length, recordGroups);
    }),
  );
});

test("what differs is in the groups that differ, and in no other", () => {
  fc.assert(
    fc.property(fc.array(versions), fc.array(versions), (ours, theirs) => {
      const mapOf = (records: readonly RecordVersion[]) => new Map(records.map((record) => [record.node, record]));
      const [a, b] = [mapOf(ours), mapOf(theirs)];
      const differ = new Set<number>();
      for (const node of [...a.keys(), ...b.keys()]) {
        const [here, there] = [a.get(node), b.get(node)];
        const isSame = here?.incarnation === there?.incarnation && here?.version === there?.version;
        if (!isSame) differ.add(groupOf(node));
      }
      const found = differingGroups(summaryOf(a.values()).records, summaryOf(b.values()).records);
      assert.deepEqual([...found].sort(), [...differ].sort());
    }),
  );
});
