/**
 * The nemesis: does to the cluster what the plan says, as often as it says, and undoes it all at the end.
 */

import { kindBytes } from "../wire/codec.ts";
import type { SimCluster, SimMember } from "./cluster.ts";
import type { Damage } from "./damage.ts";
import { LinkFaults } from "./link-faults.ts";
import { isHeardOf, maySpare } from "./lost-seats.ts";
import { type ChangeName, MembershipChanges } from "./membership-changes.ts";
import type { FaultName } from "./plan.ts";
import type { Prng } from "./prng.ts";
import type { SimProcess } from "./process.ts";
import type { Simulation } from "./simulation.ts";

/** A node that was asked to stop must have done so by then, in ms. */
const mostStopMs = 20_000;
/** A crash that waits for a message, or for its machine's next write, does not wait longer than that, in ms. */
const mostWatchMs = 8000;
/** What a node says all the time is no moment worth waiting for. */
const messages = Object.keys(kindBytes).filter((kind) => kind !== "ping" && kind !== "done" && kind !== "hello");

export class Nemesis {
  /** How often each fault occurred. */
  readonly counts: Map<FaultName, number> = new Map();
  readonly #simulation: Simulation;
  readonly #cluster: SimCluster;
  readonly #prng: Prng;
  readonly #links: LinkFaults;
  readonly #changes: MembershipChanges;
  #isOver = false;

