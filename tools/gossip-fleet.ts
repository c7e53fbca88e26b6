/**
 * A cluster's membership and gossip, and nothing else, for as many nodes as are asked for. Each is the product's own
 * membership and gossip, on virtual time; questions and answers are encoded into the frames that the product would
 * send, counted, delayed and decoded again. What is left out is what does not grow with gossip: connections, data,
 * storage engines, seats.
 *
 * What equal nodes of one process need not have twice is held once, or 3,000 of them would hold nine million records:
 * what their directories say at the start, the ring of equal histories, a record that many have heard. Nothing is read
 * back, so nothing is stored.
 */

import type { NodeId } from "../src/core/ids.ts";
import { defaultLimits } from "../src/core/limits.ts";
import { newestClaim } from "../src/core/membership/check-events.ts";
import type { FoundEvent, HistoryEvent, JoinEvent } from "../src/core/membership/event.ts";
import { compareEvents, eventName, type History } from "../src/core/membership/history.ts";
import type { NodeRecord } from "../src/core/membership/node-record.ts";
import { foldHistory, type Ring } from "../src/core/ring/ring.ts";
import { defaultGossipOptions, Gossip } from "../src/node/gossip.ts";
import type { MemberCalls, NoAnswer } from "../src/node/member-calls.ts";
import { Membership } from "../src/node/membership.ts";
import {
  type Derived,
  eventChanges,
  type Identity,
  identityChange,
  recordChanges,
  type Stored,
} from "../src/node/membership-store.ts";
import { SeatNews } from "../src/node/seat-news.ts";
import { Seats } from "../src/node/seats.ts";
import { SelfDescription } from "../src/node/self-description.ts";
import { Stamps } from "../src/node/stamps.ts";
import type { Log } from "../src/runtime/log.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { TaskGroup } from "../src/runtime/task-group.ts";
import { MachineClock } from "../src/sim/clock.ts";
import { SimProcess } from "../src/sim/process.ts";
import { Simulation } from "../src/sim/simulation.ts";
import { MemoryEngine } from "../src/storage/memory-engine.ts";
import type { MetaStore } from "../src/storage/meta-store.ts";
import { metaKey } from "../src/storage/store-key.ts";
import { WriteBuffer } from "../src/storage/write-buffer.ts";
import { FrameDecoder } from "../src/wire/frame-decoder.ts";
import { FrameEncoder } from "../src/wire/frame-encoder.ts";
import { encodePreamble, ownVersions } from "../src/wire/hello.ts";
import type { Answer, Message, Request } from "../src/wire/message.ts";
import { nodeSurroundings } from "./surroundings.ts";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };
const cluster: string = "c".repeat(32);

export type Addresses = Pick<NodeRecord, "peer" | "http">;

/** The id of the i-th node: they differ in all their digits, and are not in order. */
export function idOf(i: number): NodeId {
  const mixed = BigInt.asUintN(64, (BigInt(i) + 1n) * 0x9e3779b97f4a7c15n);
  return mixed.toString(16).padStart(16, "0") as NodeId;
}

/** Where the i-th node is, after it has moved so many times. */
export function addressesOf(i: number, moved = 0): Addresses {
  const host = `10.${moved}.${i >> 8}.${i & 255}`;
  return { peer: `${host}:7400`, http: `${host}:7480` };
}

/** Small records in memory. */
export class MemoryMeta implements MetaStore {
  readonly #records: Map<string, Uint8Array | undefined> = new Map();

  get(name: string): Uint8Array | undefined {
    return this.#records.get(name);
  }

  async put(changes: Parameters<MetaStore["put"]>[0]): Promise<void> {
    for (const { name, value } of changes) this.#records.set(name, value);
  }
}

/** What every node of a cluster of that size has on its disk. */
export interface Directory {
  readonly events: readonly HistoryEvent[];
  readonly records: readonly NodeRecord[];
}

