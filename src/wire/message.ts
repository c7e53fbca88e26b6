/**
 * Everything one process says to another, as one union discriminated by `kind`.
 *
 * A request carries an `id` that its sender chose; the answer repeats it. Ids are a connection's own: the same number
 * on another connection is another request. `codec.ts` turns each kind into bytes; their golden bytes are in the tests.
 *
 * Where each request of a client makes some, fields that may be absent are there all the same, as undefined: messages of
 * one kind then have one shape, and are made without copying.
 */

import type { DotSet } from "../core/causality/dot-set.ts";
import type { SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { HistoryEvent } from "../core/membership/event.ts";
import type { NodeRecord } from "../core/membership/node-record.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { KnownSeats } from "../core/seats/known.ts";
import type { Quorum } from "../core/settings.ts";
import type { ClientAnswer, ClientRequest } from "./client-message.ts";
import type {
  AllStored,
  CompareNodes,
  CompareTrees,
  CopyStates,
  HashesCompared,
  KeysListed,
  ListKeys,
  StatesCopied,
  WhenStored,
} from "./exchange-message.ts";
import type { AskForgetting, Forget, ForgettingViews } from "./forgetting-message.ts";
import type { Gossip, GossipAnswer, GossipDelta, GossipDigest } from "./gossip-message.ts";
import type {
  CompareSeats,
  FenceSeat,
  FillSeat,
  PartitionSeats,
  RebuildInquiry,
  RebuildState,
  SeatFenced,
  SeatSealed,
  SeatsTold,
  TakeSeat,
} from "./seat-message.ts";

export type {
  AllStored,
  CompareNodes,
  CompareTrees,
  CopiedState,
  CopyStates,
  HashesCompared,
  KeysListed,
  ListedKey,
  ListKeys,
  StatesCopied,
  TreeName,
  TreeSize,
  WhenStored,
} from "./exchange-message.ts";
export type { AskForgetting, Forget, ForgettingView, ForgettingViews } from "./forgetting-message.ts";
export type { Gossip, GossipAnswer, GossipDelta, GossipDigest } from "./gossip-message.ts";
export type {
  CompareSeats,
  FenceSeat,
  FillSeat,
  PartitionSeats,
  RebuildInquiry,
  RebuildState,
  SeatFenced,
  SeatSealed,
  SeatsTold,
  TakeSeat,
} from "./seat-message.ts";

/** First on every connection, from both sides, the dialler's first. A process that is no member yet has no cluster. */
export interface Hello {
  readonly kind: "hello";
  readonly id: 0;
  readonly role: "member" | "joiner" | "client";
  /** The cluster's id, empty for a joiner. */
  readonly cluster: string;
  readonly node: NodeId;
  /** Empty for a joiner. */
  readonly incarnation: string;
  readonly name: string;
}

/** Asks a replica for its state of a key, or a fallback for the merge of the hints it holds for the key. */
export interface ReplicaGet {
  readonly kind: "replica-get";
  readonly id: number;
  /** Of what the sender knows of the partition's seats: whoever knows otherwise tells it in the answer. */
  readonly knownHash: number;
  /** Names the changes of the bucket's n that the sender knows: whoever knows others refuses (`BucketEras.version`). */
  readonly changes: number;
  readonly bucket: string;
  readonly key: string;
  /** The owner for which the receiver stands in (§4.6). */
  readonly standInFor?: NodeId | undefined;
  /** The head of the state that the sender has (`state-codec.ts`): whoever has the same one need not send it. */
  readonly unless?: Uint8Array | undefined;
}

/** Asks a replica to merge a state into its own, or a fallback to keep it for an owner. */
export interface ReplicaPut {
  readonly kind: "replica-put";
  readonly id: number;
  /** Of what the sender knows of the partition's seats: whoever knows otherwise tells it in the answer. */
  readonly knownHash: number;
  /** Names the changes of the bucket's n that the sender knows: whoever knows others refuses (`BucketEras.version`). */
  readonly changes: number;
  readonly bucket: string;
  readonly key: string;
  /** A client's write, the repair of a copy that was seen to be stale, or a hint that comes home. */
  readonly purpose: "write" | "repair" | "hint";
  /** Whether the answer may come only once the copy is on disk. */
  readonly synced: boolean;
  /** Whether the sender holds the bucket to keep a single version. */
  readonly lastWriteWins: boolean;
  /** The owner for which the receiver keeps it as a hint (§4.6). */
  readonly hintFor?: NodeId | undefined;
  readonly state: SiblingSet;
}

export interface ReplicaState {
  readonly kind: "replica-state";
  readonly id: number;
  /** What the answerer knows of the seats; absent where that is what the asker knows. */
  readonly known?: KnownSeats | undefined;
  /** Absent: the answerer holds no voice for the key's partition, and its answer counts for nothing. */
  readonly voice?: Voice | undefined;
  /** Absent: it has nothing of the key, not even a tombstone, or it is the same. */
  readonly state?: SiblingSet | undefined;
  /** It has what `unless` was the head of. */
  readonly isSame?: true | undefined;
}

export interface ReplicaStored {
  readonly kind: "replica-stored";
  readonly id: number;
  /** What the answerer knows of the seats; absent where that is what the asker knows. */
  readonly known?: KnownSeats | undefined;
  readonly voice?: Voice | undefined;
  /** Whether the copy is on disk. */
  readonly synced: boolean;
}

/** A client's get, passed on to a node that can coordinate it. */
export interface CoordinateGet {
  readonly kind: "coordinate-get";
  readonly id: number;
  /** Of what the sender knows of the partition's seats: whoever knows otherwise tells it in the answer. */
  readonly knownHash: number;
  readonly bucket: string;
  readonly key: string;
  /** What is left of the request's time, in ms. */
  readonly budgetMs: number;
  readonly r?: Quorum | undefined;
  readonly pr?: Quorum | undefined;
  /** In how many zones those who answer must be. */
  readonly zones?: number | undefined;
  /** No owner can be reached: the receiver, a fallback, is to coordinate (§4.6). */
  readonly asFallback?: true | undefined;
}

/** A client's put or delete, passed on to a node that can coordinate it. */
export interface CoordinateWrite {
  readonly kind: "coordinate-write";
  readonly id: number;
  /** Of what the sender knows of the partition's seats: whoever knows otherwise tells it in the answer. */
  readonly knownHash: number;
  readonly bucket: string;
  readonly key: string;
  readonly budgetMs: number;
  readonly w?: Quorum | undefined;
  readonly pw?: Quorum | undefined;
  readonly dw?: Quorum | undefined;
  readonly zones?: number | undefined;
  /** What the client has seen; absent for a blind write, and for a delete that shall remove what a read finds. */
  readonly context?: DotSet | undefined;
  /** Refuse if a quorum read finds a live version. */
  readonly onlyIfAbsent: boolean;
  readonly writeId?: string | undefined;
  /** Absent for a delete. */
  readonly version?:
    | { readonly value: Uint8Array; readonly checksum: number; readonly contentType: string }
    | undefined;
  readonly asFallback?: true | undefined;
}

/** What a coordinated get found. */
export interface GetAnswer {
  readonly kind: "get-answer";
  readonly id: number;
  /** Absent: nothing is known of the key, not even that it was deleted. */
  readonly state?: SiblingSet | undefined;
  /** The owner whose answer came first: the best coordinator for the write that may follow (§5). */
  readonly fastest?: NodeId | undefined;
  /** How many voices it rests on; stand-ins are none. */
  readonly voices: number;
  /** Of how many seats: those of the key that have ever had a holder, or are being filled, as far as was known. */
  readonly seats: number;
}

/** A coordinated write succeeded. */
export interface WriteAnswer {
  readonly kind: "write-answer";
  readonly id: number;
  /** The write's dot and what its client had seen, nothing else. */
  readonly context: DotSet;
  /** Live versions at the coordinator after the write. */
  readonly siblings: number;
  /** How many voices held it when it was answered; stand-ins are none. */
  readonly voices: number;
  readonly seats: number;
}

/** Why a request was not done. */
export type RefusalCode =
  | "stale-ring" // the two sides know different rings; the answer's ringVersion says whose is older
  | "not-ready" // the node is starting, stopping, or waits for a membership change to be decided
  | "no-owner" // the node does not own the key and will not coordinate it
  | "quorum-not-met"
  | "deadline-passed"
  | "precondition-failed"
  | "too-many-siblings"
  | "value-too-large"
  | "bad-request"
  | "overloaded"
  | "disk-full"
  | "corrupt"
  | "storage-failed"
  | "join-refused"
  | "superseded" // the asker's incarnation has been replaced
  | "unknown-request";

export interface Refusal {
  readonly kind: "refusal";
  readonly id: number;
  readonly ringVersion: number;
  readonly code: RefusalCode;
  /** One sentence for people that names the value and what is allowed. */
  readonly detail: string;
  /** For `quorum-not-met`. */
  readonly needed?: number | undefined;
  readonly received?: number | undefined;
  /** Whether a refused write may still take effect. */
  readonly mayHaveHappened: boolean;
  /** What the answerer knows of the seats; absent where that is what the asker knows. */
  readonly known?: KnownSeats | undefined;
}

/** A process asks a member to make it one, too. */
export interface JoinRequest {
  readonly kind: "join-request";
  readonly id: number;
  readonly node: NodeId;
  readonly name: string;
  readonly zone: string;
  readonly capacity: number;
  readonly peer: string;
  readonly http: string;
  readonly software: string;
  /** What the joiner was told of the cluster's settings, where it was told: must equal the cluster's. */
  readonly partitions?: number;
  readonly n?: number;
  readonly r?: Quorum;
  readonly w?: Quorum;
}

export interface JoinAnswer {
  readonly kind: "join-answer";
  readonly id: number;
  /** The joiner's id from now on: its own, or the one it had before its directory was lost. */
  readonly node: NodeId;
  readonly incarnation: string;
  /** The cluster's secret, 32 bytes. */
  readonly secret: Uint8Array;
  readonly events: readonly HistoryEvent[];
  readonly records: readonly NodeRecord[];
  readonly seats: readonly PartitionSeats[];
}

export interface Ping {
  readonly kind: "ping";
  readonly id: number;
}

/** Yes, to whatever needs no more. */
export interface Done {
  readonly kind: "done";
  readonly id: number;
}

export type Request =
  | ClientRequest
  | ReplicaGet
  | ReplicaPut
  | CoordinateGet
  | CoordinateWrite
  | Gossip
  | GossipDelta
  | JoinRequest
  | CompareTrees
  | CompareNodes
  | ListKeys
  | CopyStates
  | WhenStored
  | AskForgetting
  | Forget
  | TakeSeat
  | SeatSealed
  | FenceSeat
  | FillSeat
  | RebuildInquiry
  | CompareSeats
  | SeatsTold
  | Ping;

export type Answer =
  | ClientAnswer
  | ReplicaState
  | ReplicaStored
  | GetAnswer
  | WriteAnswer
  | Refusal
  | GossipDigest
  | GossipAnswer
  | JoinAnswer
  | HashesCompared
  | KeysListed
  | StatesCopied
  | AllStored
  | ForgettingViews
  | SeatSealed
  | SeatFenced
  | RebuildState
  | SeatsTold
  | Done;

export type Message = Hello | Request | Answer;
