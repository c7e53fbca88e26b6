/**
 * When hash trees are compared, and with whom (§4.7): every ten seconds or so with one random owner that this node
 * shares partitions with, and on demand with all of them, one after the other.
 *
 * It is how copies come to agree that nobody reads: what a write missed while a node was away. Only holders of seats take
 * part; what a node without a voice lacks comes to it otherwise (`transfer.ts`).
 *
 * One exchange at a time begins here, so that what it costs is bounded whatever the number of owners; the other side
 * answers as many as come.
 */

import type { NodeId } from "../core/ids.ts";
import { knownSeat } from "../core/seats/known.ts";
import type { Requester } from "../rpc/server.ts";
import { Pause } from "../runtime/pause.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { Ticker } from "../runtime/ticker.ts";
import { TurnTaking } from "../runtime/turn-taking.ts";
import type { TreeName } from "../wire/message.ts";
import type { LeftOut, RepairView } from "./api.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import { Exchange, type ExchangeOutcome, type ExchangeTotals } from "./exchange.ts";
import { type ExchangeRequest, ExchangeService } from "./exchange-service.ts";
import type { LeafScan } from "./leaf-scan.ts";
import { newTotals, totalNames } from "./partition-copies.ts";
import type { Transfer } from "./transfer.ts";
import type { Trees } from "./trees.ts";

/** A repair that was asked for waits so long, in all, for owners that are not ready, in ms. */
const patienceMs = 60_000;
/** It asks an owner again after this, in ms. */
const retryMs = 250;
/** An owner that can be reached, and with which an exchange breaks off, is tried so many times. */
const mostAttempts = 3;

/** What a node that is no member yet has to show. */
export const noRepairView: RepairView = {
  running: false,
  lastRun: undefined,
  leftOut: [],
  damaged: { waiting: 0, setAside: 0 },
  rebuild: { seats: 0, voices: 0, running: false, waitingFor: [], forced: undefined },
};

export interface AntiEntropyCounts {
  readonly outcomes: { readonly [Kind in ExchangeOutcome["kind"]]: number };
  readonly totals: Readonly<ExchangeTotals>;
}

/** A repair that was asked for. */
interface Run {
  readonly totals: ExchangeTotals;
  /** Owners that it gave up. */
  readonly leftOut: LeftOut[];
  finishedMs: number | undefined;
}

export class AntiEntropy {
  readonly #node: Coordination;
  readonly #trees: Trees;
  readonly #transfer: Transfer;
  readonly #scan: LeafScan;
  readonly #service: ExchangeService;
  readonly #ticker: Ticker;
  readonly #tasks: TaskGroup;
  readonly #turns: TurnTaking = new TurnTaking();
  readonly #pause: Pause;
  readonly #outcomes: Record<ExchangeOutcome["kind"], number> = { compared: 0, "not-ready": 0, failed: 0 };
  /** Of all exchanges but those by which seats pass on. */
  readonly #totals: ExchangeTotals = newTotals();
  /** The last repair that was asked for, or the one that runs. */
  #run: Run | undefined;
  /** The run that was asked for is to take what voices it can. */
  #isForced = false;
  #isStopped = false;

  constructor(node: Coordination, trees: Trees, scan: LeafScan, transfer: Transfer) {
    const { clock, random, log } = node.runtime;
    const everyMs = node.limits.exchangeEveryMs;
    this.#node = node;
    this.#trees = trees;
    this.#transfer = transfer;
    this.#scan = scan;
    this.#service = new ExchangeService(node, trees, this.#scan);
    this.#pause = new Pause(clock);
    this.#tasks = new TaskGroup(log);
    this.#ticker = new Ticker({ name: "anti-entropy", clock, random, log, everyMs, round: () => this.#round() });
  }

  start(): void {
    this.#ticker.start();
  }

  /** Begins nothing any more, the trees included; resolves when the exchange under way has ended, at its next answer. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    await Promise.all([this.#ticker.stop(), this.#tasks.close(), this.#service.stop(), this.#trees.stop()]);
  }

  /** Answers an exchange that another node began. */
  serve(request: ExchangeRequest, from: Requester): void {
    this.#service.serve(request, from);
  }

