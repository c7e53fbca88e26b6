/**
 * What a node does for whoever stands before it: the web interface, the command line, an embedding process, the
 * simulation's clients. Everything here is in the words of `../wire` and `../core`; text and status codes are the
 * caller's affair.
 */

import type { HistoryEvent } from "../core/membership/event.ts";
import type { PlanOutcome, ProposedChange } from "../core/ring/plan.ts";
import type { BucketChange, BucketSettings, Quorum } from "../core/settings.ts";
import type { FailureCode } from "../wire/client-message.ts";

export type { FailureCode } from "../wire/client-message.ts";

interface RequestBase {
  readonly bucket: string;
  readonly key: string;
  /** How long the caller will wait, in ms; the node's default where absent. */
  readonly timeoutMs?: number | undefined;
}

export interface GetRequest extends RequestBase {
  readonly r?: Quorum | undefined;
  readonly pr?: Quorum | undefined;
  /** In how many zones those who answer must be; any where absent. */
  readonly zones?: number | undefined;
}

interface WriteRequestBase extends RequestBase {
  readonly w?: Quorum | undefined;
  readonly pw?: Quorum | undefined;
  readonly dw?: Quorum | undefined;
  /** In how many zones those who hold the write must be; any where absent. */
  readonly zones?: number | undefined;
  /** The context token of the read this write builds on. */
  readonly context?: string | undefined;
  /** Equal on a write and its retries, so that they show as one. */
  readonly writeId?: string | undefined;
}

export interface PutRequest extends WriteRequestBase {
  readonly value: Uint8Array;
  readonly contentType: string;
  /** The value's, where somebody has made it and it was compared; made here where absent. */
  readonly checksum?: number | undefined;
  /** Refuse with `precondition-failed` if a quorum read finds a live version. */
  readonly onlyIfAbsent?: boolean | undefined;
}

export interface DeleteRequest extends WriteRequestBase {}

/** One live version, as a reader sees it. */
export interface Version {
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Wall time of the write, in ms since 1970. */
  readonly modified: number;
  /** The write's unique name, `actor:counter`: for logs, tests and tools. */
  readonly dot: string;
}

/** Why a request was not done. A write that failed says whether it may still take effect. */
export interface Failure {
  readonly kind: "failure";
  readonly code: FailureCode;
  /** One sentence that names the value and what is allowed. */
  readonly detail: string;
  readonly needed?: number;
  readonly received?: number;
  /** For writes: whether it may still take effect. Absent where nothing was sent. */
  readonly outcome?: "unknown";
}

/** `context` is absent only where nothing is known of the key. Without versions it is a deleted key's. */
export interface GetFound {
  readonly kind: "found";
  readonly context: string | undefined;
  readonly versions: readonly Version[];
  /**
   * How many owners' answers it rests on, those that count; fallbacks that stood in are none of them. While n changes, none
   * where fallbacks alone answered for those that had to hold the key before.
   */
  readonly voices: number;
  /** How many owners the key had then: fewer than n while the cluster is young. */
  readonly seats: number;
}

export interface Written {
  readonly kind: "written";
  readonly context: string;
  /** Live versions after the write, where it was coordinated. */
  readonly siblings: number;
  /** How many owners were known to hold it then, of those that count. */
  readonly voices: number;
  readonly seats: number;
}

export type GetOutcome = GetFound | Failure;
export type WriteOutcome = Written | Failure;

export interface MemberView {
  readonly id: string;
  readonly name: string;
  /** `joining`: it is up, and has less than half of the seats that it is to have. */
  readonly status: "up" | "down" | "joining" | "leaving";
  readonly zone: string;
  readonly capacity: number;
  /** Partitions of which it is to be an owner. */
  readonly partitions: number;
  readonly peer: string;
  readonly http: string;
}

export interface ClusterView {
  readonly name: string;
  readonly cluster: string;
  readonly version: string;
  readonly ringVersion: number;
  readonly partitions: number;
  readonly members: readonly MemberView[];
  readonly pendingTransfers: number;
  readonly hints: number;
  /** n, r and w as they are in force, capped by the number of members. */
  readonly quorum: { readonly n: number; readonly r: number; readonly w: number };
}

