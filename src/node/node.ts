/**
 * One node: everything wired together over the ports it was given, from the first look at its directory to the last
 * write at its end.
 *
 * A client's request goes through `client-requests.ts` to an owner's `coordinator.ts`; what peers ask comes in through
 * `peer-service.ts` and `membership-service.ts`. The same code runs on a machine and in the simulation.
 */

import type { NodeId } from "../core/ids.ts";
import type { Ring } from "../core/ring/ring.ts";
import { Peers } from "../rpc/peers.ts";
import { Server } from "../rpc/server.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import type { StorageError } from "../storage/engine.ts";
import { openMetaStore } from "../storage/meta-store.ts";
import { WriteBuffer } from "../storage/write-buffer.ts";
import type { Hello } from "../wire/message.ts";
import { Admission } from "./admission.ts";
import { AntiEntropy, noRepairView } from "./anti-entropy.ts";
import type { NodeApi } from "./api.ts";
import { becomeMember, listenAt } from "./become-member.ts";
import { Buckets } from "./buckets.ts";
import { ClientRequests } from "./client-requests.ts";
import { ClientRings } from "./client-rings.ts";
import { ClientService } from "./client-service.ts";
import { type Coordination, goneAfterMs, NodeCoordination } from "./coordination.ts";
import { Coordinator } from "./coordinator.ts";
import { type NodeCounters, newCounters } from "./counters.ts";
import { DamagedRecords } from "./damaged-records.ts";
import { Departure } from "./departure.ts";
import { Doubt } from "./doubt.ts";
import { EmptyPartitions } from "./empty-partitions.ts";
import { FailureDetector } from "./failure-detector.ts";
import { Farewell } from "./farewell.ts";
import { foreignSeed } from "./foreign-seeds.ts";
import { defaultGossipOptions, Gossip } from "./gossip.ts";
import { Handoff } from "./handoff.ts";
import { Hints } from "./hints.ts";
import { Joiner, Sponsor } from "./joining.ts";
import { LeafScan } from "./leaf-scan.ts";
import { MemberChanges } from "./member-changes.ts";
import { Membership } from "./membership.ts";
import { MembershipService } from "./membership-service.ts";
import { NodeError } from "./node-error.ts";
import type { NodeOptions } from "./node-options.ts";
import { NodeViews } from "./node-views.ts";
import { damagedStore, departedAs, helloOf, lostStore, outdatedBy, supersededBy } from "./peer-admission.ts";
import { PeerRequests } from "./peer-requests.ts";
import { PeerService } from "./peer-service.ts";
import { PendingSeats } from "./pending-seats.ts";
import { Reaper } from "./reaper.ts";
import { type OnDamaged, Replica } from "./replica.ts";
import { SeatNews } from "./seat-news.ts";
import { SeatService } from "./seat-service.ts";
import { Seats } from "./seats.ts";
import { SelfDescription } from "./self-description.ts";
import { SetAside } from "./set-aside.ts";
import { Stamps } from "./stamps.ts";
import type { Transfer } from "./transfer.ts";
import { newTransfer } from "./transfer-parts.ts";
import { Trees, tellAll } from "./trees.ts";

/** How long requests under way may take to finish once the node is told to stop, in ms. */
const defaultGraceMs = 10_000;

export class Node implements NodeApi {
  readonly name: string;
  readonly #options: NodeOptions;
  readonly #runtime: Runtime;
  readonly #counters: NodeCounters = newCounters();
  readonly #tasks: TaskGroup;
  readonly #buffer: WriteBuffer;
  readonly #membership: Membership;
  readonly #peers: Peers;
  readonly #server: Server;
  readonly #seats: Seats;
  readonly #gossip: Gossip;
  readonly #farewell: Farewell;
  readonly #memberChanges: MemberChanges;
  readonly #joiner: Joiner;
  readonly #detector: FailureDetector;
  readonly #doubt: Doubt;
  readonly #description: SelfDescription;
  readonly #node: Coordination;
  readonly #coordinator: Coordinator;
  readonly #clients: ClientRequests;
  readonly #buckets: Buckets;
  readonly #peerRequests: PeerRequests;
  readonly #damaged: DamagedRecords;
  readonly #trees: Trees;
  readonly #hints: Hints;
  readonly #views: NodeViews;
  readonly #antiEntropy: AntiEntropy;
  readonly #reaper: Reaper;
  readonly #transfer: Transfer;
  /** What goes on by itself while the node serves. */
  readonly #background: readonly { start(): void; stop(): Promise<void> }[];
  #isServing = false;
  #isStopping = false;
  #hasEnded = false;

