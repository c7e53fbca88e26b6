/** Bugs in the log engine, under whole nodes: what was on a disk must be found there when its next process looks. */

import { busy } from "./busy-plan.ts";
import { caughtTest } from "./planted-bug.ts";

const crashes = [
  ["power loss", 300],
  ["kill", 600],
] as const;
const options = {
  logEngine: { segmentBytes: 4000, checkpointBytes: 2000 },
  keysPerBucket: 3,
  safetyMs: 6000,
  disk: { leastCommitMs: 1, mostCommitMs: 30 },
} as const;
const plan = busy(crashes, options);

caughtTest({
  name: "a log that answers before its group is on disk, under whole nodes",
  file: "storage/log/group-commit",
  find: "await this.#sync(segment.file);",
  replace: "",
  laws: ["disks keep"],
  plan,
});

caughtTest({
  name: "a log that stores an old value again behind a newer one",
  file: "storage/log/group-commit",
  find: "const copies = this.#copies.slice(0, taken).filter((copy) => directory.isAt(copy.key, copy.segment, copy.offset));",
  replace: "const copies = this.#copies.slice(0, taken);",
  laws: ["disks keep"],
  plan: busy(crashes, { ...options, keysPerBucket: 1, clients: 16 }),
  from: 29,
});

caughtTest({
  name: "a log that begins at its checkpoint and does not read on",
  file: "storage/log/recovery",
  find: "await apply(group, directory, turn);",
  replace: "",
  laws: ["disks keep"],
  plan,
});

caughtTest({
  name: "a log that takes damage in its middle for its end, under whole nodes",
  file: "storage/log/log-walk",
  find: "await this.#mustBeTheEnd(at);",
  replace: "",
  laws: ["disks keep"],
  plan: busy([["changed bit", 300]], { ...options, logEngine: { segmentBytes: 100_000, checkpointBytes: 1e9 } }),
});
