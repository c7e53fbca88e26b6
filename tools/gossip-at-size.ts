/**
 * What gossip costs as a cluster grows: `npm run bench:gossip -- [nodes ...]`, by default 10, 100 and 1,000.
 *
 * Each node is the product's own membership and gossip, on virtual time; questions and answers are encoded into the
 * frames that the product would send, counted, delayed and decoded again. What is left out is what does not grow with
 * gossip: connections, data, storage engines. A node joins a cluster at rest; the table says how long it takes until
 * every node knows, and until every node's record is known everywhere again, what that and rest cost, and what a node
 * holds in memory.
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
import { eventChanges, identityChange, recordChanges } from "../src/node/membership-store.ts";
import { SeatNews } from "../src/node/seat-news.ts";
import { Seats } from "../src/node/seats.ts";
import { SelfDescription } from "../src/node/self-description.ts";
import type { Log } from "../src/runtime/log.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { TaskGroup } from "../src/runtime/task-group.ts";
import { MachineClock } from "../src/sim/clock.ts";
import { SimProcess } from "../src/sim/process.ts";
import { Simulation } from "../src/sim/simulation.ts";
import { MemoryEngine } from "../src/storage/memory-engine.ts";
import type { MetaStore } from "../src/storage/meta-store.ts";
import { WriteBuffer } from "../src/storage/write-buffer.ts";
import { FrameDecoder } from "../src/wire/frame-decoder.ts";
import { FrameEncoder } from "../src/wire/frame-encoder.ts";
import { encodePreamble, ownVersions } from "../src/wire/hello.ts";
import type { Answer, Message, Request } from "../src/wire/message.ts";
import { nodeSurroundings } from "./surroundings.ts";

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };
const longestMs = 600_000;
const restMs = 20_000;
/** A node that is written to says its record anew so often (`self-description.ts`). */
const freshMs = 30_000;
/** More nodes than these make it a matter of hours to simulate. */
const mostUnderLoad = 1000;

const idOf = (i: number): NodeId =>
  BigInt.asUintN(64, (BigInt(i) + 1n) * 0x9e3779b97f4a7c15n)
    .toString(16)
    .padStart(16, "0") as NodeId;
const addressesOf = (i: number) =>
  ({ peer: `10.0.${i >> 8}.${i & 255}:7400`, http: `10.0.${i >> 8}.${i & 255}:7480` }) as const;

/** Small records in memory; what all nodes start with is held once. */
class MemoryMeta implements MetaStore {
  readonly #shared: ReadonlyMap<string, Uint8Array>;
  readonly #own: Map<string, Uint8Array | undefined> = new Map();

  constructor(shared: ReadonlyMap<string, Uint8Array>) {
    this.#shared = shared;
  }

  get(name: string): Uint8Array | undefined {
    return this.#own.has(name) ? this.#own.get(name) : this.#shared.get(name);
  }

  async put(changes: Parameters<MetaStore["put"]>[0]): Promise<void> {
    for (const { name, value } of changes) this.#own.set(name, value);
  }
}

/** Nodes with the same history fold the same ring: here they have one, and its memory is counted for each. */
class SharedRing {
  #last: Ring | undefined;

  fold(history: History, previous?: Ring): Ring {
    const isSame = (event: HistoryEvent, i: number): boolean => compareEvents(event, history[i] as HistoryEvent) === 0;
    const last = this.#last;
    if (last?.history.length === history.length && last.history.every(isSame)) return last;
    this.#last = foldHistory(history, previous);
    return this.#last;
  }

  /** What one takes of memory. */
  get bytes(): number {
    const before = heapBytes();
    const another = foldHistory(this.#last?.history ?? []);
    const bytes = heapBytes() - before;
    return another.size > 0 ? bytes : 0;
  }
}

class Fleet {
  readonly ring: SharedRing = new SharedRing();
  readonly simulation: Simulation = new Simulation(1, nodeSurroundings);
  readonly nodes: Map<NodeId, GossipNode> = new Map();
  readonly #delays: { uniform(from: number, to: number): number } = this.simulation.prng("delays");
  /** Bytes of all frames so far. */
  bytes = 0;
  messages = 0;

  /** As one process hears what another said: through the bytes. */
  carry<M extends Message>(message: M, to: SimProcess, deliver: (message: M) => void): void {
    const { checksum } = this.simulation.surroundings;
    const encoder = new FrameEncoder(checksum, defaultLimits.frameBytes);
    encoder.add(message, 1);
    const frame = Buffer.concat(encoder.take());
    this.bytes += frame.length;
    this.messages++;
    this.simulation.schedule(this.#delays.uniform(0.1, 2), to, () => {
      const decoder = new FrameDecoder(checksum, defaultLimits.frameBytes);
      decoder.push(Uint8Array.from([...encodePreamble(ownVersions)]));
      decoder.next();
      decoder.push(frame);
      deliver(decoder.next() as M);
    });
  }
}

