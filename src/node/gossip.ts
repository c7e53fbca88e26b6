/**
 * Gossip (§4.8.1): once a second with a random member, or with a seed now and then, each side learns what the other
 * knows of the cluster's history and of the nodes.
 *
 * One exchange begins with a summary of fixed size (`core/membership/summary.ts`). Who knows the same says just that, so
 * that a cluster at rest pays as little for a thousand nodes as for ten. Else the two describe to each other what
 * differs, closer each time, then send it (`core/membership/news.ts`). Of many records that differ only some are
 * compared, chosen at random, and the rest with the next rounds: so a message is bounded, whatever the number of nodes,
 * and nothing waits for ever. What is known of seats goes the same way, by one hash (`seat-news.ts`). A node's view of who
 * is up or down is its own and never travels.
 *
 * Seeds, the addresses the operator gave, are how two sides that lost all of each other's addresses find back
 * together.
 */

import type { NodeId } from "../core/ids.ts";
import { firstNews, isSilent, type News, replyTo } from "../core/membership/news.ts";
import { isForgotten } from "../core/membership/stamp.ts";
import { sameHash } from "../core/merkle/hash-tree.ts";
import type { Ring } from "../core/ring/ring.ts";
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
import type { Stamps } from "./stamps.ts";

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

/** Rounds in a row that nobody answered, after which every other one is with a seed: all may be somewhere else by now. */
const loneRounds = 3;

/**
 * What the descriptions of node records in one message may weigh. So an exchange brings some fifty records at the most,
 * and costs some 10 KB then; a larger one would bring more, and cost more in a cluster where all say something at once.
 */
const partBytes = 2048;

/** Questions in one exchange: of 16 million nodes, a record that differs is found with six. */
const mostSteps = 8;

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
  readonly stamps: Stamps;
}

type Ask = (request: Request) => Promise<Answer | NoAnswer>;

export class Gossip {
  readonly #runtime: Runtime;
  readonly #membership: Membership;
  readonly #calls: MemberCalls;
  readonly #seats: Seats;
  readonly #news: SeatNews;
  readonly #stamps: Stamps;
  readonly #options: GossipOptions;
  readonly #ticker: Ticker;
  readonly #tasks: TaskGroup;
  /** Members with whom an exchange is under way that somebody asked for. */
  readonly #urgent: Set<NodeId> = new Set();
  /** The other members under the ring. */
  #others: { readonly ring: Ring | undefined; readonly nodes: readonly NodeId[] } = { ring: undefined, nodes: [] };
  #rounds = 0;
  /** Rounds since one went through. */
  #unheard = 0;
  #hasHeard = false;

