/** Bugs in how versions are named, merged and replaced: minting, sibling sets, contexts, last-write-wins. */

import { busy } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

caughtTest({
  name: "a mint that goes on under another run's actor",
  file: "core/causality/minting",
  find: "record?.actor.startsWith(this.#run) ?",
  replace: "record !== undefined ?",
  laws: ["dots"],
  plan: busy(
    [
      ["power loss", 300],
      ["kill", 300],
    ],
    { disk: { leastCommitMs: 20, mostCommitMs: 200 } },
  ),
});

caughtTest({
  name: "a mint that goes on after a commit failed",
  file: "core/causality/minting",
  find: "renewRun(random) {",
  replace: "renewRun(random) { return;",
  laws: ["dots"],
  plan: busy([["disk full", 300]], { disk: { leastCommitMs: 5, mostCommitMs: 100 }, safetyMs: 6000 }),
});

caughtTest({
  name: "a merge that keeps only what both sides hold",
  file: "core/causality/sibling-set",
  find: "if (order === 0 || !holds(order < 0 ? b.context : a.context, sibling.dot))",
  replace: "if (order === 0)",
  laws: ["causality"],
  plan: busy([]),
});

caughtTest({
  name: "a merge that keeps what either side holds",
  file: "core/causality/sibling-set",
  find: "if (order === 0 || !holds(order < 0 ? b.context : a.context, sibling.dot))",
  replace: "",
  laws: ["causality"],
  plan: busy([]),
});

caughtTest({
  name: "a put that leaves out of its context what was unknown here",
  file: "core/causality/sibling-set",
  find: "withDot(unite(state.context, seen), sibling.dot, sibling.modified)",
  replace: "withDot(state.context, sibling.dot, sibling.modified)",
  laws: ["causality"],
  plan: busy([["cut", 300]]),
});

caughtTest({
  name: "a write that answers with more than its client has seen",
  file: "node/plain-put",
  find: "withDot(clientSeen ?? emptyDotSet, local.dot, local.modified)",
  replace: "local.state.context",
  laws: ["a write's context"],
  plan: busy([]),
});

caughtTest({
  name: "a token that is good for every key of its bucket",
  file: "wire/context-token",
  find: "writer.text(key);",
  replace: "",
  laws: ["foreign contexts are refused"],
  plan: busy([], { keysPerBucket: 3 }),
});

caughtTest({
  name: "a newest version that takes its time from the clock alone",
  file: "core/causality/last-write-wins",
  find: "return Math.max(nowMs, newest + 1);",
  replace: "return nowMs;",
  laws: ["newest wins", "durability", "regular reads"],
  plan: busy([["clock jump", 200]], { buckets: [{ name: "newest", change: { reconcile: "last-write-wins" } }] }),
});

caughtTest({
  name: "a retry that is written again and shown twice",
  file: "core/causality/sibling-set",
  find: "return shown.length === siblings.length ? state : { context, siblings: shown };",
  replace: "return state;",
  laws: ["causality"],
  plan: busy([]),
});
