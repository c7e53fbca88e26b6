/**
 * Changes of the cluster's members while clients and faults go on: what operators ask, sensible or not, of any node and at
 * any moment, on both sides of a split, several at once, with either side killed meanwhile.
 *
 * Bounds: as many members stay as buckets keep copies, no more than `mostMembers` come, and no disk is lost for good, nor
 * its member removed, that would be a partition's second one (`lost-seats.ts`).
 */

import type { MemberChangeOutcome } from "../node/api.ts";
import type { RunningNode, SimCluster, SimMember } from "./cluster.ts";
import { maySpare } from "./lost-seats.ts";
import type { Prng } from "./prng.ts";
import { isStray, nameOthersTo } from "./strays.ts";

export const changeNames = [
  "join",
  "leave",
  "remove",
  "capacity",
  "zone",
  "both sides of a split",
  "n of a bucket",
] as const;
export type ChangeName = (typeof changeNames)[number];
/** What an operator asks for of members. */
type Asked = Exclude<ChangeName, "both sides of a split" | "n of a bucket">;

/** The bucket whose n changes: not below what the plan says, so that what its requests ask for can be had all along. */
const changing = "carts";
const mostMore = 2;

/** A cluster does not grow beyond this: what is run for its members costs the square of them. */
const mostMembers = 9;
const asked: readonly Asked[] = ["join", "leave", "remove", "capacity", "zone"];
/** An operator asks again what is not done after so long, in ms. */
const askAgainMs = 3000;
/** For so long an operator looks whether all are members that were to be, in ms. */
const watchMs = 90_000;
const capacities = [1, 1, 2, 4] as const;

/** What changes need of the nemesis. */
export interface Hands {
  /** Kills the member's process, which is started again some time later. */
  crash(member: SimMember): void;
  /** What is on this member's disk may be gone, and it may be believed for as long as it runs. */
  isRemoved(member: SimMember, runsOn: boolean): void;
  isOver(): boolean;
}

export class MembershipChanges {
  /** How often members changed in each way. */
  readonly counts: Map<ChangeName, number> = new Map();
  readonly #cluster: SimCluster;
  readonly #prng: Prng;
  readonly #hands: Hands;
  /** The greatest n that the changing bucket had. */
  #mostCopies = 0;

  constructor(cluster: SimCluster, hands: Hands) {
    this.#cluster = cluster;
    this.#prng = cluster.simulation.prng("changes");
    this.#hands = hands;
  }

  /** Does it, or asks for it. */
  strike(change: ChangeName): void {
    const { members } = this.#cluster;
    if (change === "both sides of a split") return this.#bothSides();
    if (change === "n of a bucket") return this.#changeN();
    this.#one(change, members);
    if (this.#prng.chance(0.2)) this.#one(this.#prng.pick(asked), members);
  }

  /** Once all faults are over: what was asked for and may have been lost on its way is asked for until it is done. */
  insist(): void {
    for (const member of this.#cluster.everyone) {
      if (member.isLost && member.standing === "member") this.#cluster.departs(member, "removed");
      if (member.isLeaving || member.standing === "removed") this.#insistOn(member);
    }
    for (let ms = askAgainMs; ms < watchMs; ms += askAgainMs) this.#after(ms, () => this.#lookForStrays());
  }

  #lookForStrays(): void {
    for (const member of this.#cluster.everyone)
      if (isStray(this.#cluster, member)) nameOthersTo(this.#cluster, member);
  }

  /** Who was removed while it was leaving is not asked to leave once more: it may be gone, and would be leaving for ever. */
  #insistOn(member: SimMember): void {
    const { machine } = member;
    const others = this.#cluster.members.filter((other) => other !== member && other.node?.isReady === true);
    const knowing = others.filter(({ node }) => node?.cluster().members.some(({ name }) => name === machine.name));
    const isDone = member.standing === "left" || (others.length > 0 && knowing.length === 0);
    if (isDone && member.standing !== "member") return;
    const sponsor = knowing.length === 0 ? undefined : this.#prng.pick(knowing);
    if (sponsor !== undefined) {
      this.#ask(sponsor, (node) =>
        member.standing === "removed"
          ? node.remove(machine.name, { force: true })
          : node.leave(machine.name, { force: true }),
      );
    }
    this.#after(askAgainMs, () => this.#insistOn(member));
  }

  /** No more copies than members, or the seats for them would stand in the way of one that leaves. */
  #changeN(): void {
    const { members, plan } = this.#cluster;
    const ready = members.filter(({ node }) => node?.isReady === true);
    const n = plan.settings.n + this.#prng.between(0, mostMore);
    const staying = members.filter(({ isLeaving, isLost, hasJoined }) => hasJoined && !isLeaving && !isLost);
    if (ready.length === 0 || staying.length < n) return;
    this.#mostCopies = Math.max(this.#mostCopies, n);
    this.#cluster.damage.told.push({ bucket: changing, copies: n, at: this.#cluster.simulation.now });
    const sponsor = this.#prng.pick(ready);
    const { node, machine } = sponsor;
    const { simulation } = this.#cluster;
    simulation.schedule(0, machine.process, () => void node?.setBucket(changing, { n }).catch(() => {}));
    this.#count("n of a bucket", `${changing} to ${n}, asked of ${machine.name}`);
    this.#maybeCrash([sponsor]);
  }

