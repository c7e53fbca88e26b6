/**
 * The product's rule of passing a seat on, and what is left of it without each of its parts. A weaker rule differs from
 * the product's in what it says here and in nothing else.
 */

export interface SeatRule {
  readonly name: string;
  /** A holder falls silent before its successor takes the last copy, ... */
  readonly seals: boolean;
  /** ... on disk, ... */
  readonly sealIsSynced: boolean;
  /** ... and what it admitted before then is in its store, and so in that copy. */
  readonly commitsAtOnce: boolean;
  /** The successor copies what came after its first copy, ... */
  readonly copiesLate: boolean;
  /** ... and has it on disk, before it is active. */
  readonly syncsCopy: boolean;
  /** The old holder keeps its copy until it learns that the successor is active. */
  readonly waitsForConfirmation: boolean;
  /** The old holder goes on only once its successor has refused for ever, not because it is silent. */
  readonly waitsForRefusal: boolean;
  /** A hand-over is to one directory of a member, not to whatever has its name later. */
  readonly namesIncarnation: boolean;
  /** A copy goes only after a hand-over, or once a voice has merged it; not because others are the owners now. */
  readonly keepsWhatItHolds: boolean;
  /** An answer that is older than what another's node knows does not count. */
  readonly comparesEpochs: boolean;
  /** A hand-over passes on what the old holder knew. */
  readonly handsKnowledgeOn: boolean;
  /** Who rebuilds a seat has the other holders remember that, ... */
  readonly fences: boolean;
  /** ... before it copies them, ... */
  readonly fencesFirst: boolean;
  /** ... on their disks, ... */
  readonly fenceIsSynced: boolean;
  /** ... at an epoch above all that the lost holder can have handed on. */
  readonly generations: boolean;
  /** All other seats are copied, not just one. */
  readonly copiesAll: boolean;
  /** A newer promise for a seat leaves the older ones standing, ... */
  readonly promisesStand: boolean;
  /** ... and each ends with the word of the one it was given to. */
  readonly promisesAreNamed: boolean;
  /** Who knows of no other holder does not rebuild a seat that was held. */
  readonly needsOther: boolean;
  /**
   * By which seats a request counts: those that have been held or fenced, as its answers know; those that have been held,
   * as if a seat were there only once somebody speaks for it; or as if there were ever one.
   */
  readonly countsBy: "fences" | "holders" | "nothing";
}

export const seatRule: SeatRule = {
  name: "the product's rule",
  seals: true,
  sealIsSynced: true,
  commitsAtOnce: true,
  copiesLate: true,
  syncsCopy: true,
  waitsForConfirmation: true,
  waitsForRefusal: true,
  namesIncarnation: true,
  keepsWhatItHolds: true,
  comparesEpochs: true,
  handsKnowledgeOn: true,
  fences: true,
  fencesFirst: true,
  fenceIsSynced: true,
  generations: true,
  copiesAll: true,
  promisesStand: true,
  promisesAreNamed: true,
  needsOther: true,
  countsBy: "fences",
};

/** A weaker rule, and the seed from which on to look for a history that breaks it: some are one in thousands. */
export interface WeakerSeatRule {
  readonly rule: SeatRule;
  readonly from: number;
  /** How many seats have holders at first; all, if not said. */
  readonly filled?: number;
}

export const weakerSeatRules: readonly WeakerSeatRule[] = [
  { from: 29, rule: { ...seatRule, name: "no silence: the old holder goes on speaking", seals: false } },
  { from: 232, rule: { ...seatRule, name: "the seal is not on disk", sealIsSynced: false } },
  {
    from: 88,
    rule: { ...seatRule, name: "a write is admitted before the seal and stored after it", commitsAtOnce: false },
  },
  { from: 1, rule: { ...seatRule, name: "no relay: what came after the first copy stays behind", copiesLate: false } },
  { from: 69, rule: { ...seatRule, name: "the copy is not on the successor's disk", syncsCopy: false } },
  {
    from: 69,
    rule: { ...seatRule, name: "no confirmation: the old holder drops what it has sent", waitsForConfirmation: false },
  },
  {
    from: 10,
    rule: { ...seatRule, name: "the old holder goes on when its successor is silent", waitsForRefusal: false },
  },
  { from: 150, rule: { ...seatRule, name: "a hand-over is to whoever has the name", namesIncarnation: false } },
  { from: 41, rule: { ...seatRule, name: "a node drops what the ring does not give it", keepsWhatItHolds: false } },
  { from: 353, rule: { ...seatRule, name: "epochs are not compared", comparesEpochs: false } },
  { from: 16009, rule: { ...seatRule, name: "a hand-over passes no knowledge on", handsKnowledgeOn: false } },
  { from: 31, rule: { ...seatRule, name: "a rebuild fences nobody", fences: false } },
  { from: 515, rule: { ...seatRule, name: "a rebuild copies, then fences", fencesFirst: false } },
  { from: 2979, rule: { ...seatRule, name: "a fence is not on disk", fenceIsSynced: false } },
  { from: 5540, rule: { ...seatRule, name: "a rebuild is one epoch later, like a hand-over", generations: false } },
  { from: 1, rule: { ...seatRule, name: "a rebuild copies one other seat", copiesAll: false } },
  {
    from: 201,
    filled: 1,
    rule: { ...seatRule, name: "who knows of no other holder rebuilds a seat from nothing", needsOther: false },
  },
  {
    from: 22201,
    filled: 1,
    rule: { ...seatRule, name: "a newer promise for a seat takes the place of the older one", promisesStand: false },
  },
  {
    from: 73101,
    filled: 2,
    rule: { ...seatRule, name: "who gives up ends another one's promise, too", promisesAreNamed: false },
  },
  { from: 1, filled: 1, rule: { ...seatRule, name: "a seat counts once it has a holder", countsBy: "holders" } },
  { from: 201, filled: 2, rule: { ...seatRule, name: "one answer is enough in a young cluster", countsBy: "nothing" } },
];
