/** Each checker over small histories written by hand: quiet where all is well, loud where one thing is wrong. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DotSet } from "../../src/core/causality/dot-set.ts";
import type { ActorId } from "../../src/core/ids.ts";
import { defaultBucketSettings, defaultClusterSettings } from "../../src/core/settings.ts";
import { checkCausality } from "../../src/sim/checkers/causality.ts";
import { checkDurability } from "../../src/sim/checkers/durability.ts";
import { checkHonestAnswers } from "../../src/sim/checkers/honest-answers.ts";
import type { Leniency } from "../../src/sim/checkers/leniency.ts";
import { checkNewestWins } from "../../src/sim/checkers/newest-wins.ts";
import { checkOnlyIfAbsent } from "../../src/sim/checkers/only-if-absent.ts";
import { checkRegularReads } from "../../src/sim/checkers/regular-reads.ts";
import { checkResurrection } from "../../src/sim/checkers/resurrection.ts";
import { Damage } from "../../src/sim/damage.ts";
import { Journal, type KeyJournal, type ReadEntry, type WriteEntry } from "../../src/sim/journal.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

/** The set of dots `counters` of actor "a". */
const dots = (...counters: number[]): DotSet =>
  counters.map((counter) => ({ actor: "a" as ActorId, from: counter, to: counter, time: 1000 + counter }));

class Story {
  readonly simulation: Simulation = new Simulation(1, nodeSurroundings);
  readonly journal: Journal = new Journal(this.simulation);
  readonly key: KeyJournal;
  #now = 0;

  constructor(change: Partial<KeyJournal["settings"]> = {}) {
    this.key = this.journal.key("b", "k", { ...defaultBucketSettings(defaultClusterSettings), ...change });
  }

  /** A write with dot a:`counter`, acknowledged by two synced copies unless said otherwise. */
  write(counter: number, seen: DotSet, change: Partial<WriteEntry> = {}): WriteEntry {
    const write: WriteEntry = {
      number: this.journal.nextNumber(),
      kind: "put",
      client: "c",
      node: "n1",
      seen,
      readsFirst: false,
      isRetried: false,
      onlyIfAbsent: false,
      copies: 2,
      zones: 1,
      owners: 0,
      voices: 2,
      seats: 3,
      synced: true,
      began: this.#now++,
      ended: this.#now++,
      fate: "acknowledged",
      why: "",
      dot: undefined,
      dots: [],
      time: 1000 + counter,
      ...change,
    };
    this.journal.began(this.key, write);
    if (write.fate === "acknowledged" || counter > 0) {
      this.journal.named(this.key, { actor: "a" as ActorId, counter }, write, "in a test");
    }
    return write;
  }

  read(context: DotSet, ...shown: WriteEntry[]): ReadEntry {
    const read: ReadEntry = {
      number: this.journal.nextNumber(),
      client: "c",
      node: "n1",
      answers: 2,
      voices: 2,
      seats: 3,
      began: this.#now++,
      ended: this.#now++,
      context,
      isLast: false,
      shown: shown.map((write) => ({ write, dot: write.dot ?? assert.fail() })),
    };
    this.key.reads.push(read);
    return read;
  }

  laws(check: (story: Story) => void): string[] {
    check(this);
    return this.simulation.violations.map(({ law }) => law);
  }
}

const strict: Leniency = { prunes: false, forgetsAfterMs: Number.POSITIVE_INFINITY };
const pruning: Leniency = { ...strict, prunes: true };
const forgetting: Leniency = { ...strict, forgetsAfterMs: 1 };

const causality = (story: Story): void => checkCausality(story.simulation, story.key, strict);
const regular = (story: Story): void => void checkRegularReads(story.simulation, story.key, new Damage(), strict);
const resurrection = ({ simulation, key }: Story): void =>
  void checkResurrection(simulation, key, new Damage(), forgetting);

test("causality: a version that a read knows and does not show must have been replaced by one it knows", () => {
  const well = new Story();
  const [, second] = [well.write(1, []), well.write(2, dots(1))];
  well.read(dots(1, 2), second);
  assert.deepEqual(well.laws(causality), []);

  const lost = new Story();
  const [, concurrent] = [lost.write(1, []), lost.write(2, [])];
  lost.read(dots(1, 2), concurrent);
  assert.deepEqual(lost.laws(causality), ["causality"]);

  const early = new Story();
  early.write(1, []);
  early.write(2, dots(1));
  early.read(dots(1));
  assert.deepEqual(early.laws(causality), ["causality"], "the write that replaced it is not in the context");
});

