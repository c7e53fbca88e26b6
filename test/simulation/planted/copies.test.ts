/** Bugs in how copies are counted, stored and brought together: quorums, disks, voices, exchanges, membership. */

import { busy, withoutHints } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

const crashes = [
  ["power loss", 400],
  ["kill", 400],
] as const;

caughtTest({
  name: "a quorum of one voice too few",
  file: "core/quorum/tally",
  find: "if (voices >= answers)",
  replace: "if (voices >= Math.max(1, answers - 1))",
  laws: ["regular reads", "durability"],
  plan: busy(
    [
      ["cut", 300],
      ["slow network", 2000],
      ["wiped disk", 1000],
    ],
    { safetyMs: 8000 },
  ),
  from: 16,
});

caughtTest({
  name: "a copy that counts before it is on disk",
  file: "node/plain-put",
  find: "const listener = synced ? this : undefined;",
  replace: "const listener = undefined;",
  laws: ["durability", "regular reads"],
  plan: busy(crashes, {
    settings: { partitions: 8, n: 1, r: 1, w: 1 },
    safetyMs: 6000,
    keysPerBucket: 3,
    disk: { leastCommitMs: 50, mostCommitMs: 300 },
  }),
});

caughtTest({
  name: "a write buffer that does not read what is under way to the disk",
  file: "storage/write-buffer",
  find: "const waiting = this.#gathering.get(key.id) ?? this.#underWay.get(key.id);",
  replace: "const waiting = this.#gathering.get(key.id);",
  laws: ["durability", "regular reads", "causality", "dots"],
  plan: busy([], { disk: { leastCommitMs: 20, mostCommitMs: 100 } }),
});

caughtTest({
  name: "a member that lost its disk and speaks all the same",
  file: "node/seats",
  find: "setRecord(entry, learn(entry.record, known, self));",
  replace: `{
    const seat = known.findIndex(({ holder }) => holder === self);
    if (seat < 0) setRecord(entry, learn(entry.record, known, self));
    else setRecord(entry, { known, hold: { kind: "active", seat, epoch: known[seat].held } });
  }`,
  laws: ["regular reads", "durability"],
  plan: withoutHints(busy([["wiped disk", 1000]], { safetyMs: 8000, keysPerBucket: 3 })),
});

caughtTest({
  name: "a replica that does not check what came over the wire",
  file: "node/peer-service",
  find: "this.#node.runtime.checksum(version.value) !== version.checksum",
  replace: "false",
  laws: ["integrity", "no error is logged"],
  plan: busy([["corruption", 20]], {
    nodes: 5,
    settings: { partitions: 8, n: 1, r: 1, w: 1 },
    valueBytes: 12_000,
    safetyMs: 4000,
  }),
});

caughtTest({
  name: "an exchange that leaves out the first tree that differs",
  file: "node/exchange",
  find: "for (const place of differing)",
  replace: "for (const place of differing.slice(1))",
  laws: ["convergence"],
  plan: withoutHints(busy([["split", 600]], { keysPerBucket: 6 })),
});

caughtTest({
  name: "hash trees that are not told of merges",
  file: "node/trees",
  find: "this.#apply(place, before, after);",
  replace: "if (before === undefined) this.#apply(place, before, after);",
  laws: ["convergence"],
  plan: withoutHints(busy([["split", 600]], { keysPerBucket: 6 })),
});

caughtTest({
  name: "gossip that tells nobody what it knows",
  file: "node/gossip",
  find: "if (shown === undefined && isSilent(news) && sameHash(seats, theirSeats))",
  replace: "if (true)",
  laws: ["liveness"],
  plan: busy([["power loss", 500]]),
});
