/**
 * The nemesis: does to the cluster what the plan says, as often as it says, and undoes it all at the end.
 */

import type { SimCluster, SimMember } from "./cluster.ts";
import { Damage } from "./damage.ts";
import type { FaultName } from "./plan.ts";
import type { Prng } from "./prng.ts";
import type { Simulation } from "./simulation.ts";

/** A node that was asked to stop must have done so by then, in ms. */
const mostStopMs = 20_000;

export class Nemesis {
  readonly damage: Damage = new Damage();
  /** How often each fault occurred. */
  readonly counts: Map<FaultName, number> = new Map();
  readonly #simulation: Simulation;
  readonly #cluster: SimCluster;
  readonly #prng: Prng;
  #isOver = false;

  constructor(cluster: SimCluster) {
    this.#simulation = cluster.simulation;
    this.#cluster = cluster;
    this.#prng = cluster.simulation.prng("faults");
  }

  /** Faults from now until `heal`. */
  start(): void {
    for (const [fault, meanMs] of this.#cluster.plan.faults) this.#next(fault, meanMs);
  }

  /** Ends every fault: all machines run, all links carry, all clocks are right. */
  heal(): void {
    this.#isOver = true;
    this.#simulation.tell("nemesis", "heals everything");
    this.#cluster.network.traits = this.#cluster.plan.link;
    this.#cluster.network.mendAll();
    for (const member of this.#cluster.members) {
      this.#makeRoom(member);
      member.machine.disk.stall(0);
      member.machine.clock.correct();
      member.machine.process?.resume();
      this.#restart(member);
    }
  }

  #next(fault: FaultName, meanMs: number): void {
    this.#after(this.#prng.uniform(0.1, 1.9) * meanMs, () => {
      if (this.#isOver) return;
      const what = this.#strike(fault);
      if (what !== undefined) {
        this.#simulation.tell("nemesis", `${fault}: ${what}`);
        this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
      }
      this.#next(fault, meanMs);
    });
  }

  /** Does it; says to whom, or undefined where there was nobody. */
  #strike(fault: FaultName): string | undefined {
    const prng = this.#prng;
    const { members, network } = this.#cluster;
    const one = prng.pick(members);
    const other = prng.pick(members);
    const name = one.machine.name;
    switch (fault) {
      case "kill":
        return this.#crash(one, () => this.#cluster.kill(one));
      case "power loss":
        return this.#crash(one, () => this.#cluster.losePower(one));
      case "graceful stop":
        return this.#stop(one);
      case "pause":
        return this.#pause(one, prng.skewed(20, 8000));
      case "cut":
        if (one === other) return undefined;
        this.#cut(
          [
            [one, other],
            [other, one],
          ],
          prng.skewed(50, 10_000),
        );
        return `${name} and ${other.machine.name}`;
      case "one-way cut":
        if (one === other) return undefined;
        this.#cut([[one, other]], prng.skewed(50, 10_000));
        return `${name} to ${other.machine.name}`;
      case "split":
        return this.#split(prng.skewed(100, 10_000));
      case "reset": {
        let resets = 0;
        for (let i = prng.between(1, 5); i > 0; i--) if (network.resetOne()) resets++;
        return resets === 0 ? undefined : `${resets} connections`;
      }
      case "corruption":
        return network.corruptOne() ? "one bit on its way" : undefined;
      case "slow network": {
        network.traits = {
          ...network.traits,
          mostDelayMs: prng.pick([100, 400, 2000]),
          spikeChance: 0.05,
          spikeMs: 4000,
        };
        const slowMs = prng.skewed(200, 5000);
        this.#after(slowMs, () => {
          network.traits = this.#cluster.plan.link;
        });
        return `for ${slowMs.toFixed(0)} ms`;
      }
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
    }
  }

  /** At once, or in the middle of the machine's next write, where there is something to lose. */
  #crash(member: SimMember, crash: () => void): string | undefined {
    const { machine } = member;
    const { process } = machine;
    if (process === undefined) return undefined;
    const now = (): void => {
      if (this.#isOver || process.isDead) return;
      crash();
      this.#lose(member, "memory");
      // A process that waits to join knows only the addresses it was started with.
      const mayMove = this.#cluster.members.every(({ hasJoined }) => hasJoined);
      if (this.#prng.chance(0.2) && mayMove) this.#cluster.move(member);
      this.#restartSoon(member);
      this.#simulation.tell(
        "nemesis",
        `${process.name} crashed, ${machine.disk.lostWrites} writes lost by its disk so far`,
      );
    };
    if (this.#prng.chance(0.3)) {
      now();
      return machine.name;
    }
    machine.disk.whenNextWrite((commitMs) => this.#after(this.#prng.uniform(0, commitMs), now));
    return `${machine.name} in its next write`;
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

  #cut(ways: readonly (readonly [SimMember, SimMember])[], durationMs: number): void {
    const { network } = this.#cluster;
    for (const [from, to] of ways) network.cut(from.machine, to.machine);
    this.#after(durationMs, () => {
      for (const [from, to] of ways) network.mend(from.machine, to.machine);
    });
  }

  #split(durationMs: number): string {
    const shuffled = this.#prng.shuffled(this.#cluster.members);
    const size = this.#prng.between(1, shuffled.length - 1);
    const [left, right] = [shuffled.slice(0, size), shuffled.slice(size)];
    this.#cut(
      left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const])),
      durationMs,
    );
    const names = (side: readonly SimMember[]): string => side.map(({ machine }) => machine.name).join(" ");
    return `${names(left)} | ${names(right)}`;
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

  /** One disk a run: the loss of a second would be allowed to cost what was acknowledged by two. */
  #wipe(member: SimMember): string | undefined {
    if (this.damage.wiped > 0 || !member.hasJoined) return undefined;
    this.#cluster.kill(member);
    this.#cluster.wipe(member);
    this.#lose(member, "memory");
    this.#lose(member, "disk");
    if (this.#prng.chance(0.5)) this.#cluster.move(member);
    this.#restartSoon(member);
    return member.machine.name;
  }

  #restartSoon(member: SimMember): void {
    this.#after(this.#prng.skewed(1, 10_000), () => this.#restart(member));
  }

  #restart(member: SimMember): void {
    if (member.machine.process === undefined) this.#cluster.start(member);
  }

  #lose(member: SimMember, kind: "memory" | "disk", to: number = this.#simulation.now): void {
    this.damage.losses.push({ member: member.machine.name, from: this.#simulation.now, to, kind });
  }

  #after(delayMs: number, run: () => void): void {
    this.#simulation.schedule(delayMs, undefined, run);
  }
}
