/** Bugs in how seats pass on (§4.9), in clusters whose members change while clients call. */

import { busy, withoutHints } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

const joining = { changes: new Map([["join", 1000]] as const), keysPerBucket: 6, safetyMs: 8000 };

caughtTest({
  name: "a holder that goes on speaking after its seal",
  file: "node/seats",
  find: "return entry && voiceOfEntry(entry);",
  replace: `const hold = entry?.record.hold;
        return hold?.kind === "sealed" ? hold : entry && voiceOfEntry(entry);`,
  laws: ["one seat, one voice", "regular reads"],
  plan: busy([["slow network", 1000]], joining),
});

caughtTest({
  name: "a member that holds nothing and goes without being told to",
  file: "node/departure",
  find: "return ring.members.get(self)?.isLeaving === true;",
  replace: "return ring.members.has(self);",
  laws: ["only who is told to goes"],
  plan: busy([], { nodes: 9, settings: { partitions: 8, n: 1, r: 1, w: 1 }, safetyMs: 12_000, mostRestMs: 500 }),
});

caughtTest({
  name: "a decision on a seat that is told before it is on disk",
  file: "node/seats",
  find: "return (await this.#write(partition, undefined)) ? after : undefined;",
  replace: `void this.#write(partition, undefined);
        return after;`,
  laws: ["one seat, one voice", "regular reads", "durability"],
  plan: busy([["power loss", 700]], { ...joining, disk: { leastCommitMs: 50, mostCommitMs: 300 } }),
});

caughtTest({
  name: "a rebuild that fences nobody",
  file: "core/seats/rebuild",
  find: "return { ...record, known: withFence(known, seat, epoch, by), grant:",
  replace: "return { ...record, known, grant:",
  laws: ["one seat, one voice", "regular reads"],
  plan: busy([["wiped disk", 1000]], { nodes: 4, keysPerBucket: 6, safetyMs: 8000 }),
});

caughtTest({
  name: "a rebuild that copies nothing",
  file: "node/rebuild",
  find: "const copied = await this.#copies.copyTail(partition, holder, hold.seat);",
  replace: 'const copied = { kind: "whole", keys: 0 };',
  and: { find: "await this.#copyAhead(partition, seat)", replace: "undefined" },
  laws: ["regular reads", "durability"],
  plan: withoutHints(busy([["wiped disk", 1000]], { nodes: 4, keysPerBucket: 6, safetyMs: 8000 })),
});

caughtTest({
  name: "a rebuild that copies one other seat and no more",
  file: "core/seats/rebuild",
  find: "if (copied === undefined || copied.epoch < knownSeat(known, seat).held)",
  replace: "if (hold.copied.length === 0)",
  laws: ["one seat, one voice", "regular reads", "durability"],
  plan: withoutHints(busy([["wiped disk", 1000]], { nodes: 4, keysPerBucket: 6, safetyMs: 8000 })),
});
