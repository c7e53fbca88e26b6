/**
 * The product's rule of reaping and compaction, and what is left of it without each of its conditions. A weaker rule
 * differs from the product's in what it says here and in nothing else.
 */

export interface ReapingRule {
  readonly name: string;
  /** (1) The owners' states must be the same, ... */
  readonly agree: boolean;
  /** ... be on disk as they are in memory, ... */
  readonly onDisk: boolean;
  /** ... and unchanged for the grace time. */
  readonly graceMs: number;
  /** (2) Every member answers, ... */
  readonly everyMember: boolean;
  /** ... holds no hint for the key, ... */
  readonly hints: boolean;
  /** ... and no copy that it owns nothing of any more, ... */
  readonly copies: boolean;
  /** ... and held neither for so long. */
  readonly quietMs: number;
  /** Nor did any member come or go: what one that was removed has sent is on its way for a while. */
  readonly settledMs: number;
  /** (3) An owner compares before it forgets. */
  readonly compares: boolean;
  /** Frames of more than this age are dropped. */
  readonly frameLifeMs: number;
  /** A read that began longer ago repairs nothing any more. */
  readonly repairLifeMs: number;
  /** A node set back to a backup starts empty, and so does a removed one that comes back. */
  readonly returnsEmpty: boolean;
}

/** A message's life in the model. */
const lifeMs = 100;

export const reapingRule: ReapingRule = {
  name: "the product's rule",
  agree: true,
  onDisk: true,
  graceMs: 8 * lifeMs,
  everyMember: true,
  hints: true,
  copies: true,
  quietMs: 4 * lifeMs,
  settledMs: 8 * lifeMs,
  compares: true,
  frameLifeMs: lifeMs,
  repairLifeMs: lifeMs,
  returnsEmpty: true,
};

const never: number = Number.POSITIVE_INFINITY;

export const weakerReapingRules: readonly ReapingRule[] = [
  { ...reapingRule, name: "the owners' states may differ", agree: false },
  { ...reapingRule, name: "an owner's disk may be behind", onDisk: false },
  { ...reapingRule, name: "no grace", graceMs: 0 },
  { ...reapingRule, name: "members that do not answer are left out", everyMember: false },
  { ...reapingRule, name: "hints are not asked for", hints: false },
  { ...reapingRule, name: "hints and copies may have been there just now", quietMs: 0 },
  { ...reapingRule, name: "copies of former owners are not asked for", copies: false },
  { ...reapingRule, name: "a member may have been removed just now", settledMs: 0 },
  { ...reapingRule, name: "an owner forgets whatever it holds by then", compares: false },
  { ...reapingRule, name: "frames of any age are taken", frameLifeMs: never },
  { ...reapingRule, name: "reads of any age repair", repairLifeMs: never },
  {
    ...reapingRule,
    name: "backups are restored, and removed members come back, with what they held",
    returnsEmpty: false,
  },
];