  constructor(parts: GossipParts, options: GossipOptions) {
    const { runtime, membership, calls, seats, news, stamps } = parts;
    this.#stamps = stamps;
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
    await Promise.all([this.#tasks.close(), this.#stamps.stop()]);
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
    const some = this.#some(mostSpread);
    await Promise.all(some.map((node) => this.exchange(node)));
  }

  /** The same, without waiting for it. */
  spreadSoon(): void {
    this.#tasks.run("gossip", () => this.spread());
  }

  /** Exchanges with every member. Resolves when each has answered, or will not in time: whether anybody has. */
  askAll(): Promise<boolean> {
    return this.ask(this.#some(Number.POSITIVE_INFINITY));
  }

  /** The same with these. */
  async ask(nodes: readonly NodeId[]): Promise<boolean> {
    const went = await Promise.all(nodes.map((node) => this.exchange(node)));
    return went.includes(true);
  }

  /**
   * Tells every member, and the addresses of `--join`, what this node knows. Resolves when each has answered, or will not
   * in time: whether one of them that stays has all events of it on its disk, or one at all where nobody stays. An
   * exchange that went through does not say that: on a full disk nothing is taken in.
   */
  async tellAll(): Promise<boolean> {
    const { records } = this.#membership;
    const members = this.#some(Number.POSITIVE_INFINITY);
    const staying = members.filter((node) => this.#membership.ring.members.get(node)?.isLeaving !== true);
    // Two that leave, and reach nobody but each other, would both go with what only they know.
    const hearers = new Set(staying.length > 0 ? staying : members);
    const told = members.map(async (node) => (await this.#tell(this.#asking(node), node)) && hearers.has(node));
    const others = this.#options.seeds.map(async (seed) => {
      const whose = members.find((node) => records.get(node)?.peer === seed);
      return (await this.#tell(this.#askingAddress(seed), seed)) && (whose === undefined || hearers.has(whose));
    });
    return (await Promise.all([...told, ...others])).includes(true);
  }

  async #tell(ask: Ask, whom: string): Promise<boolean> {
    if (await this.#hasAll(ask)) return true;
    await this.#exchange(ask, whom);
    return this.#hasAll(ask);
  }

  /** Whether the other knows the very same history. Who is no member any more never says so (`membership-service.ts`). */
  async #hasAll(ask: Ask): Promise<boolean> {
    const theirs = await ask(this.#opening());
    return theirs.kind === "done" || (theirs.kind === "gossip-digest" && theirs.news.recent === undefined);
  }

  /**
   * One exchange with the node. True if it went through and was not cut: then this node knows all events that the
   * other knew when it was asked.
   */
  exchange(node: NodeId): Promise<boolean> {
    return this.#exchange(this.#asking(node), node);
  }

  async #round(): Promise<void> {
    this.#rounds++;
    this.#unheard++;
    const [other] = this.#some(1);
    const went = await (this.#isForSeed(other) ? this.#askSeed() : other !== undefined && this.exchange(other));
    if (went) this.#unheard = 0;
  }

  #isForSeed(other: NodeId | undefined): boolean {
    const { seeds, seedEvery } = this.#options;
    if (seeds.length === 0) return false;
    return other === undefined || this.#rounds % (this.#unheard > loneRounds ? 2 : seedEvery) === 0;
  }

  async #askSeed(): Promise<boolean> {
    const { seeds } = this.#options;
    const seed = seeds[this.#runtime.random.below(seeds.length)] as Address;
    const known = [...this.#membership.records.values()].find(({ peer }) => peer === seed);
    if (known?.node === this.#membership.self) return false;
    return this.#exchange(this.#askingAddress(seed), seed);
  }

  #asking(node: NodeId): Ask {
    return (request) => this.#calls.ask(node, request, this.#options.timeoutMs);
  }

  #askingAddress(address: Address): Ask {
    return (request) => this.#calls.askAddress(address, request, this.#options.timeoutMs);
  }

  /** So many of the other members, or all, in random order. */
  #some(most: number): readonly NodeId[] {
    const { random } = this.#runtime;
    const members = this.#members();
    // The usual case, and members may be thousands: nothing is copied for it.
    if (most === 1 && members.length > 0) {
      const other = members[random.below(members.length)];
      return other === undefined ? [] : [other];
    }
    const others = [...members];
    const count = Math.min(most, others.length);
    for (let i = 0; i < count; i++) {
      const j = i + random.below(others.length - i);
      [others[i], others[j]] = [others[j] as NodeId, others[i] as NodeId];
    }
    return others.slice(0, count);
  }

  /** The other members. */
  #members(): readonly NodeId[] {
    const { ring, self } = this.#membership;
    if (this.#others.ring !== ring) {
      this.#others = { ring, nodes: [...ring.members.keys()].filter((node) => node !== self) };
    }
    return this.#others.nodes;
  }

  async #exchange(ask: Ask, whom: string): Promise<boolean> {
    const opening = this.#opening();
    const { asker } = opening;
    const theirs = await ask(opening);
    if (theirs.kind === "done") {
      this.#hasHeard = true;
      return true;
    }
    if (theirs.kind !== "gossip-digest") return false;
    if (theirs.shown !== undefined && isForgotten(asker, { ...asker, stamp: theirs.shown })) {
      this.#membership.foundOutdated();
      return false;
    }
    const isDone = await this.#exchangeNews(theirs.news, ask, whom);
    if (this.#hasHeard && !sameHash(theirs.seats, this.#seats.tableHash())) await this.#news.exchange(ask);
    return isDone;
  }

  /** The first question of an exchange. */
  #opening(): GossipRequest {
    const { summary } = this.#membership;
    return { kind: "gossip", id: 0, asker: this.#stamps.own, summary, seats: this.#seats.tableHash() };
  }

  /** Exchanges what differs of the history and of the records. True if all of the history came. */
  async #exchangeNews(first: News, ask: Ask, whom: string): Promise<boolean> {
    let heard = first;
    let isWhole = true;
    for (let step = 0; step < mostSteps; step++) {
      const said = this.#replyTo(heard);
      if (isSilent(said)) break;
      const answer = await ask({ kind: "gossip-delta", id: 0, news: said });
      if (answer.kind !== "gossip-answer") return false;
      heard = answer.news;
      const absorbed = await this.#absorb(heard);
      if (absorbed.kind !== "absorbed") {
        this.#runtime.log.warn("a peer's news cannot be taken in", { peer: whom, why: absorbed.why });
        this.#hasHeard = true;
        return false;
      }
      if (heard.events.length >= this.#options.mostEntries) isWhole = false;
    }
    this.#hasHeard = true;
    return isWhole;
  }

  /** On a full disk nothing can be taken in: the node goes on with what it knows, and asks again. */
  async #absorb({ events, records }: News): Promise<Absorbed | NoRoom> {
    try {
      return await this.#membership.absorb(events, records);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return { kind: "no-room", why: error.message };
    }
  }

  #replyTo(heard: News): News {
    const { mostEntries } = this.#options;
    const below = (end: number): number => this.#runtime.random.below(end);
    return replyTo(this.#membership.knowledge, heard, { mostEntries, partBytes, below });
  }

  /** A peer tells what it knows in brief, and is told where this node knows something else. */
  handleGossip({ id, asker, summary: theirs, seats: theirSeats }: GossipRequest): GossipDigest | Done {
    const shown = this.#stamps.see(asker);
    const news = firstNews(this.#membership.knowledge, theirs);
    const seats = this.#seats.tableHash();
    if (shown === undefined && isSilent(news) && sameHash(seats, theirSeats)) return { kind: "done", id };
    return { kind: "gossip-digest", id, news, ...(shown === undefined ? {} : { shown }), seats };
  }

  /** A peer sends what this node lacked, and asks for what it lacks. `bad-request`: it cannot be believed. */
  async handleDelta({ id, news: heard }: GossipDelta): Promise<Answer> {
    const absorbed = await this.#absorb(heard);
    if (absorbed.kind === "invalid") {
      return refuse(id, this.#membership.ringVersion, "bad-request", absorbed.why);
    }
    return { kind: "gossip-answer", id, news: this.#replyTo(heard) };
  }
}
