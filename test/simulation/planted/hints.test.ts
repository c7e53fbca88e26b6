/** Bugs in what happens while owners cannot be reached: stand-ins, hints, handoff, failure detection. */

import { busy, busyWithHints } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

const splits = [
  ["split", 500],
  ["owners cut off", 700],
  ["cut", 300],
] as const;

caughtTest({
  name: "a stand-in that is counted as a voice",
  file: "core/quorum/tally",
  find: "standInHeard(seat, holdsCopy) {",
  replace: "standInHeard(seat, holdsCopy) { if (holdsCopy) this.#voices |= 1 << seat;",
  laws: ["regular reads"],
  plan: busyWithHints(splits),
});

caughtTest({
  name: "a hint that goes although it has changed since it was sent",
  file: "node/hints",
  find: "if (now === undefined || compareBytes(now, bytes) !== 0)",
  replace: "if (now === undefined)",
  laws: ["handoff"],
  plan: busyWithHints([...splits, ["slow network", 500]], { clients: 12, mostRestMs: 5 }),
  from: 15,
});

caughtTest({
  name: "a hint that is taken out before anybody has it",
  file: "node/delivery",
  find: 'outcomes.every((outcome) => outcome === "held")',
  replace: "true",
  laws: ["handoff", "durability"],
  plan: busyWithHints(splits),
  from: 33,
});

caughtTest({
  name: "an owner that was given no hint where nobody was left to stand in",
  file: "node/write",
  find: "hints.keep(owner, place, this.#state, intent.lastWriteWins, undefined)",
  replace: "undefined",
  laws: ["handoff"],
  plan: busyWithHints(splits, { nodes: 3 }),
});

caughtTest({
  name: "an owner that fails after a plain put's answer, and is forgotten",
  file: "node/plain-put",
  find: "this.#inGeneral().heardOf(seat, from, failure);",
  replace: "if (!this.#isAnswered) this.#inGeneral().heardOf(seat, from, failure);",
  laws: ["handoff"],
  plan: busyWithHints(splits, { nodes: 3 }),
  from: 53,
});

caughtTest({
  name: "a handoff that does not look for hints after a start and by the clock",
  file: "node/handoff",
  find: "for (const owner of this.#node.hints.owners())",
  replace: "for (const owner of [])",
  laws: ["liveness"],
  plan: busyWithHints([...splits, ["kill", 500]]),
});

caughtTest({
  name: "a hint that replaces the one kept before it",
  file: "node/hints",
  find: "const kept = this.#replica.merge(at, state, lastWriteWins, listener);",
  replace:
    "this.#options.buffer.put(at.storeKey, undefined); const kept = this.#replica.merge(at, state, lastWriteWins, listener);",
  laws: ["handoff", "durability"],
  plan: busyWithHints(splits, { clients: 12 }),
  from: 17,
});

caughtTest({
  name: "a copy that is told of before it is on disk",
  file: "node/peer-service",
  find: "const listener = synced ? reply : undefined;",
  replace: "const listener = undefined; if (synced) reply.onDurable();",
  laws: ["durability", "regular reads"],
  plan: busy(
    [
      ["power loss", 250],
      ["kill", 250],
    ],
    { keysPerBucket: 3, safetyMs: 6000, disk: { leastCommitMs: 50, mostCommitMs: 300 } },
  ),
  from: 44,
});

caughtTest({
  name: "a peer that is never up again",
  file: "rpc/peers",
  find: '!isSuspected, isSuspected ? "it is silent" : "it answers"',
  replace: 'false, "it is silent"',
  laws: ["liveness"],
  plan: busy([["pause", 500]]),
});