  constructor(cluster: SimCluster) {
    this.#simulation = cluster.simulation;
    this.#cluster = cluster;
    this.#prng = cluster.simulation.prng("faults");
    this.#links = new LinkFaults(cluster, this.#prng);
    this.#changes = new MembershipChanges(cluster, {
      crash: (member) => {
        if (member.machine.process !== undefined) this.#crash(member, () => this.#cluster.kill(member));
      },
      isRemoved: (member, runsOn) => this.#isRemoved(member, runsOn),
      isOver: () => this.#isOver,
    });
  }

  get damage(): Damage {
    return this.#cluster.damage;
  }

  /** How often members changed in each way. */
  get changes(): ReadonlyMap<ChangeName, number> {
    return this.#changes.counts;
  }

  /** Faults, and changes of members, from now until `heal`. */
  start(): void {
    const { faults, changes } = this.#cluster.plan;
    for (const [fault, meanMs] of faults) this.#next(meanMs, () => this.#note(this.counts, fault, this.#strike(fault)));
    for (const [change, meanMs] of changes) {
      this.#next(meanMs, () => this.#changes.strike(change));
    }
  }

  /** Ends every fault: all machines run, all links carry, all clocks are right. */
  heal(): void {
    this.#isOver = true;
    this.#simulation.tell("nemesis", "heals everything");
    this.#cluster.network.onSent = undefined;
    this.#links.heal();
    for (const member of this.#cluster.everyone) {
      this.#makeRoom(member);
      member.machine.disk.stall(0);
      member.machine.clock.correct();
      member.machine.process?.slow(0);
      member.machine.process?.resume();
      // Who was removed comes back, some with what they held, and is to stay out.
      if (member.standing !== "member" && this.#prng.chance(0.5)) {
        member.isOut = false;
        this.damage.removals.push({ from: this.#simulation.now, until: Number.POSITIVE_INFINITY });
      }
      this.#restart(member);
    }
    this.#changes.insist();
  }

  #next(meanMs: number, strike: () => void): void {
    this.#after(this.#prng.uniform(0.1, 1.9) * meanMs, () => {
      if (this.#isOver) return;
      strike();
      this.#next(meanMs, strike);
    });
  }

  #note<Name extends string>(counts: Map<Name, number>, name: Name, what: string | undefined): void {
    if (what === undefined) return;
    this.#simulation.tell("nemesis", `${name}: ${what}`);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  /** Does it; says to whom, or undefined where there was nobody, or where it is still to come. */
  #strike(fault: FaultName): string | undefined {
    const prng = this.#prng;
    const one = prng.pick(this.#cluster.members);
    const name = one.machine.name;
    switch (fault) {
      case "kill":
        return this.#crash(one, () => this.#cluster.kill(one));
      case "power loss":
        return this.#crash(one, () => this.#cluster.losePower(one));
      case "crash at a message":
        return this.#crashAtMessage();
      case "graceful stop":
        return this.#stop(one);
      case "pause":
        return this.#pause(one, prng.skewed(20, 8000));
      case "slow node":
        return this.#slow(one, prng.skewed(0.2, 20), prng.skewed(100, 6000));
      case "clock jump": {
        const jumpMs = prng.pick([-1, 1]) * Math.floor(prng.skewed(1, prng.pick([100, 10_000, 3_600_000])));
        one.machine.clock.jump(jumpMs);
        return `${name} by ${jumpMs} ms`;
      }
      case "disk stall":
        one.machine.disk.stall(prng.skewed(50, 5000));
        return name;
      case "disk full":
        return this.#fill(one, prng.skewed(50, 4000));
      case "wiped disk":
        return this.#wipe(one);
      case "changed bit":
        return this.#changeBit(one);
      default:
        return this.#links.strike(fault);
    }
  }

  /** At once, or in the middle of the machine's next write, where there is something to lose. */
  #crash(member: SimMember, crash: () => void): string | undefined {
    const { machine } = member;
    const { process } = machine;
    if (process === undefined) return undefined;
    if (this.#prng.chance(0.3)) {
      this.#crashNow(member, process, crash);
      return machine.name;
    }
    machine.disk.whenNextWrite((commitMs) =>
      this.#after(this.#prng.uniform(0, commitMs), () => this.#crashNow(member, process, crash)),
    );
    return `${machine.name} in its next write`;
  }

  #crashNow(member: SimMember, process: SimProcess, crash: () => void): void {
    if (this.#isOver || process.isDead) return;
    crash();
    this.#lose(member, "memory");
    // A process that waits to join knows only the addresses it was started with.
    const mayMove = this.#cluster.members.every(({ hasJoined }) => hasJoined);
    if (this.#prng.chance(0.2) && mayMove) this.#cluster.move(member);
    this.#restartSoon(member);
    const lost = member.machine.disk.lostWrites;
    this.#simulation.tell("nemesis", `${process.name} crashed, ${lost} writes lost by its disk so far`);
  }

  /** Kills the sender or the receiver of the k-th message of some kind, a moment later: in the middle of what it is about. */
  #crashAtMessage(): undefined {
    const { network, members } = this.#cluster;
    if (network.onSent !== undefined) return undefined;
    const prng = this.#prng;
    const kind = prng.pick(messages);
    let left = prng.between(1, 4);
    const isSender = prng.chance(0.5);
    const stopsWatching = (): void => {
      network.onSent = undefined;
    };
    const over = this.#simulation.schedule(mostWatchMs, undefined, stopsWatching);
    network.onSent = (message, from, to) => {
      if (!message.startsWith(kind) || --left > 0) return;
      stopsWatching();
      over.isCancelled = true;
      const victim = members.find(({ machine }) => machine === (isSender ? from : to));
      const process = victim?.machine.process;
      if (victim === undefined || process === undefined) return;
      this.#after(prng.skewed(0, 20), () => {
        if (this.#isOver || process.isDead) return;
        const what = `${process.name}, which ${isSender ? "sent" : "was sent"} ${message}`;
        this.#note(this.counts, "crash at a message", what);
        const isKilled = prng.chance(0.5);
        this.#crashNow(victim, process, () =>
          isKilled ? this.#cluster.kill(victim) : this.#cluster.losePower(victim),
        );
      });
    };
    return undefined;
  }

  #stop(member: SimMember): string | undefined {
    const { process } = member.machine;
    if (process?.isRunning !== true || member.node?.isReady !== true) return undefined;
    process.onDeath(() => this.#restartSoon(member));
    this.#cluster.stop(member);
    this.#after(mostStopMs, () => {
      if (process.isDead || process.isPaused) return;
      this.#simulation.violate("a node stops", `${process.name} was asked to stop ${mostStopMs} ms ago`);
      process.kill();
    });
    return member.machine.name;
  }

  #pause(member: SimMember, durationMs: number): string | undefined {
    const { process } = member.machine;
    if (process?.isRunning !== true) return undefined;
    process.pause();
    this.#after(durationMs, () => process.resume());
    return `${process.name} for ${durationMs.toFixed(0)} ms`;
  }

  #slow(member: SimMember, eventMs: number, durationMs: number): string | undefined {
    const { process } = member.machine;
    if (process?.isRunning !== true) return undefined;
    process.slow(eventMs);
    this.#after(durationMs, () => process.slow(0));
    return `${process.name} for ${durationMs.toFixed(0)} ms, each turn ${eventMs.toFixed(1)} ms`;
  }

  #fill(member: SimMember, durationMs: number): string | undefined {
    const { disk } = member.machine;
    if (disk.isFull) return undefined;
    disk.isFull = true;
    this.#lose(member, "memory", this.#simulation.now + durationMs);
    this.#after(durationMs, () => this.#makeRoom(member));
    return member.machine.name;
  }

  #makeRoom(member: SimMember): void {
    const { disk } = member.machine;
    if (!disk.isFull) return;
    disk.isFull = false;
  }

  /** One disk of a partition at a time: the loss of a second would be allowed to cost what was acknowledged by two. */
  #wipe(member: SimMember): string | undefined {
    if (!member.hasJoined || member.isLost || !maySpare(this.#cluster, member.machine)) return undefined;
    if (!isHeardOf(this.#cluster, member)) return undefined;
    this.#cluster.kill(member);
    this.#cluster.wipe(member);
    this.#lose(member, "memory");
    this.#lose(member, "disk");
    if (this.#prng.chance(0.5)) this.#cluster.move(member);
    this.#restartSoon(member);
    return member.machine.name;
  }

  /** What it makes unreadable must be had of the others: so that counts as a disk that is lost, until it is back. */
  #changeBit(member: SimMember): string | undefined {
    if (!member.hasJoined || member.isLost || !maySpare(this.#cluster, member.machine)) return undefined;
    if (!isHeardOf(this.#cluster, member)) return undefined;
    const isKilled = member.machine.process !== undefined;
    this.#cluster.kill(member);
    const what = member.machine.disk.damage();
    if (isKilled) this.#lose(member, "memory");
    if (isKilled) this.#restartSoon(member);
    if (what === undefined) return undefined;
    this.#lose(member, "disk");
    member.isHurt = true;
    return `${what} of ${member.machine.name}`;
  }

  #restartSoon(member: SimMember): void {
    this.#after(this.#prng.skewed(1, 10_000), () => this.#restart(member));
  }

  #restart(member: SimMember): void {
    if (member.machine.process === undefined && !member.isOut) this.#cluster.start(member);
  }

  #isRemoved({ machine }: SimMember, runsOn: boolean): void {
    const from = this.#simulation.now;
    this.damage.losses.push({ member: machine.name, from, to: Number.POSITIVE_INFINITY, kind: "disk" });
    if (runsOn) this.damage.removals.push({ from, until: Number.POSITIVE_INFINITY });
  }

  #lose(member: SimMember, kind: "memory" | "disk", to: number = this.#simulation.now): void {
    this.damage.losses.push({ member: member.machine.name, from: this.#simulation.now, to, kind });
  }

  #after(delayMs: number, run: () => void): void {
    this.#simulation.schedule(delayMs, undefined, run);
  }
}