test("causality: a write whose answer was lost may be what replaced a version, a refused one may not", () => {
  for (const [fate, laws] of [
    ["unknown", []],
    ["refused", ["causality"]],
  ] as const) {
    const story = new Story();
    story.write(1, []);
    story.write(0, dots(1), { kind: "delete", fate, time: undefined });
    story.read(dots(1, 9));
    assert.deepEqual(story.laws(causality), laws);
  }
});

test("causality: a version is not shown beside one that had seen it", () => {
  const story = new Story();
  const [first, second] = [story.write(1, []), story.write(2, dots(1))];
  story.read(dots(1, 2), first, second);
  assert.deepEqual(story.laws(causality), ["causality"]);
});

test("dots: one dot for two writes, and two dots for one write, are told", () => {
  const twice = new Story();
  twice.write(1, []);
  twice.write(1, []);
  assert.deepEqual(
    twice.simulation.violations.map(({ law }) => law),
    ["dots"],
  );
  const two = new Story();
  const write = two.write(1, []);
  two.journal.named(two.key, { actor: "a" as ActorId, counter: 2 }, write, "in a test");
  assert.deepEqual(
    two.simulation.violations.map(({ law }) => law),
    ["dots"],
  );
});

test("regular reads: a read must see what was acknowledged before it began, if their voices overlap", () => {
  for (const [held, answered, laws] of [
    [2, 2, ["regular reads"]],
    [2, 1, []],
    [3, 1, ["regular reads"]],
    [1, 2, []],
  ] as const) {
    const story = new Story();
    story.write(1, [], { voices: held });
    const read = story.read([]);
    story.key.reads[0] = { ...read, voices: answered };
    assert.deepEqual(story.laws(regular), laws, `held by ${held} voices, answered by ${answered}`);
  }
  const late = new Story();
  late.write(1, [], { ended: 1e9 });
  late.read([]);
  assert.deepEqual(late.laws(regular), [], "not acknowledged before it began");
});

test("regular reads: memory that was lost excuses a write acknowledged from memory, and no synced one", () => {
  for (const [synced, laws] of [
    [true, ["regular reads"]],
    [false, []],
  ] as const) {
    const story = new Story();
    const { ended } = story.write(1, [], { synced });
    const damage = new Damage();
    damage.losses.push({ member: "n1", from: ended, to: ended, kind: "memory" });
    story.read([]);
    assert.deepEqual(
      story.laws(({ simulation, key }) => void checkRegularReads(simulation, key, damage, strict)),
      laws,
    );
  }
});

test("durability: what was acknowledged is known at the end, unless as many disks were lost as held it", () => {
  for (const [voices, losses, laws] of [
    [1, [], ["durability"]],
    [1, ["n1"], ["durability"]],
    [1, ["n1", "n2"], []],
    // The first was filled from the second before that was lost, too.
    [2, ["n1", "n2"], ["durability"]],
  ] as const) {
    const story = new Story();
    const { ended } = story.write(1, [], { voices });
    const last = story.read([]);
    const damage = new Damage();
    for (const member of losses) damage.losses.push({ member, from: ended, to: ended, kind: "disk" });
    assert.deepEqual(
      story.laws(({ simulation, key }) => void checkDurability(simulation, key, last, damage, strict)),
      laws,
    );
  }
});

test("durability: what many voices held goes with one disk once its bucket was told to keep one copy, and not before", () => {
  for (const [bucket, copies, toldAt, until, laws] of [
    ["b", 1, 5, 5, []],
    ["b", 1, 5, Number.POSITIVE_INFINITY, []],
    ["b", 1, 6, 5, ["durability"]],
    ["b", 2, 5, 5, ["durability"]],
    ["another", 1, 5, 5, ["durability"]],
    ["b", 1, 1e9, Number.POSITIVE_INFINITY, ["durability"]],
  ] as const) {
    const story = new Story();
    story.write(1, [], { copies: 3, voices: 3 });
    const damage = new Damage();
    damage.losses.push({ member: "n1", from: 5, to: until, kind: "disk" });
    damage.losses.push({ member: "n2", from: 7, to: 7, kind: "memory" });
    damage.told.push({ bucket, copies, at: toldAt });
    const last = { ...story.read([]), began: 10, ended: 11 };
    assert.deepEqual(
      story.laws(({ simulation, key }) => void checkDurability(simulation, key, last, damage, strict)),
      laws,
      `${bucket} told ${copies} at ${toldAt}`,
    );
  }
});

test("durability under pruning: a write may be forgotten only if something that had seen it is not", () => {
  for (const [seen, laws] of [
    [dots(1), []],
    [[], ["durability"]],
  ] as const) {
    const story = new Story();
    story.write(1, []);
    const second = story.write(2, seen);
    const last = story.read(dots(2), second);
    const check = ({ simulation, key }: Story): void =>
      void checkDurability(simulation, key, last, new Damage(), pruning);
    assert.deepEqual(story.laws(check), laws);
  }
});

