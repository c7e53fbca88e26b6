/**
 * Gossip (§4.8.1): once a second with a random member, and with a seed now and then, each side learns what the other
 * knows of the cluster's history and of the nodes.
 *
 * One exchange begins with a summary of fixed size (`core/membership/summary.ts`). Who knows the same says just that, so
 * that a cluster at rest pays as little for a thousand nodes as for ten. Else the two exchange digests of what differs,
 * then the difference, cut to a bounded part; the rest comes with the next rounds. What is known of seats goes the same
 * way, by one hash (`seat-news.ts`). A node's view of who is up or down is its own and never travels.
 *
 * Seeds, the addresses the operator gave, are how two sides that lost all of each other's addresses find back
 * together.
 */

import type { NodeId } from "../core/ids.ts";
import { digestOf, missingFrom } from "../core/membership/history.ts";
import { isNewerRecord, type RecordVersion } from "../core/membership/node-record.ts";
import { differingGroups, groupOf, sameHistory } from "../core/membership/summary.ts";
import { sameHash } from "../core/merkle/hash-tree.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import { isDiskFull } from "../storage/engine.ts";
import type { Answer, Done, GossipDelta, GossipDigest, Gossip as GossipRequest, Request } from "../wire/message.ts";
import { type MemberCalls, type NoAnswer, refuse } from "./member-calls.ts";
import type { Absorbed, Membership } from "./membership.ts";
import type { SeatNews } from "./seat-news.ts";
import type { Seats } from "./seats.ts";

export interface GossipOptions {
  /** Addresses the operator gave (`--join`). */
  readonly seeds: readonly Address[];
  /** Mean time between rounds, in ms. */
  readonly everyMs: number;
  /** One round in so many is with a seed. */
  readonly seedEvery: number;
  /** How long an answer may take, in ms. */
  readonly timeoutMs: number;
  /** Most events, and most records, in one message. */
  readonly mostEntries: number;
}

export const defaultGossipOptions: GossipOptions = {
  seeds: [],
  everyMs: 1000,
  seedEvery: 20,
  timeoutMs: 2000,
  mostEntries: 1000,
};

/** Most members that are told of something at once; the others hear of it by rounds. */
const mostSpread = 16;

interface NoRoom {
  readonly kind: "no-room";
  readonly why: string;
}

/** What gossip carries, and how. */
export interface GossipParts {
  readonly runtime: Runtime;
  readonly membership: Membership;
  readonly calls: MemberCalls;
  readonly seats: Seats;
  readonly news: SeatNews;
}

type Ask = (request: Request) => Promise<Answer | NoAnswer>;

export class Gossip {
  readonly #runtime: Runtime;
  readonly #membership: Membership;
  readonly #calls: MemberCalls;
  readonly #seats: Seats;
  readonly #news: SeatNews;
  readonly #options: GossipOptions;
  readonly #ticker: Ticker;
  readonly #tasks: TaskGroup;
  /** Members with whom an exchange is under way that somebody asked for. */
  readonly #urgent: Set<NodeId> = new Set();
  #rounds = 0;
  #hasHeard = false;

  constructor(parts: GossipParts, options: GossipOptions) {
    const { runtime, membership, calls, seats, news } = parts;
    this.#seats = seats;
    this.#news = news;
    this.#runtime = runtime;
    this.#membership = membership;
    this.#calls = calls;
    this.#options = options;
    const { clock, random, log } = runtime;
    const round = (): Promise<void> => this.#round();
    this.#ticker = new Ticker({ name: "gossip", clock, random, log, everyMs: options.everyMs, round });
    this.#tasks = new TaskGroup(log);
  }

  /** Starts the rounds; for members only. */
  start(): void {
    this.#ticker.start();
  }

  /** Whether anybody has told this node anything since it started. */
  get hasHeard(): boolean {
    return this.#hasHeard;
  }

  async stop(): Promise<void> {
    await this.#ticker.stop();
    await this.#tasks.close();
  }

