/**
 * One seed from beginning to end: found a cluster, let clients and faults loose on it, heal it, and judge.
 *
 * Two phases. *Safety*: faults are on, and nothing that was promised may break. *Liveness*: all is healed, and within
 * bounded virtual time every node must be ready, every call answered, every key readable at every node with all voices,
 * and all must show the same.
 */

import type { BucketSettings } from "../core/settings.ts";
import { checkBounds } from "./checkers/bounds.ts";
import { checkCausality } from "./checkers/causality.ts";
import { compareOwners } from "./checkers/convergence.ts";
import { checkDisk } from "./checkers/disks.ts";
import { checkDurability } from "./checkers/durability.ts";
import { tombstonesOnDisks } from "./checkers/forgetting.ts";
import { checkHandoff, hintsOnDisks } from "./checkers/handoff.ts";
import { checkHonestAnswers } from "./checkers/honest-answers.ts";
import { checkNewestWins } from "./checkers/newest-wins.ts";
import { OneVoice } from "./checkers/one-voice.ts";
import { checkOnlyIfAbsent } from "./checkers/only-if-absent.ts";
import { checkRegularReads } from "./checkers/regular-reads.ts";
import { checkResurrection } from "./checkers/resurrection.ts";
import { type BuildNode, SimCluster } from "./cluster.ts";
import { Nemesis } from "./faults.ts";
import { Journal, type KeyJournal } from "./journal.ts";
import { lastReads } from "./last-reads.ts";
import type { ChangeName } from "./membership-changes.ts";
import { doesExchange, doesForget, drawPlan, type FaultName, leniencyOf, mustHintsDo, type Plan } from "./plan.ts";
import { Simulation, type Surroundings, type Violation } from "./simulation.ts";
import type { TraceLine } from "./trace.ts";
import { describeMembers, isWhole, seatsPending, whatIsPending } from "./wholeness.ts";
import { Client, type Known, type WorkloadCounts } from "./workload.ts";

/** A founding cluster that nothing disturbs is complete by then, and a healed one well again, in ms. */
const mostFoundingMs = 120_000;
const mostHealingMs = 120_000;
/** Of the seats on their way another one arrives within so long, in ms, or the time of healing begins. */
const settlingMs = 30_000;
/** Once all nodes see each other, no hint is left after so long, in ms. */
const mostHandoffMs = 60_000;
/** Calls a key, beyond which the checkers, which compare each with each, would take longer than the run. */
const mostCallsPerKey = 800;
/** Rounds of exchanges after which all owners must hold the same. */
const mostRepairs = 5;
/** How often the bounds are looked at, in ms. */
const lookMs = 200;

export interface Report {
  readonly seed: number;
  readonly plan: Plan;
  readonly violations: readonly Violation[];
  readonly counts: WorkloadCounts;
  readonly faults: ReadonlyMap<FaultName, number>;
  readonly changes: ReadonlyMap<ChangeName, number>;
  readonly warnings: ReadonlyMap<string, number>;
  /** Pairs of a read and a write that the read had to see. */
  readonly regularPairs: number;
  /** Acknowledged writes looked for at the end. */
  readonly durableWrites: number;
  /** Versions that reads showed, each looked at for whether something had replaced it. */
  readonly versionsShown: number;
  readonly recordsRead: number;
  /** Copies on disks held against each other after exchanges, before any read. */
  readonly copiesCompared: number;
  /** Keys that exchanges repaired once all was healed. */
  readonly keysRepaired: number;
  /** Acknowledged writes looked for at each owner where hints alone had to bring them. */
  readonly handedOver: number;
  /** Tombstones on disks that had to be forgotten before a last round of reads. */
  readonly tombstonesForgotten: number;
  readonly gaugesRead: number;
  /** Requests that asked for several zones and had them. */
  readonly zoned: number;
  /** Voices that came to be on disks, and answers held against them. */
  readonly voices: { readonly voices: number; readonly answers: number };
  /** How often a log engine found on its disk what others had left there. */
  readonly logsOpened: number;
  /** Writes that crashes took from the disks before they were acknowledged. */
  readonly lostWrites: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly trace: string;
}

export interface RunOptions {
  readonly seed: number;
  readonly surroundings: Surroundings;
  readonly build: BuildNode;
  /** Hears what happens, line by line. */
  readonly tell?: TraceLine;
  /** Changes what the seed has drawn: for tests that need a certain kind of run. */
  readonly adjust?: (plan: Plan) => Plan;
}

