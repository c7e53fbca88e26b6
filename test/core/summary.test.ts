/** A summary says whether two nodes know the same, at a size that does not depend on how much that is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareEvents, eventName, uniteHistories } from "../../src/core/membership/history.ts";
import { compareRecent, eventsNamed, mostNamed, recentOf } from "../../src/core/membership/recent-events.ts";
import { noHash, withEvents } from "../../src/core/membership/summary.ts";
import { sameHash } from "../../src/core/merkle/hash-tree.ts";
import { histories } from "./membership-arbitraries.ts";

const marks = fc.array(fc.boolean());

test("the history's hash tells histories apart, and not the order in which their events came", () => {
  fc.assert(
    fc.property(histories, marks, marks, (events, ours, theirs) => {
      const history = uniteHistories([], events);
      const knows = (known: readonly boolean[]) => history.filter((_, i) => known[i] ?? true);
      const [a, b] = [knows(ours), knows(theirs)];
      const one = withEvents(noHash, a);
      const byOne = a.toReversed().reduce((hash, event) => withEvents(hash, [event]), noHash);
      assert.deepEqual(byOne, one);
      const isSame = a.map(eventName).join() === b.map(eventName).join();
      assert.equal(sameHash(one, withEvents(noHash, b)), isSame);
    }),
  );
});

test("from another's newest events a node knows what each side lacks, or that this is not all that differs", () => {
  let found = 0;
  let deeper = 0;
  fc.assert(
    fc.property(histories, marks, marks, (events, ours, theirs) => {
      const all = uniteHistories([], events);
      // Histories as long as those of large clusters, of which the ends differ.
      const long = all
        .flatMap((event) => Array.from({ length: 8 }, (_, i) => ({ ...event, lamport: event.lamport * 8 + i })))
        .sort(compareEvents);
      const knows = (known: readonly boolean[]) => long.filter((_, i) => known[(long.length - 1 - i) >> 2] ?? true);
      const [a, b] = [knows(ours), knows(theirs)];
      const recent = recentOf(b, withEvents(noHash, b));
      assert.ok(recent.newest.length <= mostNamed);
      const difference = compareRecent(a, withEvents(noHash, a), recent);
      const names = (of: readonly { lamport: number; author: string }[]) =>
        of.map((event) => eventName(event as never));
      const [namesA, namesB] = [names(a), names(b)];
      const before = (history: typeof a) =>
        names(history.filter(({ lamport }) => lamport < (recent.newest[0]?.lamport ?? 0)));
      if (difference.kind === "deeper") {
        deeper++;
        assert.ok(b.length === 0 || before(a).join() !== before(b).join());
        return;
      }
      found++;
      assert.deepEqual(
        names(difference.news),
        namesA.filter((name) => !namesB.includes(name)),
      );
      assert.deepEqual(
        names(difference.missing),
        namesB.filter((name) => !namesA.includes(name)),
      );
      assert.deepEqual(names(eventsNamed(b, difference.missing)), names(difference.missing));
      assert.deepEqual(eventsNamed(a, difference.missing), []);
    }),
    { numRuns: 300 },
  );
  assert.ok(found > 30 && deeper > 30, `${found} found, ${deeper} deeper`);
});
