/** Bugs in what stand-ins count for (§4.6), and in what a write that missed its quorum is called. */

import { busy } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

const crashes = [
  ["power loss", 300],
  ["kill", 300],
] as const;

caughtTest({
  name: "a stand-in that has nothing and counts",
  file: "node/get",
  find: "holdsCopy: state !== undefined",
  replace: "holdsCopy: true",
  laws: ["owners answer"],
  plan: busy(crashes, { nodes: 5, keysPerBucket: 20, safetyMs: 6000 }),
});

caughtTest({
  name: "an owner that says to have the same without looking",
  file: "node/peer-service",
  find: "replica.holds(place, unless)",
  replace: "true",
  laws: ["regular reads"],
  plan: busy(crashes, { nodes: 4, keysPerBucket: 5, safetyMs: 6000 }),
});

caughtTest({
  name: "an owner that a get did not ask and that counts",
  file: "node/plain-get",
  find: "this.#ask(~this.#spared, budgetMs);",
  replace: "this.#ask(~this.#spared, budgetMs); for (let rest = this.#spared; rest; rest &= rest - 1) this.#voices++;",
  laws: ["regular reads"],
  plan: busy(crashes, { nodes: 4, keysPerBucket: 5, safetyMs: 6000 }),
});

caughtTest({
  name: "a stand-in that counts for an owner where owners alone do",
  file: "core/quorum/tally",
  find: "if (voices < owners)",
  replace: "if (bitsIn((this.#voices | this.#standIns) & seats) < owners)",
  laws: ["owners answer"],
  plan: busy(crashes, { nodes: 5, buckets: [{ name: "strict", change: { pr: 2, pw: 2 } }], safetyMs: 6000 }),
});

caughtTest({
  name: "a stand-in that counts as soon as it is asked",
  file: "core/quorum/tally",
  find: "this.#standInsToCome |= 1 << seat;",
  replace: "this.#standIns |= 1 << seat;",
  laws: ["durability"],
  plan: busy(crashes, {
    nodes: 4,
    settings: { partitions: 8, n: 1, r: 1, w: 1 },
    keysPerBucket: 3,
    safetyMs: 6000,
    disk: { leastCommitMs: 50, mostCommitMs: 300 },
  }),
  from: 23,
});

caughtTest({
  name: "a write that failed and is called refused",
  file: "node/write",
  find: "mayHaveHappened: true",
  replace: "mayHaveHappened: false",
  laws: ["honest answers"],
  plan: busy(crashes),
});

caughtTest({
  name: "zones that are asked for and not waited for",
  file: "core/quorum/zone-tally",
  find: "return this.received >= this.needed;",
  replace: "return true;",
  laws: ["zones answer"],
  plan: busy([], { nodes: 4, zones: 2 }),
});