/** A cluster of that size, founded and joined, its nodes started once. */
export function directoryOf(size: number): Directory {
  const place = { zone: "", capacity: 1, claim: newestClaim } as const;
  const found: FoundEvent = {
    kind: "found",
    lamport: 1,
    author: idOf(0),
    at: 0,
    cluster,
    // Placement is not what is measured, and of few seats it costs least.
    settings: { partitions: 1, n: 1, r: 1, w: 1 },
    name: "n0",
    ...place,
  };
  const joins = Array.from({ length: size - 1 }, (_, i): JoinEvent => {
    const node = idOf(i + 1);
    // Nodes join through any other: authors are many, too.
    const author = idOf((i * 7) % (i + 1));
    const who = { node, directory: node, name: `n${i + 1}` } as const;
    return { kind: "join", lamport: i + 2, author, at: 1_700_000_000_000 + i, ...who, ...place };
  });
  const events = [found, ...joins];
  const records = events.map((event, i): NodeRecord => {
    const who = { node: idOf(i), incarnation: eventName(event), version: 1_190_000_000_000 + i };
    return { ...who, ...addressesOf(i), voices: 0, software: "0.1.0" };
  });
  return { events, records };
}

function identityOf(i: number, { events }: Directory): Identity {
  const node = idOf(i);
  const incarnation = eventName(events[i] as HistoryEvent);
  return { node, directory: node, name: `n${i}`, member: { cluster, incarnation, secret: new Uint8Array(32) } };
}

/** The disk of the i-th node, whole. */
export async function metaOf(i: number, directory: Directory): Promise<MetaStore> {
  const meta = new MemoryMeta();
  await meta.put([identityChange(identityOf(i, directory))]);
  await meta.put([...eventChanges(0, directory.events), ...recordChanges(directory.records)]);
  return meta;
}

/** Nodes with the same history fold the same ring: here they have one. */
class SharedRing {
  #last: Ring | undefined;

  fold(history: History, previous?: Ring): Ring {
    if (this.#last === undefined || !isSame(this.#last.history, history)) this.#last = foldHistory(history, previous);
    return this.#last;
  }
}

function isSame(a: History, b: History): boolean {
  return a === b || (a.length === b.length && a.every((event, i) => compareEvents(event, b[i] as HistoryEvent) === 0));
}

/** The nodes, and the frames between them. */
export class Fleet {
  readonly simulation: Simulation;
  readonly nodes: Map<NodeId, FleetNode> = new Map();
  readonly #ring: SharedRing = new SharedRing();
  readonly #delays: { uniform(from: number, to: number): number };
  readonly #encoder: FrameEncoder;
  readonly #decoder: FrameDecoder;
  /** The records that were heard, by their versions. */
  readonly #records: Map<string, NodeRecord> = new Map();
  /** Of all frames so far, by what they carry. */
  readonly #bytes: Map<Message["kind"], number> = new Map();
  #largest = 0;

  constructor(seed: number) {
    this.simulation = new Simulation(seed, nodeSurroundings);
    this.#delays = this.simulation.prng("delays");
    const { checksum } = nodeSurroundings;
    this.#encoder = new FrameEncoder(checksum, defaultLimits.frameBytes);
    this.#decoder = new FrameDecoder(checksum, defaultLimits.frameBytes);
    this.#decoder.push(encodePreamble(ownVersions));
    this.#decoder.next();
  }