  get counts(): AntiEntropyCounts {
    const totals = { ...this.#totals };
    for (const name of totalNames) totals[name] += this.#transfer.totals[name];
    return { outcomes: this.#outcomes, totals };
  }

  /**
   * Compares all of this node's partitions with all their owners, unless that is under way. Voices that a lost disk
   * took are back at its end, or the view says what they wait for; with `force` they are taken all the same.
   */
  repair(force: boolean): void {
    this.#isForced ||= force;
    if (this.#isStopped || (this.#run !== undefined && this.#run.finishedMs === undefined)) return;
    const run: Run = { totals: newTotals(), leftOut: [], finishedMs: undefined };
    this.#run = run;
    this.#tasks.run("repair", async () => {
      try {
        const endsMs = this.#node.runtime.clock.monotonicMs() + patienceMs;
        for (const peer of this.#partners()) await this.#repairWith(peer, run, endsMs);
        await this.#transfer.tryAll();
        if (this.#isForced && !this.#isStopped) run.leftOut.push(...(await this.#force()));
      } finally {
        this.#isForced = false;
        run.finishedMs = this.#node.runtime.clock.wallMs();
        this.#node.runtime.log.info("repair finished", { ...run.totals });
      }
    });
  }

  async #force(): Promise<readonly LeftOut[]> {
    const leftOut = await this.#transfer.force();
    await this.#node.damaged.force();
    return leftOut;
  }

  view(): RepairView {
    const run = this.#run;
    const rebuild = this.#transfer.view();
    const damaged = this.#node.damaged.counts;
    if (run === undefined) return { ...noRepairView, damaged, rebuild };
    const { totals, leftOut, finishedMs } = run;
    const lastRun = { ...totals, finishedMs };
    return { running: finishedMs === undefined, lastRun, leftOut: [...leftOut], damaged, rebuild };
  }

  /** Waits, within limits, for an owner that has to build its trees first, and tries one again that failed. */
  async #repairWith(peer: NodeId, { totals, leftOut }: Run, endsMs: number): Promise<void> {
    for (let failures = 0; !this.#isStopped; ) {
      const outcome = await this.#exchange(peer, totals);
      if (outcome.kind === "compared") return;
      if (outcome.kind === "failed") failures += 1;
      if (failures >= mostAttempts || this.#node.runtime.clock.monotonicMs() >= endsMs) {
        const name = nameOf(this.#node.ring(), peer);
        leftOut.push({ name, why: outcome.why });
        this.#node.runtime.log.warn("repair left an owner out", { peer, owner: name, why: outcome.why });
        return;
      }
      await this.#pause.wait(retryMs);
    }
  }

  async #round(): Promise<void> {
    if (!this.#node.isServing() || !this.#trees.areBuilt || this.#turns.size > 0) return;
    const reachable = this.#partners().filter((peer) => this.#node.isUp(peer));
    if (reachable.length === 0) return;
    const peer = reachable[this.#node.runtime.random.below(reachable.length)] as NodeId;
    const totals = newTotals();
    const outcome = await this.#exchange(peer, totals);
    const { log } = this.#node.runtime;
    if (outcome.kind === "failed") log.debug("an exchange was broken off", { peer, why: outcome.why });
    else if (totals.keysRepaired > 0) log.info("an exchange repaired keys", { peer, ...totals });
  }

  #exchange(peer: NodeId, totals: ExchangeTotals): Promise<ExchangeOutcome> {
    return this.#turns.run(async () => {
      const parts = { node: this.#node, trees: this.#trees, scan: this.#scan, peer, totals };
      const before = { ...totals };
      const compared = this.#sharedTrees(peer);
      const isStopped = (): boolean => this.#isStopped;
      const outcome = await new Exchange({ ...parts, compared, direction: { kind: "both" }, isStopped }).run();
      this.#outcomes[outcome.kind] += 1;
      for (const name of totalNames) this.#totals[name] += totals[name] - before[name];
      return outcome;
    });
  }

  /** Everybody this node shares a tree with. */
  #partners(): readonly NodeId[] {
    const { seats, self } = this.#node;
    const partners = new Set<NodeId>();
    for (const partition of seats.partitions) {
      if (seats.hold(partition).kind !== "active") continue;
      for (const { holder } of seats.known(partition))
        if (holder !== undefined && holder !== self) partners.add(holder);
    }
    return [...partners];
  }

  /** The trees of which both nodes hold a seat, as far as is known. */
  #sharedTrees(peer: NodeId): readonly TreeName[] {
    const { seats, ring } = this.#node;
    const shared: TreeName[] = [];
    for (const partition of seats.partitions) {
      const hold = seats.hold(partition);
      if (hold.kind !== "active") continue;
      for (const n of ring().copies) {
        const kept = seats.seatsFor(partition, n);
        const isPeers = (seat: number): boolean => knownSeat(seats.known(partition), seat).holder === peer;
        if (kept.includes(hold.seat) && kept.some(isPeers)) shared.push({ partition, n });
      }
    }
    return shared;
  }
}