/** What this node keeps for owners that it could not reach (§4.6). */
export interface HintsView {
  /** False for a while after the start: the numbers are too small then. */
  readonly areCounted: boolean;
  /** The most first. */
  readonly waiting: readonly {
    /** The owner's name; its id where it is no member any more. */
    readonly owner: string;
    readonly status: "up" | "down" | "departed";
    readonly hints: number;
    readonly bytes: number;
    /** How long the oldest has waited at most, in ms. */
    readonly oldestMs: number;
  }[];
}

export interface RingView {
  readonly partitions: readonly {
    readonly id: number;
    readonly owner: string;
    readonly preferenceList: readonly string[];
  }[];
}

export interface LocateView {
  readonly bucket: string;
  readonly key: string;
  /** The key's 64-bit place on the ring, 16 hexadecimal digits. */
  readonly hash: string;
  readonly partition: number;
  /** How many of the preference list are owners. */
  readonly n: number;
  readonly preferenceList: readonly {
    readonly name: string;
    readonly role: "owner" | "fallback";
    readonly isUp: boolean;
  }[];
}

export interface BucketView extends BucketSettings {
  readonly bucket: string;
  /** How far a change of its n is; undefined where none is under way, as far as the node knows. */
  readonly filling: BucketFilling | undefined;
}

/** Until a partition is filled, requests there meet the quorums of the earlier n, too. */
export interface BucketFilling {
  /** The earlier n. */
  readonly from: number;
  /** Partitions that are filled, of all. */
  readonly filled: number;
  readonly partitions: number;
}

export type BucketOutcome = { readonly kind: "set"; readonly bucket: BucketView } | Failure;

/** How a comparison of this node's partitions with all their owners goes, or went. */
export interface RepairView {
  readonly running: boolean;
  /** The run under way, else the last one; undefined where nobody has asked for one since the start. */
  readonly lastRun: RepairRun | undefined;
  /** The owners that this run could not be ended with: what they hold, or lack, is not compared. */
  readonly leftOut: readonly LeftOut[];
  /** Records found damaged on this node's disk since it started. */
  readonly damaged: {
    /** Of those, keys that this node refuses until their other owners have said what they hold. */
    readonly waiting: number;
    /** Their bytes, kept in the store to be looked at, those of earlier runs included. */
    readonly setAside: number;
  };
  /** How far this node is in getting back the voices that went with a lost disk. */
  readonly rebuild: RebuildView;
}

/** An owner, and why it was given up. */
export interface LeftOut {
  readonly name: string;
  readonly why: string;
}

/** The seats of a node whose disk was lost, and what keeps it from speaking for them (`rebuild.ts`). */
export interface RebuildView {
  readonly seats: number;
  /** Those of the seats for which this node's answers count. */
  readonly voices: number;
  /** Whether voices are to come back still. */
  readonly running: boolean;
  /** The owners whose copies are still to be taken. */
  readonly waitingFor: readonly { readonly name: string; readonly partitions: number; readonly why: string }[];
  /** Voices that were taken by force since the start, and what may be lost by it; undefined where there are none. */
  readonly forced: ForcedVoices | undefined;
}

/** What this node has to do for seats to come to those who shall hold them (`transfer.ts`). */
export interface TransfersView {
  /** In the whole cluster, as far as this node knows: seats that are not with those who shall hold them. */
  readonly pending: number;
  /** What this node took since it last had nothing to take; undefined where that is nothing since its start. */
  readonly taken: TakenView | undefined;
  /** What came for it in the last seconds, and what may come at most, in bytes a second. */
  readonly bytesPerSecond: number;
  readonly limitBytesPerSecond: number;
  readonly transfers: readonly TransferView[];
}

export interface TakenView {
  readonly seats: number;
  readonly keys: number;
  readonly bytes: number;
  /** For how long it has taken them, or took them, in ms. */
  readonly tookMs: number;
}

/** What a member is to be from now on; what is absent stays as it is. */
export interface MemberChange {
  readonly capacity?: number;
  readonly zone?: string;
}

/**
 * What became of a change of membership that an operator asked for. `accepted`: it is on this node's disk, and goes on
 * by itself from there, whatever happens to this node. `refused` has changed nothing:
 * - `unknown-member`: there is no member of that name;
 * - `too-few`: fewer members would be left than buckets keep copies; with `force` it is done, save to the last one;
 * - `is-up`: only who is down is removed, but with `force`;
 * - `not-ready`: this node is no member, or cannot store it;
 * - `bad-value`: no such capacity or zone can be.
 */