export async function runSeed(options: RunOptions): Promise<Report> {
  const run = new Run(options);
  await run.play();
  return run.report();
}

class Run {
  readonly #simulation: Simulation;
  readonly #plan: Plan;
  readonly #cluster: SimCluster;
  readonly #nemesis: Nemesis;
  readonly #journal: Journal;
  readonly #voices: OneVoice;
  readonly #settings: Map<string, BucketSettings> = new Map();
  readonly #counts: WorkloadCounts = { reads: 0, failedReads: 0, acknowledged: 0, refused: 0, unknown: 0 };
  #regularPairs = 0;
  #durableWrites = 0;
  #versionsShown = 0;
  #recordsRead = 0;
  #copiesCompared = 0;
  #keysRepaired = 0;
  #handedOver = 0;
  #tombstonesForgotten = 0;
  #gaugesRead = 0;

  constructor({ seed, surroundings, build, tell, adjust }: RunOptions) {
    const drawn = drawPlan(seed);
    this.#plan = adjust === undefined ? drawn : adjust(drawn);
    this.#simulation = new Simulation(seed, surroundings, tell);
    this.#cluster = new SimCluster(this.#simulation, this.#plan, build);
    this.#nemesis = new Nemesis(this.#cluster);
    this.#journal = new Journal(this.#simulation);
    this.#voices = new OneVoice(this.#cluster);
    this.#cluster.network.onMessage = (message, from, to) => {
      this.#voices.heard(message, from, to);
      this.#cluster.zones.heard(message, from, to);
      this.#cluster.asked.heard(message, from);
    };
  }

  async play(): Promise<void> {
    if (!(await this.#found())) return;
    await this.#safety();
    if (!(await this.#heal())) return;
    if (!(await this.#handOff())) return;
    if (!(await this.#converge())) return;
    await this.#liveness();
    this.#judge();
  }

  report(): Report {
    const { seed, violations, now, events, trace } = this.#simulation;
    return {
      seed,
      plan: this.#plan,
      violations,
      counts: this.#counts,
      faults: this.#nemesis.counts,
      changes: this.#nemesis.changes,
      warnings: this.#cluster.warnings,
      regularPairs: this.#regularPairs,
      durableWrites: this.#durableWrites,
      versionsShown: this.#versionsShown,
      recordsRead: this.#recordsRead,
      copiesCompared: this.#copiesCompared,
      keysRepaired: this.#keysRepaired,
      handedOver: this.#handedOver,
      tombstonesForgotten: this.#tombstonesForgotten,
      gaugesRead: this.#gaugesRead,
      zoned: this.#cluster.zones.answered,
      voices: this.#voices.counts,
      logsOpened: this.#cluster.everyone.reduce((sum, { machine }) => sum + machine.disk.openedAgain, 0),
      lostWrites: this.#cluster.everyone.reduce((sum, { machine }) => sum + machine.disk.lostWrites, 0),
      events,
      virtualMs: now,
      trace: trace.digest(),
    };
  }

  /** The first member founds the cluster, the others join it; then the buckets get their properties. */
  async #found(): Promise<boolean> {
    const { members } = this.#cluster;
    for (const member of members) {
      this.#cluster.start(member);
      if (member === members[0] && !(await this.#isSoon("the first node founds a cluster", () => member.hasJoined))) {
        return false;
      }
    }
    if (!(await this.#isSoon("the founding cluster completes", this.#whole()))) return false;
    for (const { name, change } of this.#plan.buckets) {
      if (!(await this.#setBucket(name, change))) return false;
    }
    return this.#isSoon("all know all buckets", this.#whole());
  }

  async #setBucket(name: string, change: Plan["buckets"][number]["change"]): Promise<boolean> {
    const node = this.#cluster.members[0]?.node;
    if (node === undefined) return false;
    if (Object.keys(change).length > 0) {
      const until = this.#simulation.now + mostFoundingMs;
      for (;;) {
        const outcome = await this.#simulation.settle(node.setBucket(name, change), mostFoundingMs, "setBucket");
        if (outcome.kind === "set") break;
        if (this.#simulation.now > until) {
          this.#simulation.violate("liveness", `bucket ${name} cannot be set: ${outcome.detail}`);
          return false;
        }
        await this.#simulation.run(500);
      }
    }
    const view = node.bucket(name);
    this.#settings.set(name, { ...view, n: Math.min(view.n, this.#plan.nodes) });
    return true;
  }

  /** Clients and faults, for as long as the plan says. */
  async #safety(): Promise<void> {
    const simulation = this.#simulation;
    const until = simulation.now + this.#plan.safetyMs;
    const mostCalls = mostCallsPerKey * this.#plan.buckets.length * this.#plan.keysPerBucket;
    const isOver = (): boolean =>
      simulation.now >= until || simulation.violations.length > 0 || this.#calls >= mostCalls;
    const shared = new Map<KeyJournal, Known[]>();
    const clients = Array.from({ length: this.#plan.clients }, (_, i) => this.#client(`c${i + 1}`, shared));
    let working = clients.length;
    for (const client of clients) {
      void client.run(isOver).then(() => {
        working--;
      });
    }
    this.#nemesis.start();
    while (!isOver()) {
      await simulation.run(lookMs);
      for (const member of this.#cluster.running) {
        this.#gaugesRead += checkBounds(this.#cluster, member);
      }
    }
    this.#nemesis.heal();
    await this.#isSoon("clients end", () => working === 0);
  }

  get #calls(): number {
    const { reads, acknowledged, refused, unknown } = this.#counts;
    return reads + acknowledged + refused + unknown;
  }

  async #heal(): Promise<boolean> {
    await this.#seatsSettle();
    if (!(await this.#isSoon("a healed cluster is whole again", this.#whole(), mostHealingMs))) return false;
    const areBack = (): boolean => this.#cluster.areAllSound && this.#cluster.haveAllVoices;
    const waitsMs = this.#cluster.areAllSound ? 0 : this.#plan.limits.messageLifeMs;
    if (!(await this.#isSoon("voices and records come back", areBack, mostHealingMs + waitsMs))) return false;
    if (!(await this.#changesEnd())) return false;
    // What was under way when the faults ended has to end, too.
    await this.#simulation.run(this.#plan.limits.requestTimeoutMs + 5000);
    return true;
  }

  /**
   * Waits while seats come to those who shall hold them: on slow links many take long, and how long nobody promises, but
   * that it goes on.
   */
  async #seatsSettle(): Promise<void> {
    let least = Number.POSITIVE_INFINITY;
    for (let until = this.#simulation.now + settlingMs; this.#simulation.now < until; ) {
      const pending = seatsPending(this.#cluster);
      if (pending === 0) return;
      if (pending < least) until = this.#simulation.now + settlingMs;
      least = Math.min(least, pending);
      await this.#simulation.run(1000);
    }
  }

  /** Every change of members that was begun is complete. */
  async #changesEnd(): Promise<boolean> {
    if (await this.#comes(() => whatIsPending(this.#cluster) === undefined, mostHealingMs, 100)) return true;
    this.#simulation.violate("liveness", `changes of members end: ${whatIsPending(this.#cluster)}`);
    return false;
  }

  /** Hints go home. */
  async #handOff(): Promise<boolean> {
    const isDrained = (): boolean => hintsOnDisks(this.#cluster) === 0;
    if (!(await this.#isSoon("hints are handed over", isDrained, mostHandoffMs))) return false;
    if (mustHintsDo(this.#plan)) this.#handedOver += checkHandoff(this.#cluster, this.#journal);
    return true;
  }

  /**
   * Exchanges, before any read. One round is not always enough: a link may still be so slow that a connection over it
   * is given up, and what one owner learned late the next round tells the others.
   */
  async #converge(): Promise<boolean> {
    const nodes = this.#cluster.members.flatMap(({ node }) => node ?? []);
    for (let round = 1; ; round++) {
      for (const node of nodes) node.startRepair();
      const isOver = (): boolean => nodes.every((node) => !node.repair().running);
      if (!(await this.#isSoon("exchanges end", isOver, mostHealingMs))) return false;
      for (const node of nodes) this.#keysRepaired += node.repair().lastRun?.keysRepaired ?? 0;
      const { copies, differences } = compareOwners(this.#cluster, this.#journal);
      this.#copiesCompared += copies;
      if (differences.length > 0 && round < mostRepairs) continue;
      for (const difference of differences) this.#simulation.violate("convergence", difference);
      return true;
    }
  }

  /**
   * Writes every key once, or deletes it where deletes are to be forgotten, then reads it at every node. A healed network
   * may still be so slow that a stand-in takes a write: then its hint goes home first.
   */
  async #liveness(): Promise<void> {
    const simulation = this.#simulation;
    const client = this.#client("reader", new Map());
    const prng = simulation.prng("last writes");
    for (const key of this.#journal.keys.values()) {
      const member = prng.pick(this.#cluster.members);
      const kind = doesForget(this.#plan) && prng.chance(0.7) ? "delete" : "put";
      const written = client.writeSurely(member, key, kind, mostHealingMs);
      if (!(await simulation.settle(written, 2 * mostHealingMs, "last write"))) {
        simulation.violate("liveness", `${member.machine.name} cannot write ${key.bucket}/${key.key}\n${key.story()}`);
      }
    }
    // What an owner has not confirmed becomes a hint when the write's time is up.
    await simulation.run(this.#plan.limits.requestTimeoutMs + 5000);
    await this.#handOff();
    await this.#readEverywhere(client);
    if (doesForget(this.#plan)) await this.#forget(client);
  }

  /**
   * Tombstones go, and nothing comes back. A read that is under way while owners forget may give one of them its
   * tombstone back, and if that one does not lead it takes an exchange until the others hear of it.
   */
  async #forget(client: Client): Promise<void> {
    this.#tombstonesForgotten = tombstonesOnDisks(this.#cluster);
    const areGone = (): boolean => tombstonesOnDisks(this.#cluster) === 0;
    const withinMs = 5 * this.#plan.limits.reapGraceMs + mostHandoffMs;
    if (!doesExchange(this.#plan) && !(await this.#comes(areGone, withinMs, 500)) && !(await this.#converge())) return;
    if (!(await this.#isSoon("tombstones are forgotten", areGone, withinMs, 500))) return;
    await this.#readEverywhere(client);
  }

  /** Reads all keys at all nodes, and looks for every acknowledged write in what they show. */
  async #readEverywhere(client: Client): Promise<void> {
    const { damage } = this.#nemesis;
    const leniency = leniencyOf(this.#plan);
    const keys = [...this.#journal.keys.values()];
    for (const [key, reads] of await lastReads(this.#cluster, client, keys, mostHealingMs)) {
      for (const read of reads) {
        this.#durableWrites += checkDurability(this.#simulation, key, read, damage, leniency);
      }
    }
  }

  #judge(): void {
    const simulation = this.#simulation;
    const leniency = leniencyOf(this.#plan);
    for (const member of this.#cluster.everyone) this.#recordsRead += checkDisk(simulation, this.#journal, member);
    for (const key of this.#journal.keys.values()) {
      checkCausality(simulation, key, leniency);
      checkNewestWins(simulation, key);
      checkHonestAnswers(simulation, key);
      checkOnlyIfAbsent(simulation, key, this.#nemesis.damage);
      this.#regularPairs += checkRegularReads(simulation, key, this.#nemesis.damage, leniency);
      this.#versionsShown += checkResurrection(simulation, key, this.#nemesis.damage, leniency);
    }
  }

  #client(name: string, shared: Map<KeyJournal, Known[]>): Client {
    return new Client({
      name,
      cluster: this.#cluster,
      journal: this.#journal,
      counts: this.#counts,
      shared,
      settings: this.#settings,
    });
  }

  #whole(): () => boolean {
    const seenUp = new Set<string>();
    return () => isWhole(this.#cluster, seenUp);
  }

  async #isSoon(what: string, condition: () => boolean, withinMs = mostFoundingMs, everyMs = 20): Promise<boolean> {
    if (await this.#comes(condition, withinMs, everyMs)) return true;
    this.#simulation.violate("liveness", `${what}: not within ${withinMs} ms; ${describeMembers(this.#cluster)}`);
    return false;
  }

  /** Whether the condition comes to hold. */
  async #comes(condition: () => boolean, withinMs: number, everyMs: number): Promise<boolean> {
    const until = this.#simulation.now + withinMs;
    while (this.#simulation.now < until) {
      if (condition()) return true;
      await this.#simulation.run(everyMs);
    }
    return false;
  }
}
