/**
 * How a process becomes a member: it asks any address it was given, and the member it reaches, its sponsor, answers
 * for the cluster (§4.8.1: an administrator joins a node through any member).
 *
 * A new node is a member as soon as its sponsor says so; the seats that it shall hold come to it one by one
 * (`transfer.ts`). A node under the name of a member that is down takes that member's place after the loss of its directory: same id, same
 * seats in the ring, a new incarnation, and no voice until it has been filled again. A name that
 * answers is taken. An asker that is a member already, by its directory's id, has missed its answer and gets it
 * again, from whichever sponsor it asks next; where two sponsors wrote its join down, it is the later one's. Unless
 * the member has been heard of since: then the directory is an old copy, and would vouch for what it no longer holds.
 */

import type { NodeId } from "../core/ids.ts";
import { isCapacity, isNodeName, isZoneName, newestClaim } from "../core/membership/check-events.ts";
import { welcomeVersion } from "../core/membership/node-record.ts";
import { type Member, memberNamed } from "../core/ring/ring.ts";
import { type ClusterSettings, settingsMismatch } from "../core/settings.ts";
import { Backoff } from "../runtime/backoff.ts";
import type { Address } from "../runtime/network.ts";
import { Pause } from "../runtime/pause.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Answer, JoinAnswer, JoinRequest, PartitionSeats, RefusalCode } from "../wire/message.ts";
import { type MemberCalls, refuse } from "./member-calls.ts";
import { pastOf } from "./member-options.ts";
import type { Membership } from "./membership.ts";
import type { Seats } from "./seats.ts";

/** How long a sponsor may take: it may have to find out first whether a namesake is up. In ms. */
const joinTimeoutMs = 15_000;
/** A member is taken to be down when it was asked so often, so long apart, and gave no answer. */
const probes = { times: 4, timeoutMs: 500, apartMs: 250 } as const;

/** The sponsor's side. */
export class Sponsor {
  readonly #runtime: Runtime;
  readonly #membership: Membership;
  readonly #calls: MemberCalls;
  readonly #seats: Seats;

  constructor(runtime: Runtime, membership: Membership, calls: MemberCalls, seats: Seats) {
    this.#runtime = runtime;
    this.#membership = membership;
    this.#calls = calls;
    this.#seats = seats;
  }

  /** Makes the asker a member, or says why not: `join-refused` is final, other refusals are worth another try. */
  async handle(request: JoinRequest): Promise<Answer> {
    if (!this.#membership.isMember || this.#membership.isReplaced) {
      return this.#refuse(request, "not-ready", `${this.#membership.name} is no member of a cluster itself yet`);
    }
    const { ring } = this.#membership;
    const flaw = flawOfRequest(request) ?? settingsMismatch(ring.settings, settingsOf(request));
    if (flaw !== undefined) return this.#refuse(request, "join-refused", flaw);
    const known = ring.members.get(request.node);
    if (known !== undefined) {
      if (known.name !== request.name) {
        return this.#refuse(request, "join-refused", `its id is that of member ${known.name}`);
      }
      return this.#welcomeAgain(request, known);
    }
    const namesake = memberNamed(ring, request.name);
    if (namesake?.directory === request.node) return this.#welcomeAgain(request, namesake);
    try {
      if (namesake !== undefined) return await this.#replace(request, namesake);
      return await this.#add(request);
    } catch (error) {
      return this.#refuse(
        request,
        "storage-failed",
        `${this.#membership.name} cannot store the join: ${String(error)}`,
      );
    }
  }

  async #add(request: JoinRequest): Promise<Answer> {
    const { node, name, zone, capacity } = request;
    const isNew = (): boolean => {
      const { ring } = this.#membership;
      return !ring.members.has(node) && memberNamed(ring, name) === undefined;
    };
    const who = { node, directory: node, name, zone, capacity } as const;
    await this.#membership.append({ kind: "join", ...who, claim: newestClaim }, isNew);
    const member = this.#membership.ring.members.get(node);
    if (member !== undefined) return this.#welcome(request, member);
    return this.#refuse(request, "not-ready", `another ${name} became a member meanwhile; try again`);
  }

  async #replace(request: JoinRequest, lost: Member): Promise<Answer> {
    const { node: directory, name, zone, capacity } = request;
    const { node, incarnation } = lost;
    const past = pastOf(this.#membership.ring, node);
    if (node === this.#membership.self || (await this.#isUp(node))) {
      return this.#refuse(request, "join-refused", `the name ${name} is taken by a member that is up`);
    }
    if ((zone !== "" && !past.zones.has(zone)) || !past.capacities.has(capacity)) {
      const was = `zone "${lost.zone}" and capacity ${lost.capacity}`;
      const asked = `not zone "${zone}" and capacity ${capacity}`;
      return this.#refuse(request, "join-refused", `${name} can take its place again with ${was}, ${asked}`);
    }
    const isStill = (): boolean => this.#membership.ring.members.get(node)?.incarnation === incarnation;
    const who = { node, directory, name, zone: lost.zone, capacity: lost.capacity } as const;
    const draft = { kind: "join", ...who, claim: newestClaim } as const;
    const event = await this.#membership.append(draft, isStill);
    const member = this.#membership.ring.members.get(node);
    if (event === undefined || member === undefined) {
      return this.#refuse(request, "not-ready", `${name} was replaced meanwhile; try again`);
    }
    return this.#welcome(request, member);
  }

  async #isUp(node: NodeId): Promise<boolean> {
    const pause = new Pause(this.#runtime.clock);
    for (let i = 0; i < probes.times; i++) {
      const answer = await this.#calls.ask(node, { kind: "ping", id: 0 }, probes.timeoutMs);
      if (answer.kind !== "call-failure") return true;
      await pause.wait(probes.apartMs);
    }
    return false;
  }

  async #welcomeAgain(request: JoinRequest, member: Member): Promise<Answer> {
    if (member.directory === request.node && !this.#hasSpoken(member)) return this.#welcome(request, member);
    const what = `its data directory is from before ${member.name} became a member`;
    return this.#refuse(request, "join-refused", `${what}; with an empty one it takes that member's place`);
  }

  /** Whether the member has said anything of itself: so it had its answer once, and what it knew then was on its disk. */
  #hasSpoken({ node, incarnation }: Member): boolean {
    const record = this.#membership.records.get(node);
    return record?.incarnation === incarnation && record.version > welcomeVersion;
  }

  /** The asker's own words of where it is go out with the answer, until it says something newer itself. */
  async #welcome(request: JoinRequest, member: Member): Promise<JoinAnswer> {
    const { peer, http, software } = request;
    const { node, incarnation } = member;
    const record = { node, incarnation, version: welcomeVersion, peer, http, voices: 0, software };
    await this.#membership.absorb([], [record]);
    const { secret, history: events, records } = this.#membership;
    const known = { events, records: [...records.values()], seats: this.#seats.table() };
    return { kind: "join-answer", id: request.id, node, incarnation, secret, ...known };
  }

  #refuse(request: JoinRequest, code: RefusalCode, detail: string): Answer {
    return refuse(request.id, this.#membership.ringVersion, code, detail);
  }
}