class GossipNode {
  readonly membership: Membership;
  readonly #fleet: Fleet;
  readonly #process: SimProcess;
  readonly #gossip: Gossip;
  readonly #description: SelfDescription;

  constructor(fleet: Fleet, index: number, name: string, meta: MetaStore) {
    this.#fleet = fleet;
    this.#process = new SimProcess(fleet.simulation, name, index % 60_000, 0);
    const runtime: Runtime = {
      clock: new MachineClock(fleet.simulation, 1, 0).of(this.#process),
      random: fleet.simulation.prng(`random ${name}`),
      network: { listen: () => Promise.reject(new Error("none")), dial: () => unreachable() },
      log: silent,
      checksum: fleet.simulation.surroundings.checksum,
    };
    this.membership = new Membership(runtime, meta, { name, settings: {}, software: "0.1.0" }, (history, previous) =>
      fleet.ring.fold(history, previous),
    );
    const calls: MemberCalls = { ask: (node, request) => this.#ask(node, request), askAddress: () => unreachable() };
    // No seats: what is told of them does not grow with the nodes, but with the partitions.
    const { clock } = runtime;
    const seats = new Seats(this.membership, meta, clock, silent);
    const news = new SeatNews(seats, undefined as never, new TaskGroup(silent), () => this.membership.self);
    this.#gossip = new Gossip({ runtime, membership: this.membership, calls, seats, news }, defaultGossipOptions);
    // No data: what a node says of itself changes with the ring alone.
    const engine = new MemoryEngine();
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1, onCommitFailed: unreachable });
    this.#description = new SelfDescription(runtime, this.membership, seats, buffer);
  }

  async start(addresses: { readonly peer: string; readonly http: string }): Promise<void> {
    await this.#description.start(addresses as never, false, () => true);
    this.#gossip.start();
  }

  /** Says its record anew. */
  describe(addresses: { readonly peer: string; readonly http: string }): Promise<void> {
    const { ringVersion } = this.membership;
    return this.membership.describe({ ...(addresses as Pick<NodeRecord, "peer" | "http">), voices: 0, ringVersion });
  }

  #ask(node: NodeId, request: Request): Promise<Answer | NoAnswer> {
    const other = this.#fleet.nodes.get(node);
    if (other === undefined) return Promise.resolve({ kind: "call-failure", failure: "not-sent" });
    return new Promise((resolve) => {
      this.#fleet.carry(request, other.#process, (heard) => {
        void other.#answer(heard).then((answer) => this.#fleet.carry(answer, this.#process, resolve));
      });
    });
  }

  async #answer(request: Request): Promise<Answer> {
    if (request.kind === "gossip") return this.#gossip.handleGossip(request);
    if (request.kind === "gossip-delta") return this.#gossip.handleDelta(request);
    return unreachable();
  }
}

function unreachable(): never {
  throw new Error("gossip asks members alone, and nothing else");
}

/** What every node of a cluster of that size has on its disk. */
function historyOf(size: number): {
  readonly events: readonly HistoryEvent[];
  readonly records: readonly NodeRecord[];
} {
  const place = { zone: "", capacity: 1, claim: newestClaim } as const;
  const found: FoundEvent = {
    kind: "found",
    lamport: 1,
    author: idOf(0),
    at: 0,
    cluster: "c".repeat(32),
    // Placement is not what is measured, and of few seats it costs least.
    settings: { partitions: 1, n: 1, r: 1, w: 1 },
    name: "n0",
    ...place,
  };
  const joins = Array.from({ length: size - 1 }, (_, i): JoinEvent => {
    const node = idOf(i + 1);
    // Nodes join through any other: authors are many, too.
    const author = idOf((i * 7) % (i + 1));
    const who = { node, directory: node, name: `n${i + 1}`, founding: true } as const;
    return { kind: "join", lamport: i + 2, author, at: 1_700_000_000_000 + i, ...who, ...place };
  });
  const events = [found, ...joins];
  const records = events.map((event, i): NodeRecord => {
    const who = { node: idOf(i), incarnation: eventName(event), version: 1_190_000_000_000 + i };
    return { ...who, ...addressesOf(i), voices: 0, ringVersion: 1, software: "0.1.0" };
  });
  return { events, records };
}

