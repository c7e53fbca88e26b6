/**
 * What a client of the store and a node say to each other, over the same frames as nodes do.
 *
 * A client is no member: it may ask for keys and for the ring, and nothing else (`rpc/handshake.ts`). What it has seen
 * of a key travels as the sealed context token it was given, which it cannot read (`context-token.ts`).
 *
 * Fields that may be absent are always there, as undefined: messages of one kind have one shape. Hot path.
 */

import type { Hash64 } from "../core/hash/murmur3.ts";
import type { NodeId } from "../core/ids.ts";
import type { Quorum } from "../core/settings.ts";

/** Asks for what is known of a key. */
export interface ClientGet {
  readonly kind: "client-get";
  readonly id: number;
  readonly bucket: string;
  readonly key: string;
  /** What is left of the request's time, in ms. */
  readonly budgetMs: number;
  readonly r: Quorum | undefined;
  readonly pr: Quorum | undefined;
  readonly zones: number | undefined;
}

/** A value on its way in, with the checksum that its client made of it. */
export interface CarriedValue {
  readonly value: Uint8Array;
  readonly checksum: number;
  readonly contentType: string;
}

/** Asks to put a value, or, without one, to delete what the context has seen. */
export interface ClientWrite {
  readonly kind: "client-write";
  readonly id: number;
  readonly bucket: string;
  readonly key: string;
  readonly budgetMs: number;
  readonly w: Quorum | undefined;
  readonly pw: Quorum | undefined;
  readonly dw: Quorum | undefined;
  readonly zones: number | undefined;
  /** A sealed token; undefined for a blind put, and for a delete that shall remove what a read finds. */
  readonly context: Uint8Array | undefined;
  /** Refuse if a quorum read finds a live version. */
  readonly onlyIfAbsent: boolean;
  readonly writeId: string | undefined;
  readonly version: CarriedValue | undefined;
}

/** One live version, with the checksum that it got where it entered the cluster: its reader is to compare it. */
export interface FoundVersion extends CarriedValue {
  /** Wall time of the write, in ms since 1970. */
  readonly modified: number;
}

/** What a get found. */
export interface ClientFound {
  readonly kind: "client-found";
  readonly id: number;
  /** The node that was asked had to pass the request on: the asker's ring is stale, or nobody better could be reached. */
  readonly isStray: boolean;
  /** A sealed token; undefined where nothing is known of the key. */
  readonly context: Uint8Array | undefined;
  readonly versions: readonly FoundVersion[];
  /** How many owners it rests on, and how many the key had. */
  readonly voices: number;
  readonly seats: number;
}

/** A write succeeded. */
export interface ClientWritten {
  readonly kind: "client-written";
  readonly id: number;
  readonly isStray: boolean;
  readonly context: Uint8Array;
  /** Live versions where it was coordinated. */
  readonly siblings: number;
  readonly voices: number;
  readonly seats: number;
}

/** Why a client's request was not done, in the words that clients hear (`node/api.ts`). New ones at the end only. */
export const failureCodes = [
  "bad-request",
  "bad-context",
  "value-too-large",
  "too-many-siblings",
  "precondition-failed",
  "quorum-not-met",
  "timeout",
  "overloaded",
  "disk-full",
  "storage-failed",
  "not-ready",
  "conflicting-change",
  "internal",
] as const;

export type FailureCode = (typeof failureCodes)[number];

/** A request was not done, or, where `isUnknown`, may have been. With the id 0 it is about the connection, which closes. */
export interface ClientFailed {
  readonly kind: "client-failed";
  readonly id: number;
  readonly isStray: boolean;
  readonly code: FailureCode;
  /** One sentence that names the value and what is allowed. */
  readonly detail: string;
  readonly needed: number | undefined;
  readonly received: number | undefined;
  /** Whether a write may still take effect. */
  readonly isUnknown: boolean;
}

/** Asks for the ring, unless it is the one of that hash. */
export interface RingInquiry {
  readonly kind: "ring-inquiry";
  readonly id: number;
  readonly hash: Hash64;
}

/** A member as clients need it. */
export interface ClientMember {
  readonly node: NodeId;
  readonly name: string;
  readonly zone: string;
  /** Where it takes connections of peers and clients. */
  readonly address: string;
}

/** Who can coordinate requests for buckets of n copies. */
export interface ClientOwners {
  readonly n: number;
  /** By partition: places in the list of members, the best first. */
  readonly partitions: readonly (readonly number[])[];
}

/** The ring, as far as it concerns who is best asked for which key (§6.4). */
export interface ClientRing {
  /** Grows with each change of membership that the node has heard of (`core/ring/ring.ts`). */
  readonly version: number;
  readonly cluster: string;
  /** The largest value that the node takes, in bytes. */
  readonly valueBytes: number;
  readonly members: readonly ClientMember[];
  /** The n of buckets that were told nothing. */
  readonly n: number;
  /** Buckets of another n. */
  readonly buckets: readonly { readonly bucket: string; readonly n: number }[];
  /** One for each n that a bucket asks for. */
  readonly owners: readonly ClientOwners[];
}

/** Answers a `ring-inquiry`. */
export interface RingTold {
  readonly kind: "ring-told";
  readonly id: number;
  readonly hash: Hash64;
  /** Undefined: it is the ring that the asker has. */
  readonly ring: ClientRing | undefined;
}

export type ClientRequest = ClientGet | ClientWrite | RingInquiry;
export type ClientAnswer = ClientFound | ClientWritten | ClientFailed | RingTold;
