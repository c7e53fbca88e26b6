/** Bugs in how seats pass on (§4.9), in clusters whose members change while clients call. */

import { busy } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

const joining = { changes: new Map([["join", 1000]] as const), keysPerBucket: 6, safetyMs: 8000 };

caughtTest({
  name: "a holder that goes on speaking after its seal",
  file: "node/seats",
  find: "return voiceOf(entry.record);",
  replace: `const { hold } = entry.record;
        return hold.kind === "sealed" ? hold : voiceOf(entry.record);`,
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