function heapBytes(): number {
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

async function build(fleet: Fleet, size: number): Promise<void> {
  const { events, records } = historyOf(size);
  const shared = new Map<string, Uint8Array>();
  for (const { name, value } of [...eventChanges(0, events), ...recordChanges(records)]) {
    if (value !== undefined) shared.set(name, value);
  }
  for (const [i, event] of events.entries()) {
    const node = idOf(i);
    const member = { cluster: "c".repeat(32), incarnation: eventName(event), secret: new Uint8Array(32) };
    const meta = new MemoryMeta(shared);
    await meta.put([identityChange({ node, directory: node, name: `n${i}`, member })]);
    const built = new GossipNode(fleet, i, `n${i}`, meta);
    const opened = await built.membership.open();
    if (opened.kind !== "member") throw new Error(JSON.stringify(opened));
    fleet.nodes.set(node, built);
  }
  for (const [i, node] of [...fleet.nodes.values()].entries()) {
    await fleet.simulation.settle(node.start(addressesOf(i)), 1000, "a node starts");
  }
}

/** Every node's record says that it knows the newest ring, and every node knows it. */
function isSettled(fleet: Fleet): boolean {
  const [first] = fleet.nodes.values();
  const version = first?.membership.ringVersion;
  return [...fleet.nodes.values()].every(({ membership }) => {
    return [...fleet.nodes.keys()].every((node) => membership.records.get(node)?.ringVersion === version);
  });
}

async function secondsUntil(fleet: Fleet, holds: () => boolean): Promise<number> {
  const from = fleet.simulation.now;
  while (!holds()) {
    if (fleet.simulation.now - from > longestMs) throw new Error("it never came about");
    await fleet.simulation.run(100);
  }
  return (fleet.simulation.now - from) / 1000;
}

/** Bytes of all while each node says its record anew, one after the other. */
async function bytesUnderLoad(fleet: Fleet): Promise<number> {
  const { simulation, nodes, bytes } = fleet;
  for (const [i, node] of [...nodes.values()].entries()) {
    simulation.schedule((i / nodes.size) * freshMs, undefined, () => void node.describe(addressesOf(i)));
  }
  await simulation.run(freshMs);
  const sent = fleet.bytes - bytes;
  await secondsUntil(fleet, () => isSettled(fleet));
  await simulation.run(2 * restMs);
  return sent;
}

async function measure(size: number): Promise<void> {
  const before = heapBytes();
  const fleet = new Fleet();
  await build(fleet, size);
  await secondsUntil(fleet, () => isSettled(fleet));
  await fleet.simulation.run(2000);
  const memory = (heapBytes() - before) / size + fleet.ring.bytes;
  const perNodeSecond = (bytes: number, seconds: number): string => (bytes / size / seconds).toFixed(0);

  let mark = fleet.bytes;
  await fleet.simulation.run(restMs);
  const atRest = perNodeSecond(fleet.bytes - mark, restMs / 1000);

  const underLoad = size > mostUnderLoad ? "" : perNodeSecond(await bytesUnderLoad(fleet), freshMs / 1000);

  const sponsor = [...fleet.nodes.values()][Math.floor(size / 2)] as GossipNode;
  const settings = { kind: "bucket", bucket: "carts", change: { r: 1 } } as const;
  mark = fleet.bytes;
  const event = await fleet.simulation.settle(sponsor.membership.append(settings), 1000, "a bucket is set");
  const known = (): boolean =>
    [...fleet.nodes.values()].every(({ membership }) => membership.history.at(-1)?.lamport === event?.lamport);
  const ofEvent = await secondsUntil(fleet, known);
  const duringEvent = perNodeSecond(fleet.bytes - mark, ofEvent);

  mark = fleet.bytes;
  const node = idOf(size + 1);
  const who = {
    node,
    directory: node,
    name: "new",
    zone: "",
    capacity: 1,
    claim: newestClaim,
    founding: true,
  } as const;
  const join = await fleet.simulation.settle(sponsor.membership.append({ kind: "join", ...who }), 1000, "a node joins");
  const ofJoin = await secondsUntil(fleet, () =>
    [...fleet.nodes.values()].every(({ membership }) => membership.history.at(-1)?.lamport === join?.lamport),
  );
  const ofRecords = ofJoin + (await secondsUntil(fleet, () => isSettled(fleet)));
  const duringJoin = perNodeSecond(fleet.bytes - mark, ofRecords);
  const cells = [
    size,
    atRest,
    underLoad,
    ofEvent.toFixed(1),
    duringEvent,
    ofJoin.toFixed(1),
    ofRecords.toFixed(1),
    duringJoin,
  ];
  process.stdout.write(`| ${[...cells, (memory / 1024).toFixed(0)].join(" | ")} |\n`);
}

// What the first fleet loads and compiles is no node's memory.
await build(new Fleet(), 8);
const sizes = process.argv.slice(2).map(Number);
process.stdout.write(
  "| nodes | at rest, B/s | written to, B/s | bucket known, s | meanwhile, B/s | join known, s | all records, s | meanwhile, B/s | memory, KiB |\n",
);
process.stdout.write("|---|---|---|---|---|---|---|---|---|\n");
for (const size of sizes.length === 0 ? [10, 100, 1000] : sizes) await measure(size);