test("honest answers: what was refused for certain must not be shown", () => {
  const story = new Story();
  const write = story.write(1, [], { fate: "refused" });
  story.read(dots(1), write);
  assert.deepEqual(
    story.laws(({ simulation, key }) => checkHonestAnswers(simulation, key)),
    ["honest answers"],
  );
});

test("newest wins: one version, and none older than what its client had seen", () => {
  const newest = ({ simulation, key }: Story): void => checkNewestWins(simulation, key);
  const beside = new Story({ reconcile: "last-write-wins" });
  beside.read(dots(1, 2), beside.write(1, []), beside.write(2, []));
  assert.deepEqual(beside.laws(newest), ["newest wins"]);
  const backwards = new Story({ reconcile: "last-write-wins" });
  backwards.write(1, []);
  backwards.write(2, dots(1), { time: 900 });
  assert.deepEqual(backwards.laws(newest), ["newest wins"]);
  const lost = new Story({ reconcile: "last-write-wins" });
  lost.write(1, []);
  lost.write(2, []);
  lost.read(dots(1), lost.key.writes[0] ?? assert.fail());
  assert.deepEqual(lost.laws(regular), ["regular reads"], "the newer one was acknowledged before");
});

test("only if absent: not over a version that a quorum read had to find", () => {
  const absent = ({ simulation, key }: Story): void => checkOnlyIfAbsent(simulation, key, new Damage());
  const over = new Story();
  over.write(1, []);
  over.write(2, [], { onlyIfAbsent: true });
  assert.deepEqual(over.laws(absent), ["only if absent"]);
  const deleted = new Story();
  deleted.write(1, []);
  deleted.write(2, dots(1), { kind: "delete" });
  deleted.write(3, [], { onlyIfAbsent: true });
  assert.deepEqual(deleted.laws(absent), []);
  const thin = new Story();
  thin.write(1, [], { voices: 1 });
  thin.write(2, [], { onlyIfAbsent: true });
  assert.deepEqual(thin.laws(absent), [], "one copy of three need not be in a majority");
});

test("durability where owners forget: a delete may leave no trace once it is old, and what it replaced stays away", () => {
  for (const [leniency, laws] of [
    [forgetting, []],
    [strict, ["durability"]],
  ] as const) {
    const story = new Story();
    story.write(1, []);
    story.write(2, dots(1), { kind: "delete" });
    const last = story.read([]);
    const check = ({ simulation, key }: Story): void =>
      void checkDurability(simulation, key, last, new Damage(), leniency);
    assert.deepEqual(story.laws(check), laws);
  }
});

test("no resurrection: what a delete had seen is not shown by a read that had to see the delete, forgotten or not", () => {
  for (const [voices, laws] of [
    [2, ["no resurrection"]],
    [1, []],
  ] as const) {
    const story = new Story();
    const write = story.write(1, []);
    story.write(2, dots(1), { kind: "delete", voices });
    story.read(dots(1), write);
    assert.deepEqual(story.laws(resurrection), laws, `the delete was held by ${voices} voices`);
  }
  const known = new Story();
  const write = known.write(1, []);
  known.write(2, dots(1), { kind: "delete", voices: 0 });
  known.read(dots(1, 2), write);
  assert.deepEqual(known.laws(resurrection), ["no resurrection"], "the read's own context holds the delete");
  const concurrent = new Story();
  const survivor = concurrent.write(1, []);
  concurrent.write(2, [], { kind: "delete" });
  concurrent.read(dots(1, 2), survivor);
  assert.deepEqual(concurrent.laws(resurrection), [], "the delete had not seen it");
});

test("no resurrection: once all is healed, not even what only stand-ins had been told was replaced", () => {
  const story = new Story();
  const write = story.write(1, []);
  story.write(2, dots(1), { kind: "delete", voices: 0 });
  const read = story.read(dots(1), write);
  assert.deepEqual(story.laws(resurrection), []);
  read.isLast = true;
  assert.deepEqual(story.laws(resurrection), ["no resurrection"]);
});

test("a write with a write id may have a dot for each attempt, and each dot is still its own", () => {
  const story = new Story();
  const write = story.write(1, [], { isRetried: true });
  story.journal.named(story.key, { actor: "a" as ActorId, counter: 2 }, write, "in a test");
  assert.deepEqual(story.simulation.violations, []);
  story.write(2, []);
  assert.deepEqual(
    story.simulation.violations.map(({ law }) => law),
    ["dots"],
  );
});