  constructor(options: NodeOptions) {
    const { runtime, engine, limits, join } = options;
    const { clock, log, checksum } = runtime;
    this.#options = options;
    this.#runtime = runtime;
    this.name = options.name;
    this.#tasks = new TaskGroup(log);
    const meta = openMetaStore(engine, runtime.checksum);
    const empty = new EmptyPartitions();
    const onCommitFailed = (error: StorageError, keys: readonly Uint8Array[]): void => {
      replica.endRun();
      hints.mayHaveReverted(keys);
      this.#trees.mayHaveReverted(keys);
      this.#reaper.mayHaveReverted();
      if (error.code !== "disk-full") this.#end(new NodeError("storage-failed", `the store failed: ${error.message}`));
    };
    // What else the engine lost without a word nobody knows, so no "nothing" of it may count.
    const onLoss = ({ message: why }: StorageError): void =>
      this.#end(new NodeError("storage-damaged", damagedStore(this.name, why)));
    const limitBytes = limits.writeBufferBytes;
    this.#buffer = new WriteBuffer({ engine, clock, limitBytes, onCommitFailed, onDamaged: onLoss });
    const counters = this.#counters;
    const ring = (): Ring => membership.ring;
    const setAside = new SetAside(this.#buffer);
    this.#damaged = new DamagedRecords(this.#buffer, setAside);
    const onDamaged: OnDamaged = (key, bytes, why) => this.#damaged.found(key, bytes, why);
    const onScanned = (): void => options.onStoreRead?.();
    this.#trees = new Trees({ clock, log, checksum, buffer: this.#buffer, onDamaged, onScanned, ring });
    const states = tellAll(() => [this.#trees, this.#reaper, empty]);
    const replica = new Replica({ runtime, buffer: this.#buffer, limits, counters, states, onDamaged });
    const hints = new Hints({ runtime, buffer: this.#buffer, limits, counters, setAside, ring });
    this.#hints = hints;

    const { name, zone, capacity, settings, software, expectCluster: cluster } = options;
    this.#membership = new Membership(runtime, meta, { name, zone, capacity, settings, software, cluster });
    const membership = this.#membership;
    const hello = (): Hello => helloOf(membership);
    const addressOf = (node: NodeId): Address | undefined => membership.addressOf(node);
    const onUpChange = (node: NodeId, isUp: boolean): void => this.#detector.changed(node, isUp);
    this.#peers = new Peers({ runtime, limits, hello, addressOf, onUpChange });
    this.#server = new Server({
      runtime,
      limits,
      hello,
      serve: (request, from) => this.#peerRequests.serve(request, from),
      onHello: ({ node, role }) => {
        if (role !== "client") this.#detector.heard(node);
      },
    });
    this.#seats = new Seats(membership, meta, clock, log);
    const news = new SeatNews(this.#seats, this.#peers, this.#tasks, () => membership.self);
    const seats = this.#seats;
    const pending = new PendingSeats(seats, ring);
    const admission = new Admission(clock, () => pending.areAny);
    const stamps = new Stamps(membership, meta, runtime);
    const carried = { runtime, membership, calls: this.#peers, seats, news, stamps };
    this.#gossip = new Gossip(carried, { ...defaultGossipOptions, seeds: join });
    this.#farewell = new Farewell(runtime, meta, this.#gossip);
    this.#joiner = new Joiner(runtime, membership, this.#peers);
    this.#detector = new FailureDetector(runtime, membership, this.#peers);
    this.#doubt = new Doubt({ runtime, membership, gossip: this.#gossip, detector: this.#detector });
    this.#description = new SelfDescription(runtime, { membership, seats, stamps, buffer: this.#buffer });
    this.#memberChanges = new MemberChanges(membership, this.#detector, this.#gossip);
    membership.onChange(() => {
      if (membership.departed !== undefined) departure.hurry();
      else if (membership.isReplaced) this.#end(new NodeError("superseded", supersededBy(membership)));
      else if (membership.isOutdated && this.#isServing) this.#end(new NodeError("outdated", outdatedBy(membership)));
    });

    this.#node = new NodeCoordination(membership, {
      runtime,
      limits,
      counters: this.#counters,
      peers: this.#peers,
      replica,
      damaged: this.#damaged,
      hints,
      admission,
      seats,
      ring,
      voice: (place) => (membership.departed === undefined ? this.#seats.voice(place) : undefined),
      mayBeCopied: () => this.#isServing && !this.#doubt.isThere,
      isServing: () => this.#isServing && membership.departed === undefined && !this.#doubt.forbidsServing,
      isInDoubt: () => this.#doubt.isThere,
      isUp: (node) => this.#detector.isUp(node),
      isGone: (node) => !membership.ring.members.has(node) && this.#detector.silentMs(node) >= goneAfterMs,
      onUp: (listener) => this.#detector.onUp(listener),
      ringDiffers: (from) => this.#gossip.gossipNow(from),
    });
    this.#coordinator = new Coordinator(this.#node);
    this.#clients = new ClientRequests(this.#node, this.#coordinator, membership);
    this.#buckets = new Buckets(membership, this.#gossip, seats);
    const scan = new LeafScan(this.#buffer, runtime.checksum, (...found) => this.#damaged.found(...found));
    const parts = {
      node: this.#node,
      membership,
      trees: this.#trees,
      scan,
      buffer: this.#buffer,
      states,
      news,
      pending,
      empty,
    };
    this.#transfer = newTransfer(parts);
    this.#antiEntropy = new AntiEntropy(this.#node, this.#trees, scan, this.#transfer);
    this.#reaper = new Reaper(this.#node, this.#buffer);
    const handoff = new Handoff(this.#node);
    const end = (error: NodeError): void => this.#end(error);
    const departure = new Departure({
      runtime,
      membership,
      gossip: this.#gossip,
      farewell: this.#farewell,
      transfer: this.#transfer,
      hints,
      askedMs: () => this.#peerRequests.askedMs,
      onLeaving: options.onLeaving,
      onStaying: options.onStaying,
      end,
    });
    this.#background = [this.#antiEntropy, this.#transfer, handoff, this.#reaper, departure];
    this.#views = new NodeViews({
      name: this.name,
      software,
      engine,
      buffer: this.#buffer,
      counters,
      membership,
      peers: this.#peers,
      server: this.#server,
      detector: this.#detector,
      seats,
      transfer: this.#transfer,
      pending,
      admission,
      coordinator: this.#coordinator,
      trees: this.#trees,
      damaged: this.#damaged,
      antiEntropy: this.#antiEntropy,
      reaper: this.#reaper,
      hints,
    });
    const sponsor = new Sponsor(runtime, membership, this.#peers, seats);
    this.#peerRequests = new PeerRequests({
      clock,
      membership,
      isServing: () => this.#isServing && !this.#doubt.isThere,
      clients: new ClientService({
        node: this.#node,
        requests: this.#clients,
        membership,
        rings: new ClientRings(membership, seats, limits.valueBytes),
      }),
      data: new PeerService(this.#node, this.#coordinator),
      exchanges: this.#antiEntropy,
      reaper: this.#reaper,
      seats: new SeatService(this.#node, news, this.#transfer, this.#tasks),
      cluster: new MembershipService({ membership, gossip: this.#gossip, sponsor, tasks: this.#tasks }),
    });
  }

  /** Resolves when the node is a member and serves. Rejects with `NodeError` or `StorageError`, and is stopped then. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const opened = await this.#membership.open();
    if (opened.kind === "refused") {
      const { departed } = this.#membership;
      const listen = (): Promise<Address> => listenAt(this.#server, this.#options.listen);
      if (departed === "left") await this.#farewell.insist(opened.why, listen);
      this.#mustGoOn();
      throw new NodeError(departed ?? "refused", opened.why);
    }
    const lost = opened.kind === "stranger" ? lostStore(this.#options) : undefined;
    if (lost !== undefined) throw new NodeError("refused", lost);
    const listening = await listenAt(this.#server, this.#options.listen);
    const addresses = { peer: this.#options.advertise ?? listening, http: this.#options.http };
    const told =
      opened.kind === "stranger" ? await becomeMember(this.#options, this.#membership, this.#joiner, addresses) : [];
    if (opened.kind !== "stranger") this.#tasks.run("looking at the seeds", () => this.#checkSeeds());
    this.#mustGoOn();
    await this.#seats.open(told);
    this.#damaged.start(this.#node, this.#trees);
    this.#trees.start();
    this.#hints.start();
    // An older copy of the directory must be found out before it says anything: others may know more of this node.
    const hasAsked = opened.kind === "member" && (await this.#gossip.askAll());
    const { departed } = this.#membership;
    if (departed !== undefined) throw new NodeError(departed, departedAs(departed, this.name));
    if (this.#membership.isOutdated) throw new NodeError("outdated", outdatedBy(this.#membership));
    if (opened.kind === "member" && !hasAsked && !this.#gossip.hasHeard) this.#doubt.begin();
    this.#isServing = !this.#membership.isReplaced && !this.#hasEnded && !this.#isStopping;
    await this.#description.start(addresses, hasAsked, () => opened.kind === "stranger" || this.#gossip.hasHeard);
    this.#gossip.start();
    this.#detector.start();
    for (const part of this.#background) part.start();
    await this.#gossip.spread();
    this.#mustGoOn();
    const { self, cluster, incarnation, ring } = this.#membership;
    const fields = { node: self, cluster, incarnation, members: ring.members.size, ...this.#seats.count };
    this.#runtime.log.info("serving", { ...fields, ...addresses });
  }

  /**
   * Takes no more requests, finishes those under way, or gives them up after `graceMs`, and what they wrote, and
   * resolves. The engine stays open.
   */
  async stop(graceMs: number = defaultGraceMs): Promise<void> {
    this.#isServing = false;
    this.#isStopping = true;
    this.#joiner.stop();
    this.#farewell.stop();
    const stopping = [...this.#background, this.#damaged, this.#hints, this.#doubt].map((part) => part.stop());
    await this.#coordinator.finish(graceMs);
    await Promise.all([this.#gossip.stop(), this.#detector.stop(), this.#description.stop()]);
    await this.#server.stop();
    this.#peers.stop();
    await Promise.all(stopping);
    await this.#tasks.close();
    await this.#seats.stop();
    await this.#buffer.close();
  }

  get isReady(): boolean {
    return this.#isServing && this.departed === undefined;
  }

  get departed(): "left" | "removed" | undefined {
    return this.#membership.departed;
  }

  readonly get: NodeApi["get"] = (request) => this.#clients.get(request);
  readonly put: NodeApi["put"] = (request) => this.#clients.put(request);
  readonly delete: NodeApi["delete"] = (request) => this.#clients.delete(request);

  readonly buckets: NodeApi["buckets"] = () => (this.#membership.isMember ? this.#buckets.all() : []);
  readonly bucket: NodeApi["bucket"] = (bucket) => this.#buckets.view(bucket);
  readonly setBucket: NodeApi["setBucket"] = (bucket, change) => this.#buckets.set(bucket, change);

  readonly cluster: NodeApi["cluster"] = () => this.#views.cluster();
  readonly ring: NodeApi["ring"] = () => this.#views.ring();
  readonly locate: NodeApi["locate"] = (bucket, key) => this.#views.locate(bucket, key);
  readonly plan: NodeApi["plan"] = (change) => this.#views.plan(change);
  readonly hints: NodeApi["hints"] = () => this.#views.hints();
  readonly transfers: NodeApi["transfers"] = () => this.#views.transfers();
  readonly metrics: NodeApi["metrics"] = () => this.#views.metrics();
  readonly history: NodeApi["history"] = () => this.#membership.history;

  readonly leave: NodeApi["leave"] = (name, options) => this.#memberChanges.leave(name, options?.force === true);
  readonly stay: NodeApi["stay"] = (name) => this.#memberChanges.stay(name);
  readonly remove: NodeApi["remove"] = (name, options) => this.#memberChanges.remove(name, options?.force === true);
  readonly changeMember: NodeApi["changeMember"] = (name, change) => this.#memberChanges.change(name, change);

  readonly startRepair: NodeApi["startRepair"] = (force = false) => this.#antiEntropy.repair(force);
  readonly repair: NodeApi["repair"] = () => (this.#membership.isMember ? this.#antiEntropy.view() : noRepairView);

  #mustGoOn(): void {
    if (this.#isStopping) throw new NodeError("stopped", `${this.name} was stopped while it started`);
  }

  async #checkSeeds(): Promise<void> {
    const { limits, join } = this.#options;
    const foreign = await foreignSeed(this.#runtime, limits, this.#membership, join);
    if (foreign !== undefined) this.#end(new NodeError("wrong-cluster", foreign));
  }

  /** Serves nothing from now on, and says so. */
  #end(error: NodeError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isServing = false;
    if (error.code === "left") this.#runtime.log.info(error.message);
    else if (error.code === "removed") this.#runtime.log.warn(error.message);
    else this.#runtime.log.error("this node must not go on", { code: error.code, why: error.message });
    this.#options.onEnded?.(error);
  }
}