  /** Cuts the cluster in two, and has each side change. */
  #bothSides(): void {
    const { members, network } = this.#cluster;
    if (members.length < 2) return;
    const shuffled = this.#prng.shuffled(members);
    const size = this.#prng.between(1, shuffled.length - 1);
    const [left, right] = [shuffled.slice(0, size), shuffled.slice(size)];
    const ways = left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const]));
    for (const [from, to] of ways) network.cut(from.machine, to.machine);
    this.#after(this.#prng.skewed(500, 10_000), () => {
      for (const [from, to] of ways) network.mend(from.machine, to.machine);
    });
    this.#count("both sides of a split", `${namesOf(left)} | ${namesOf(right)}`);
    for (const side of [left, right]) {
      for (let i = this.#prng.between(1, 2); i > 0; i--) this.#one(this.#prng.pick(asked), side);
    }
  }

  /** One change, asked of one of these. */
  #one(change: Asked, sponsors: readonly SimMember[]): void {
    const ready = sponsors.filter(({ node }) => node?.isReady === true);
    const targets = this.#cluster.members.filter(({ hasJoined, isLeaving, isLost }) => {
      return hasJoined && !isLost && (!isLeaving || change === "remove");
    });
    if (change === "join") return this.#join();
    if (ready.length === 0 || targets.length === 0) return;
    const sponsor = this.#prng.pick(ready);
    const member = this.#prng.pick(targets);
    switch (change) {
      case "leave":
        return this.#leave(member, sponsor);
      case "remove":
        return this.#remove(member, sponsor);
      case "capacity": {
        const capacity = this.#prng.pick(capacities);
        return this.#change(change, member, sponsor, { capacity });
      }
      case "zone": {
        const zone = `z${this.#prng.between(1, this.#cluster.plan.zones)}`;
        member.zones.add(zone);
        return this.#change(change, member, sponsor, { zone });
      }
    }
  }

  #join(): void {
    const { members, plan } = this.#cluster;
    if (members.length >= mostMembers) return;
    const zone = `z${this.#prng.between(1, plan.zones)}`;
    const member = this.#cluster.add({ zone, capacity: this.#prng.pick(capacities) });
    this.#cluster.start(member);
    this.#count("join", `${member.machine.name} in ${zone}`);
    this.#maybeCrash([member]);
  }

  #leave(member: SimMember, sponsor: SimMember): void {
    if (!this.#maySpareOne) return;
    member.isLeaving = true;
    const { name } = member.machine;
    this.#ask(
      sponsor,
      (node) => node.leave(name),
      () => {
        // Once all is over it is asked for again, of whoever will.
        if (!this.#hands.isOver()) member.isLeaving = false;
      },
    );
    this.#count("leave", `${name}, asked of ${sponsor.machine.name}`);
    this.#maybeCrash([member, sponsor]);
  }

  /** It is taken for lost: its disk is, or the rest of the cluster only cannot see it, or the operator is wrong. */
  #remove(member: SimMember, sponsor: SimMember): void {
    if (!member.isLeaving && !this.#maySpareOne) return;
    if (member === sponsor || !maySpare(this.#cluster, member.machine)) return;
    const prng = this.#prng;
    const how = prng.pick(["its disk is lost", "it is cut off", "it is up"] as const);
    this.#hands.isRemoved(member, how !== "its disk is lost");
    member.isLost = true;
    if (how === "its disk is lost") {
      this.#cluster.losePower(member);
      member.isOut = true;
    } else if (how === "it is cut off") this.#cutOff(member);
    this.#count("remove", `${member.machine.name}, asked of ${sponsor.machine.name}: ${how}`);
    this.#after(how === "it is up" ? 0 : prng.skewed(0, 8000), () => {
      if (member.standing !== "member") return;
      this.#cluster.departs(member, "removed");
      this.#ask(sponsor, (node) => node.remove(member.machine.name, { force: true }));
    });
    if (how !== "its disk is lost") this.#maybeCrash([member, sponsor]);
  }

  #cutOff(member: SimMember): void {
    const { network, members } = this.#cluster;
    const others = members.filter((other) => other !== member);
    for (const { machine } of others) {
      network.cut(machine, member.machine);
      network.cut(member.machine, machine);
    }
    this.#after(this.#prng.skewed(500, 20_000), () => {
      for (const { machine } of others) {
        network.mend(machine, member.machine);
        network.mend(member.machine, machine);
      }
    });
  }

  #change(
    what: "capacity" | "zone",
    { machine }: SimMember,
    sponsor: SimMember,
    change: { readonly capacity?: number; readonly zone?: string },
  ): void {
    this.#ask(sponsor, (node) => node.changeMember(machine.name, change));
    this.#count(what, `${machine.name} ${JSON.stringify(change)}, asked of ${sponsor.machine.name}`);
    this.#maybeCrash([sponsor]);
  }

  /** Whether the cluster can do with one member less. */
  get #maySpareOne(): boolean {
    const { members, plan } = this.#cluster;
    const staying = members.filter(({ isLeaving, isLost }) => !isLeaving && !isLost);
    const most = Math.max(this.#mostCopies, plan.settings.n, ...plan.buckets.map(({ change }) => change.n ?? 0));
    return staying.length > most;
  }

  /** Either side dies in the middle of it. */
  #maybeCrash(sides: readonly SimMember[]): void {
    if (!this.#prng.chance(0.25)) return;
    const victim = this.#prng.pick(sides);
    this.#after(this.#prng.skewed(0, 5000), () => {
      if (!this.#hands.isOver()) this.#hands.crash(victim);
    });
  }

  /** As a call that arrives at the sponsor's process; whoever dies over it has perhaps done it. */
  #ask(
    { machine, node }: SimMember,
    call: (node: RunningNode) => Promise<MemberChangeOutcome>,
    refused: () => void = () => {},
  ): void {
    const { process } = machine;
    const { simulation } = this.#cluster;
    if (process === undefined || node === undefined) return;
    simulation.schedule(0, process, () => {
      call(node).then(
        (outcome) => {
          const told = outcome.kind === "refused" ? `refuses: ${outcome.why}: ${outcome.detail}` : "accepts the change";
          simulation.tell(process.name, told);
          if (outcome.kind === "refused") refused();
        },
        (error: unknown) => simulation.violate("calls answer", `${process.name}: a change threw ${String(error)}`),
      );
    });
  }

  #count(change: ChangeName, what: string): void {
    this.#cluster.simulation.tell("operator", `${change}: ${what}`);
    this.counts.set(change, (this.counts.get(change) ?? 0) + 1);
  }

  #after(delayMs: number, run: () => void): void {
    this.#cluster.simulation.schedule(delayMs, undefined, run);
  }
}

function namesOf(members: readonly SimMember[]): string {
  return members.map(({ machine }) => machine.name).join(" ");
}