export type MemberChangeOutcome =
  | { readonly kind: "accepted" }
  | {
      readonly kind: "refused";
      readonly why: "unknown-member" | "too-few" | "is-up" | "not-ready" | "bad-value";
      /** One sentence that says what is in the way. */
      readonly detail: string;
    };

/** What a node does in one partition, or will. */
export interface TransferView {
  readonly partition: number;
  /** Undefined where it is about a copy that is no seat's. */
  readonly seat: number | undefined;
  /**
   * - `hand-over`: takes a seat from its holder;
   * - `rebuild`: fills a seat that has no holder, from all others;
   * - `reminder`: has fallen silent for its successor's sake, and waits for it;
   * - `vacate`: has the others hold what is in a seat that nobody is to have, since there are too few members;
   * - `hand-back`: has a copy without a voice merged by those who have one;
   * - `drop`: deletes a copy that others hold.
   */
  readonly kind: "hand-over" | "rebuild" | "fill" | "reminder" | "vacate" | "hand-back" | "drop";
  /** Whose seat or copy it is now, and whose it is to be; empty where that is all others, or nobody. */
  readonly from: string;
  readonly to: string;
  /** Whether it is being done now. */
  readonly running: boolean;
  /** What keeps it from going on, and who, where it waits; empty where that is nothing, or nobody. */
  readonly why: string;
  readonly waitsFor: string;
  /** Keys that this node holds of what the seat keeps, and their bytes. */
  readonly keys: number;
  readonly bytes: number;
  /** The same of those from whom it is copied, when they were last asked; undefined before. More may be written. */
  readonly keysInAll: number | undefined;
  readonly bytesInAll: number | undefined;
  /** What came over the network for it, and for how long it has been copied, in ms. */
  readonly bytesReceived: number;
  readonly ageMs: number;
}

export interface ForcedVoices {
  readonly partitions: number;
  /** The owners whose copies were not waited for. */
  readonly without: readonly string[];
  readonly mayBeLost: string;
}

export interface RepairRun {
  /** Partitions compared, once for each owner they were compared with. */
  readonly partitionsCompared: number;
  /** Keys looked at one by one: those in parts of hash trees that differed. */
  readonly keysCompared: number;
  /** Keys of which one side or both got a newer state. */
  readonly keysRepaired: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Wall time in ms since 1970; undefined while it runs. */
  readonly finishedMs: number | undefined;
}

/** A number that only grows, or a level, read when somebody asks. */
export interface MetricSample {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface NodeApi {
  readonly name: string;
  /** A member, its store open, serving. */
  readonly isReady: boolean;
  /** How it ceased to be a member, if it did: it serves nothing any more, and its directory can be deleted. */
  readonly departed: "left" | "removed" | undefined;
  get(request: GetRequest): Promise<GetOutcome>;
  put(request: PutRequest): Promise<WriteOutcome>;
  delete(request: DeleteRequest): Promise<WriteOutcome>;
  /** Every bucket that has properties of its own. */
  buckets(): readonly BucketView[];
  bucket(bucket: string): BucketView;
  setBucket(bucket: string, change: BucketChange): Promise<BucketOutcome>;
  cluster(): ClusterView;
  ring(): RingView;
  locate(bucket: string, key: string): LocateView;
  /** What a change of membership would move. Changes nothing. */
  plan(change: ProposedChange): PlanOutcome;
  /** The member is to hand over all that it holds, and then to go (§4.8.1). Asking again changes nothing. */
  leave(name: string, options?: { readonly force?: boolean }): Promise<MemberChangeOutcome>;
  /** A member that is leaving is to stay after all, and gets its share back. */
  stay(name: string): Promise<MemberChangeOutcome>;
  /** The member is lost: others rebuild what it held. Final: what returns of it stays out. */
  remove(name: string, options?: { readonly force?: boolean }): Promise<MemberChangeOutcome>;
  /** The member is to carry another share, or is in another zone. */
  changeMember(name: string, change: MemberChange): Promise<MemberChangeOutcome>;
  /** What waits here for whom. */
  hints(): HintsView;
  /** Seats on their way, as far as this node has a part in that. */
  transfers(): TransfersView;
  history(): readonly HistoryEvent[];
  /**
   * Starts to compare this node's partitions with all their owners (§4.7), unless that is under way. With `force`, and
   * at its end, voices that a lost disk took are taken back without the copies that cannot be had.
   */
  startRepair(force?: boolean): void;
  repair(): RepairView;
  metrics(): readonly MetricSample[];
}