export type JoinOutcome =
  | { readonly kind: "joined"; readonly seats: readonly PartitionSeats[] }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "stopped" };

/** Where this process is to be reached, as its join request and its record say. */
export interface OwnAddresses {
  readonly peer: Address;
  readonly http: Address | "";
}

/** The joiner's side: asks again and again until a member answers. */
export class Joiner {
  readonly #runtime: Runtime;
  readonly #membership: Membership;
  readonly #calls: MemberCalls;
  readonly #pause: Pause;
  #isStopped = false;

  constructor(runtime: Runtime, membership: Membership, calls: MemberCalls) {
    this.#runtime = runtime;
    this.#membership = membership;
    this.#calls = calls;
    this.#pause = new Pause(runtime.clock);
  }

  /** Resolves once this node is a member, or cannot become one. Rejects with `StorageError`. */
  async join(addresses: readonly Address[], own: OwnAddresses): Promise<JoinOutcome> {
    const { random, log } = this.#runtime;
    const backoff = new Backoff(random, { firstMs: 100, longestMs: 2000 });
    for (let tries = random.below(addresses.length); !this.#isStopped; tries++) {
      const address = addresses[tries % addresses.length] as Address;
      const answer = await this.#calls.askAddress(address, this.#request(own), joinTimeoutMs);
      if (this.#isStopped) break;
      if (answer.kind === "join-answer") {
        const adopted = await this.#membership.adopt(answer);
        if (adopted.kind === "absorbed") return { kind: "joined", seats: answer.seats };
        log.warn("a sponsor's answer cannot be believed", { address, why: adopted.why });
      } else if (answer.kind === "refusal" && answer.code === "join-refused") {
        return { kind: "refused", why: answer.detail };
      } else {
        const why = answer.kind === "refusal" ? answer.detail : "no answer";
        log.info("not a member yet", { address, why });
      }
      await this.#pause.wait(backoff.next());
    }
    return { kind: "stopped" };
  }

  /** Gives up; `join` resolves soon. */
  stop(): void {
    this.#isStopped = true;
    this.#pause.end();
  }

  #request(own: OwnAddresses): JoinRequest {
    const { self: node, name, options } = this.#membership;
    const { zone, capacity, settings, software } = options;
    const { partitions, n, r, w } = settings;
    return {
      kind: "join-request",
      id: 0,
      node,
      name,
      zone: zone ?? "",
      capacity: capacity ?? 1,
      ...own,
      software,
      ...(partitions === undefined ? {} : { partitions }),
      ...(n === undefined ? {} : { n }),
      ...(r === undefined ? {} : { r }),
      ...(w === undefined ? {} : { w }),
    };
  }
}

function flawOfRequest({ name, zone, capacity }: JoinRequest): string | undefined {
  if (!isNodeName(name)) return `${JSON.stringify(name)} is no name for a node: letters, digits, . _ and -, 64 at most`;
  if (!isZoneName(zone)) return `${JSON.stringify(zone)} is no name for a zone: letters, digits, . _ and -, 64 at most`;
  return isCapacity(capacity) ? undefined : `capacity is ${capacity}; it is a whole number from 1 to 100`;
}

function settingsOf({ partitions, n, r, w }: JoinRequest): Partial<ClusterSettings> {
  return {
    ...(partitions === undefined ? {} : { partitions }),
    ...(n === undefined ? {} : { n }),
    ...(r === undefined ? {} : { r }),
    ...(w === undefined ? {} : { w }),
  };
}