  /** Bytes of all frames so far. */
  get bytes(): number {
    return [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  bytesOf(kind: Message["kind"]): number {
    return this.#bytes.get(kind) ?? 0;
  }

  /** Bytes of the largest frame so far. */
  get largest(): number {
    return this.#largest;
  }

  /** Starts as many nodes of a cluster that was at rest when they stopped. */
  async start(size: number): Promise<void> {
    const directory = directoryOf(size);
    const history = directory.events;
    for (let i = 0; i < size; i++) {
      const stored: Stored = { identity: identityOf(i, directory), history, records: directory.records, events: size };
      const fold = (of: History, previous?: Ring): Ring => this.#ring.fold(of, previous);
      const node = new FleetNode(this, i, { fold, load: () => ({ kind: "stored", ...stored }) });
      await node.open();
      this.nodes.set(idOf(i), node);
    }
    for (const node of this.nodes.values()) await this.simulation.settle(node.start(), 1000, "a node starts");
  }

  /** Every node that is not cut off knows the same. */
  get isAgreed(): boolean {
    const [first, ...others] = [...this.nodes.values()].filter((node) => !node.isCutOff);
    const summary = JSON.stringify(first?.membership.summary);
    return others.every(({ membership }) => JSON.stringify(membership.summary) === summary);
  }

  /** As one process hears what another said: through the bytes. */
  carry<M extends Message>(message: M, to: SimProcess, deliver: (message: M) => void): void {
    this.#encoder.add(message, 1);
    const frame = Buffer.concat(this.#encoder.take());
    this.#bytes.set(message.kind, (this.#bytes.get(message.kind) ?? 0) + frame.length);
    this.#largest = Math.max(this.#largest, frame.length);
    this.simulation.schedule(this.#delays.uniform(0.1, 2), to, () => {
      this.#decoder.push(frame);
      deliver(this.#kept(this.#decoder.next() as M));
    });
  }

  /** A message with the records that others have heard in place of its own, which are equal. */
  #kept<M extends Message>(message: M): M {
    if (message.kind !== "gossip-delta" && message.kind !== "gossip-answer") return message;
    const records = message.news.records.map((record) => {
      const name = `${record.node} ${record.version}`;
      const known = this.#records.get(name);
      if (known === undefined) this.#records.set(name, record);
      return known ?? record;
    });
    return { ...message, news: { ...message.news, records } };
  }
}

/** One node: what it knows, and how it gossips. */
export class FleetNode {
  readonly membership: Membership;
  readonly gossip: Gossip;
  /** It reaches nobody, and nobody it. */
  isCutOff = false;
  readonly #fleet: Fleet;
  readonly #process: SimProcess;
  readonly #description: SelfDescription;
  readonly #buffer: WriteBuffer;
  readonly #index: number;

  constructor(fleet: Fleet, index: number, shared: Derived) {
    const name = `n${index}`;
    this.#fleet = fleet;
    this.#index = index;
    this.#process = new SimProcess(fleet.simulation, name, index % 60_000, 0);
    const runtime: Runtime = {
      clock: new MachineClock(fleet.simulation, 1, 0).of(this.#process),
      random: fleet.simulation.prng(`random ${name}`),
      network: { listen: () => Promise.reject(new Error("none")), dial: () => unreachable() },
      log: silent,
      checksum: fleet.simulation.surroundings.checksum,
    };
    const meta: MetaStore = { get: () => undefined, put: async () => {} };
    const membership = new Membership(runtime, meta, { name, settings: {}, software: "0.1.0" }, shared);
    const calls: MemberCalls = { ask: (node, request) => this.#ask(node, request), askAddress: () => unreachable() };
    // No seats: what is told of them does not grow with the nodes, but with the partitions.
    const { clock } = runtime;
    const seats = new Seats(membership, meta, clock, silent);
    const news = new SeatNews(seats, undefined as never, new TaskGroup(silent), () => membership.self);
    const stamps = new Stamps(membership, meta, runtime);
    this.membership = membership;
    this.gossip = new Gossip({ runtime, membership, calls, seats, news, stamps }, defaultGossipOptions);
    this.#buffer = new WriteBuffer({ engine: new MemoryEngine(), clock, limitBytes: 1, onCommitFailed: unreachable });
    this.#description = new SelfDescription(runtime, { membership, seats, stamps, buffer: this.#buffer });
  }

  async open(): Promise<void> {
    const opened = await this.membership.open();
    if (opened.kind !== "member") throw new Error(JSON.stringify(opened));
  }

  async start(): Promise<void> {
    await this.#description.start(addressesOf(this.#index) as never, false, () => true);
    this.gossip.start();
  }

  /** Something is stored here. */
  write(): void {
    this.#buffer.put(metaKey("something"), new Uint8Array(1));
  }

  /** The node says that it is somewhere else now. */
  async move(times: number): Promise<void> {
    await this.membership.describe({ ...addressesOf(this.#index, times), voices: 0 });
  }

  #ask(node: NodeId, request: Request): Promise<Answer | NoAnswer> {
    const other = this.#fleet.nodes.get(node);
    if (other === undefined || other.isCutOff || this.isCutOff) {
      return Promise.resolve({ kind: "call-failure", failure: "not-sent" });
    }
    return new Promise((resolve) => {
      this.#fleet.carry(request, other.#process, (heard) => {
        void other.#answer(heard).then((answer) => this.#fleet.carry(answer, this.#process, resolve));
      });
    });
  }

  async #answer(request: Request): Promise<Answer> {
    if (request.kind === "gossip") return this.gossip.handleGossip(request);
    if (request.kind === "gossip-delta") return this.gossip.handleDelta(request);
    return unreachable();
  }
}

function unreachable(): never {
  throw new Error("gossip asks members alone, and nothing else");
}
