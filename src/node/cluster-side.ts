/**
 * The membership side of a node in one piece: opening the directory, becoming a member, the peers' requests that are
 * about the cluster rather than about data, and changes of buckets.
 *
 * The order of a start: `open` (who am I?), then listen, then `enter` (found, join, or go on), then serve data as far
 * as `pledge` allows, speaking with the voices that `seats` has.
 */

import { bucketSettings } from "../core/ring/preference-list.ts";
import { type BucketChange, type BucketSettings, contradictionIn } from "../core/settings.ts";
import type { Address } from "../runtime/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import type { MetaStore } from "../storage/meta-store.ts";
import type {
  Answer,
  ChangeInquiry,
  ChangeOutcome,
  GossipDelta,
  Gossip as GossipRequest,
  JoinRequest,
  Ping,
  PrepareChange,
} from "../wire/message.ts";
import { defaultGossipOptions, Gossip, type GossipOptions } from "./gossip.ts";
import { Joiner, type JoinOutcome, type OwnAddresses, Sponsor } from "./joining.ts";
import { type MemberCalls, refuse } from "./member-calls.ts";
import { type EventDraft, type MemberOptions, Membership, type Opened } from "./membership.ts";
import { PlacementChange } from "./placement-change.ts";
import { type Holdings, Pledge } from "./pledge.ts";
import { Seats } from "./seats.ts";

export type ClusterRequest =
  | GossipRequest
  | GossipDelta
  | JoinRequest
  | PrepareChange
  | ChangeInquiry
  | ChangeOutcome
  | Ping;

export interface ClusterSideOptions {
  readonly runtime: Runtime;
  readonly meta: MetaStore;
  readonly calls: MemberCalls;
  readonly holdings: Holdings;
  readonly member: MemberOptions;
  readonly gossip?: Partial<GossipOptions>;
}

export type BucketChanged =
  | { readonly kind: "set"; readonly settings: BucketSettings }
  /** `contradiction` is the asker's mistake; `conflict` stands while there is data; `busy` will pass. */
  | { readonly kind: "refused"; readonly why: "contradiction" | "conflict" | "busy"; readonly detail: string };

export class ClusterSide {
  readonly membership: Membership;
  readonly pledge: Pledge;
  readonly seats: Seats;
  readonly gossip: Gossip;
  readonly #changes: PlacementChange;
  readonly #sponsor: Sponsor;
  readonly #joiner: Joiner;
  readonly #tasks: TaskGroup;
  #own: OwnAddresses | undefined;

  constructor({ runtime, meta, calls, holdings, member, gossip }: ClusterSideOptions) {
    this.membership = new Membership(runtime, meta, member);
    this.pledge = new Pledge(meta, holdings);
    this.seats = new Seats(this.membership, meta, runtime.log);
    this.gossip = new Gossip(runtime, this.membership, calls, { ...defaultGossipOptions, ...gossip });
    this.#changes = new PlacementChange(runtime, this.membership, calls, this.gossip, this.pledge);
    this.#sponsor = new Sponsor(runtime, this.membership, calls, this.#changes);
    this.#joiner = new Joiner(runtime, this.membership, calls);
    this.#tasks = new TaskGroup(runtime.log);
    this.seats.onChange(() => this.#tasks.run("describing this node", () => this.#describe()));
  }

  /** Reads the directory. After this the node's id and its promise are known. Rejects with `StorageError`. */
  async open(): Promise<Opened> {
    const opened = await this.membership.open();
    if (opened.kind === "member") this.pledge.open();
    return opened;
  }

  /**
   * Makes this node a member that takes part: one that is a member already goes on, one without an address to ask
   * founds a cluster. May take for ever where nobody answers. Rejects with `StorageError`.
   */
  async enter(join: readonly Address[], own: OwnAddresses): Promise<JoinOutcome> {
    this.#own = own;
    if (!this.membership.isMember) {
      const outcome = join.length > 0 ? await this.#joiner.join(join, own) : await this.#found();
      if (outcome.kind !== "joined") return outcome;
    }
    await this.seats.open();
    await this.#describe();
    this.#changes.start();
    this.gossip.start();
    return { kind: "joined" };
  }

  async #found(): Promise<JoinOutcome> {
    await this.membership.found();
    return { kind: "joined" };
  }

  async stop(): Promise<void> {
    this.#joiner.stop();
    await this.gossip.stop();
    await this.#changes.stop();
    await this.seats.stop();
    await this.#tasks.close();
  }

  /** Answers a peer, sooner or later; never rejects. */
  async handle(request: ClusterRequest): Promise<Answer> {
    try {
      return await this.#answer(request);
    } catch (error) {
      return refuse(request.id, this.membership.ringVersion, "storage-failed", String(error));
    }
  }

  #answer(request: ClusterRequest): Answer | Promise<Answer> {
    if (request.kind === "ping") return { kind: "done", id: request.id };
    if (request.kind === "join-request") return this.#sponsor.handle(request);
    if (!this.membership.isMember) return refuse(request.id, 0, "not-ready", "this node is no member yet");
    switch (request.kind) {
      case "gossip":
        return this.gossip.handleGossip(request);
      case "gossip-delta":
        return this.gossip.handleDelta(request);
      case "prepare-change":
        return this.#changes.handlePrepare(request);
      case "change-inquiry":
        return this.#changes.handleInquiry(request);
      case "change-outcome":
        return this.#changes.handleOutcome(request);
    }
  }

  /**
   * Tells a bucket something. Another n moves the bucket's keys to other owners, so every member must vouch that it
   * holds none. Rejects with `StorageError`.
   */
  async setBucket(bucket: string, change: BucketChange): Promise<BucketChanged> {
    const before = bucketSettings(this.membership.ring, bucket);
    const contradiction = contradictionIn({ ...before, ...change });
    if (contradiction !== undefined) return { kind: "refused", why: "contradiction", detail: contradiction };
    if (change.n === undefined || change.n === before.n) {
      const { n: _, ...rest } = change;
      const names = Object.keys(rest) as (keyof typeof rest)[];
      if (names.some((name) => rest[name] !== before[name])) {
        await this.membership.append({ kind: "bucket", bucket, change: rest });
      }
    } else {
      const draft: EventDraft = { kind: "bucket", bucket, change };
      const result = await this.#changes.propose(() => draft, bucket);
      if (result.kind === "refused") {
        const why = result.why === "holds-data" ? "conflict" : "busy";
        return { kind: "refused", why, detail: result.detail };
      }
    }
    return { kind: "set", settings: bucketSettings(this.membership.ring, bucket) };
  }

  /** Tells the others where this node is and for how many seats it speaks, if that is news. */
  async #describe(): Promise<void> {
    const { self, incarnation, records, ringVersion } = this.membership;
    if (this.#own === undefined) return;
    const said = records.get(self);
    const { peer, http } = this.#own;
    const voices = this.seats.count;
    const isSaid =
      said?.incarnation === incarnation &&
      said.peer === peer &&
      said.http === http &&
      said.voices === voices &&
      said.ringVersion === ringVersion &&
      said.software === this.membership.options.software;
    if (!isSaid) await this.membership.describe({ peer, http, voices, ringVersion });
  }
}
