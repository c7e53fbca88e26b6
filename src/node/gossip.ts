/**
 * Gossip (§4.8.1): once a second with a random member, and with a seed now and then, each side learns what the other
 * knows of the cluster's history and of the nodes.
 *
 * One exchange is a digest there, the difference and a digest back, and the difference the other way: two nodes that
 * know the same pay for two digests. A difference is cut to a bounded part; the rest comes with the next rounds. A
 * node's view of who is up or down is its own and never travels.
 *
 * Seeds, the addresses the operator gave, are how two sides that lost all of each other's addresses find back
 * together.
 */

import type { NodeId } from "../core/ids.ts";
import { digestOf, missingFrom } from "../core/membership/history.ts";
import { isNewerRecord, type NodeRecord, type RecordDigest } from "../core/membership/node-record.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import { isDiskFull } from "../storage/engine.ts";
import type { Answer, GossipAnswer, GossipDelta, Gossip as GossipRequest, Request } from "../wire/message.ts";
import { type MemberCalls, type NoAnswer, refuse } from "./member-calls.ts";
import type { Absorbed, Membership } from "./membership.ts";

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

type Ask = (request: Request) => Promise<Answer | NoAnswer>;

export class Gossip {
  readonly #runtime: Runtime;
  readonly #membership: Membership;
  readonly #calls: MemberCalls;
  readonly #options: GossipOptions;
  readonly #ticker: Ticker;
  readonly #tasks: TaskGroup;
  /** Members with whom an exchange is under way that somebody asked for. */
  readonly #urgent: Set<NodeId> = new Set();
  #rounds = 0;

  constructor(runtime: Runtime, membership: Membership, calls: MemberCalls, options: GossipOptions) {
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
    const history = digestOf(this.#membership.history);
    const answer = await ask({ kind: "gossip", id: 0, history, records: this.#membership.recordDigest() });
    if (answer.kind !== "gossip-answer") return false;
    const absorbed = await this.#absorb(answer);
    if (absorbed.kind !== "absorbed") {
      this.#runtime.log.warn("a peer's news cannot be taken in", { peer: whom, why: absorbed.why });
      return false;
    }
    const events = missingFrom(this.#membership.history, answer.history).slice(0, this.#options.mostEntries);
    const records = this.#newerThan(answer.recordDigest);
    if (events.length > 0 || records.length > 0) await ask({ kind: "gossip-delta", id: 0, events, records });
    return answer.events.length < this.#options.mostEntries;
  }

  /** On a full disk nothing can be taken in: the node goes on with what it knows, and asks again. */
  async #absorb({ events, records }: GossipAnswer): Promise<Absorbed> {
    try {
      return await this.#membership.absorb(events, records);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      return { kind: "invalid", why: error.message };
    }
  }

  /** A peer tells what it knows, and is told what it lacks. */
  handleGossip(request: GossipRequest): GossipAnswer {
    return {
      kind: "gossip-answer",
      id: request.id,
      events: missingFrom(this.#membership.history, request.history).slice(0, this.#options.mostEntries),
      records: this.#newerThan(request.records),
      history: digestOf(this.#membership.history),
      recordDigest: this.#membership.recordDigest(),
    };
  }

  /** A peer sends what this node lacked. A refusal with `bad-request` is for a peer that cannot be believed. */
  async handleDelta(request: GossipDelta): Promise<Answer> {
    const absorbed = await this.#membership.absorb(request.events, request.records);
    if (absorbed.kind === "absorbed") return { kind: "done", id: request.id };
    return refuse(request.id, this.#membership.ringVersion, "bad-request", absorbed.why);
  }

  #newerThan(digest: RecordDigest): readonly NodeRecord[] {
    const theirs = new Map(digest.map((entry) => [entry.node, entry]));
    const records = [...this.#membership.records.values()].filter((record) => {
      const known = theirs.get(record.node);
      return known === undefined || isNewerRecord(record, known);
    });
    return records.slice(0, this.#options.mostEntries);
  }
}