  /** Exchanges with the node at once, unless that is under way: its ring was seen to differ. */
  gossipNow(node: NodeId): void {
    if (this.#urgent.has(node) || node === this.#membership.self) return;
    this.#urgent.add(node);
    this.#tasks.run("gossip", async () => {
      try {
        await this.exchange(node);
      } finally {
        this.#urgent.delete(node);
      }
    });
  }

  /**
   * Exchanges with some members at once, because something is new here that should not wait for a round: this node's
   * address, for one, or nobody could ask it for anything in its first seconds. Resolves when they have answered, or
   * will not.
   */
  async spread(): Promise<void> {
    const some = this.#others().slice(0, mostSpread);
    await Promise.all(some.map((node) => this.exchange(node)));
  }

  /** The same, without waiting for it. */
  spreadSoon(): void {
    this.#tasks.run("gossip", () => this.spread());
  }

  /** Exchanges with every member. Resolves when each has answered, or will not in time: whether anybody has. */
  async askAll(): Promise<boolean> {
    const went = await Promise.all(this.#others().map((node) => this.exchange(node)));
    return went.includes(true);
  }

  /**
   * One exchange with the node. True if it went through and was not cut: then this node knows all events that the
   * other knew when it was asked.
   */
  exchange(node: NodeId): Promise<boolean> {
    return this.#exchange((request) => this.#calls.ask(node, request, this.#options.timeoutMs), node);
  }

  async #round(): Promise<void> {
    const { random } = this.#runtime;
    const { seeds, seedEvery, timeoutMs } = this.#options;
    this.#rounds++;
    const [other] = this.#others();
    if (seeds.length > 0 && (this.#rounds % seedEvery === 0 || other === undefined)) {
      const seed = seeds[random.below(seeds.length)] as Address;
      const known = [...this.#membership.records.values()].find(({ peer }) => peer === seed);
      if (known?.node === this.#membership.self) return;
      await this.#exchange((request) => this.#calls.askAddress(seed, request, timeoutMs), seed);
    } else if (other !== undefined) {
      await this.exchange(other);
    }
  }

  /** The other members, in random order. */
  #others(): readonly NodeId[] {
    const others = [...this.#membership.ring.members.keys()].filter((node) => node !== this.#membership.self);
    for (let i = others.length - 1; i > 0; i--) {
      const j = this.#runtime.random.below(i + 1);
      [others[i], others[j]] = [others[j] as NodeId, others[i] as NodeId];
    }
    return others;
  }

  async #exchange(ask: Ask, whom: string): Promise<boolean> {
    const { summary } = this.#membership;
    const theirs = await ask({ kind: "gossip", id: 0, summary, seats: this.#seats.tableHash() });
    if (theirs.kind === "done") {
      this.#hasHeard = true;
      return true;
    }
    if (theirs.kind !== "gossip-digest") return false;
    const isDone = await this.#exchangeMembers(theirs, ask, whom);
    if (this.#hasHeard && !sameHash(theirs.seats, this.#seats.tableHash())) await this.#news.exchange(ask);
    return isDone;
  }

  /** Exchanges what differs of the history and of the records. True if all of the history came. */
  async #exchangeMembers(theirs: GossipDigest, ask: Ask, whom: string): Promise<boolean> {
    if (theirs.history === undefined && theirs.groups.length === 0) {
      this.#hasHeard = true;
      return true;
    }
    const answer = await ask(this.#deltaFor(theirs));
    if (answer.kind !== "gossip-answer") return false;
    const absorbed = await this.#absorb(answer);
    if (absorbed.kind !== "absorbed") {
      this.#runtime.log.warn("a peer's news cannot be taken in", { peer: whom, why: absorbed.why });
      return false;
    }
    this.#hasHeard = true;
    return answer.events.length < this.#options.mostEntries;
  }

  /** On a full disk nothing can be taken in: the node goes on with what it knows, and asks again. */
  async #absorb({ events, records }: Pick<GossipDelta, "events" | "records">): Promise<Absorbed | NoRoom> {
    try {
      return await this.#membership.absorb(events, records);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return { kind: "no-room", why: error.message };
    }
  }

  /** What the other lacks, and a question for what it has. */
  #deltaFor(theirs: GossipDigest): GossipDelta {
    const { history, records } = this.#membership;
    const { mostEntries } = this.#options;
    const known = new Map(theirs.records.map((entry) => [entry.node, entry]));
    const groups = new Set(theirs.groups);
    const newer = [...records.values()].filter((record) => {
      return groups.has(groupOf(record.node)) && isNews(record, known.get(record.node));
    });
    const wanted = theirs.records.filter((entry) => isNews(entry, records.get(entry.node)));
    return {
      kind: "gossip-delta",
      id: 0,
      events: theirs.history === undefined ? [] : missingFrom(history, theirs.history).slice(0, mostEntries),
      records: newer.slice(0, mostEntries),
      ...(theirs.history === undefined ? {} : { history: digestOf(history) }),
      wanted: wanted.slice(0, mostEntries).map(({ node }) => node),
    };
  }

  /** A peer tells what it knows in brief, and is told where this node knows something else. */
  handleGossip({ id, summary: theirs, seats: theirSeats }: GossipRequest): GossipDigest | Done {
    const { summary, history, records } = this.#membership;
    const isSame = sameHistory(summary.history, theirs.history);
    const groups = differingGroups(summary.records, theirs.records);
    const seats = this.#seats.tableHash();
    if (isSame && groups.size === 0 && sameHash(seats, theirSeats)) return { kind: "done", id };
    const digest = [...records.values()].filter(({ node }) => groups.has(groupOf(node)));
    return {
      kind: "gossip-digest",
      id,
      ...(isSame ? {} : { history: digestOf(history) }),
      groups: [...groups],
      records: digest.map(({ node, incarnation, version }) => ({ node, incarnation, version })),
      seats,
    };
  }

  /** A peer sends what this node lacked, and asks for what it lacks. `bad-request`: it cannot be believed. */
  async handleDelta(request: GossipDelta): Promise<Answer> {
    const { id, wanted, history: theirs } = request;
    const { mostEntries } = this.#options;
    const absorbed = await this.#absorb(request);
    if (absorbed.kind === "invalid") {
      return refuse(id, this.#membership.ringVersion, "bad-request", absorbed.why);
    }
    const { history, records } = this.#membership;
    return {
      kind: "gossip-answer",
      id,
      events: theirs === undefined ? [] : missingFrom(history, theirs).slice(0, mostEntries),
      records: wanted.slice(0, mostEntries).flatMap((node) => records.get(node) ?? []),
    };
  }
}

function isNews(version: RecordVersion, known: RecordVersion | undefined): boolean {
  return known === undefined || isNewerRecord(version, known);
}
