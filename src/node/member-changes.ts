/**
 * What operators ask of any node for any member (§4.8.1): to leave, to be taken for lost, to carry another share, to be in
 * another zone.
 *
 * Each is an event in this node's history, and done once it is on its disk: the rest follows from the history, at
 * whoever hears of it, and needs neither this node nor the operator again. What is refused here is what an operator
 * would regret. It protects nothing: somebody on the other side of a split may accept the contrary at the same moment,
 * and the fold of both decides (`core/ring/members.ts`).
 */

import { isCapacity, isZoneName, newestClaim } from "../core/membership/check-events.ts";
import type { EventDraft } from "../core/membership/event.ts";
import { type Member, memberNamed } from "../core/ring/ring.ts";
import { seatsWanted } from "../core/seats/bucket-seats.ts";
import { StorageError } from "../storage/engine.ts";
import type { MemberChange, MemberChangeOutcome } from "./api.ts";
import type { FailureDetector } from "./failure-detector.ts";
import type { Gossip } from "./gossip.ts";
import type { Membership } from "./membership.ts";

type Refused = Extract<MemberChangeOutcome, { readonly kind: "refused" }>;

export class MemberChanges {
  readonly #membership: Membership;
  readonly #detector: Pick<FailureDetector, "isUp">;
  readonly #gossip: Pick<Gossip, "spreadSoon">;

  constructor(membership: Membership, detector: Pick<FailureDetector, "isUp">, gossip: Pick<Gossip, "spreadSoon">) {
    this.#membership = membership;
    this.#detector = detector;
    this.#gossip = gossip;
  }

  /** Never rejects. */
  leave(name: string, force: boolean): Promise<MemberChangeOutcome> {
    return this.#change(name, (member) => {
      if (member.isLeaving) return [];
      return this.#tooFew(member, force) ?? [{ kind: "leave", node: member.node, claim: newestClaim }];
    });
  }

  /** Takes a leave back, as long as the member is there. Never rejects. */
  stay(name: string): Promise<MemberChangeOutcome> {
    return this.#change(name, ({ node, isLeaving }) => (isLeaving ? [{ kind: "stay", node, claim: newestClaim }] : []));
  }

  /** Never rejects. */
  remove(name: string, force: boolean): Promise<MemberChangeOutcome> {
    return this.#change(name, (member) => {
      const { node, isLeaving } = member;
      if (!force && this.#detector.isUp(node)) {
        return refused("is-up", `${name} is up: have it leave, or remove it by force`);
      }
      // Its own word would mean that it holds nothing any more.
      if (isLeaving && node === this.#membership.self) {
        return refused("is-up", `${name} is leaving, and is up: let it, or ask another member to remove it`);
      }
      return this.#lastOne(member) ?? [{ kind: "remove", node, claim: newestClaim }];
    });
  }

  /** Never rejects. */
  change(name: string, { capacity, zone }: MemberChange): Promise<MemberChangeOutcome> {
    return this.#change(name, (member) => {
      if (capacity !== undefined && !isCapacity(capacity)) {
        return refused("bad-value", `capacity is ${capacity}; it is a whole number from 1 to 100`);
      }
      if (zone !== undefined && !isZoneName(zone)) {
        return refused(
          "bad-value",
          `zone is ${JSON.stringify(zone)}; letters, digits, . _ and - are allowed, 64 at most`,
        );
      }
      const of = { node: member.node, claim: newestClaim } as const;
      const drafts: EventDraft[] = [];
      if (capacity !== undefined && capacity !== member.capacity) drafts.push({ kind: "capacity", ...of, capacity });
      if (zone !== undefined && zone !== member.zone) drafts.push({ kind: "zone", ...of, zone });
      return drafts;
    });
  }

  /** Writes down what `decide` makes of the member as it is then: nothing else comes between. */
  async #change(
    name: string,
    decide: (member: Member) => readonly EventDraft[] | Refused,
  ): Promise<MemberChangeOutcome> {
    const membership = this.#membership;
    if (!membership.isMember || membership.isReplaced) {
      return refused("not-ready", `${membership.name} is no member of a cluster itself`);
    }
    for (;;) {
      const { ring } = membership;
      const member = memberNamed(ring, name);
      if (member === undefined) return refused("unknown-member", `there is no member ${JSON.stringify(name)}`);
      const decided = decide(member);
      if ("kind" in decided) return decided;
      const [draft] = decided;
      if (draft === undefined) return { kind: "accepted" };
      try {
        const event = await membership.append(draft, () => membership.ring === ring);
        if (event !== undefined) this.#gossip.spreadSoon();
        if (event !== undefined && decided.length === 1) return { kind: "accepted" };
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        return refused("not-ready", `${membership.name} cannot store the change: ${error.message}`);
      }
      if (membership.isReplaced) return refused("not-ready", `${membership.name} is no member any more itself`);
    }
  }

  #tooFew(member: Member, force: boolean): Refused | undefined {
    const { ring } = this.#membership;
    const last = this.#lastOne(member);
    const [left, wanted] = [ring.size - 1, seatsWanted(ring)];
    if (last !== undefined || force || left >= wanted) return last;
    const members = left === 1 ? "1 member" : `${left} members`;
    const without = `without ${member.name} ${members} would be left`;
    return (ring.copies.at(-1) as number) === wanted
      ? refused("too-few", `${without} to keep ${wanted} copies of each key`)
      : refused("too-few", `${without}, and partitions have ${wanted} seats since a bucket kept ${wanted} copies`);
  }

  /** Whoever is left alone keeps what there is. */
  #lastOne({ name, isLeaving }: Member): Refused | undefined {
    if (isLeaving || this.#membership.ring.size > 1) return undefined;
    return refused("too-few", `${name} is the last member: nobody would keep what it holds`);
  }
}

function refused(why: Refused["why"], detail: string): Refused {
  return { kind: "refused", why, detail };
}
