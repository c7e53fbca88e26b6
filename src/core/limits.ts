/**
 * Every limit of the store in one place, with its reason. `defaultLimits` holds those an operator or a simulation may
 * set; the others are part of formats and fixed.
 */

/** Longest bucket name, in bytes of UTF-8. */
export const bucketNameBytes: number = 128;
/** Longest key, in bytes of UTF-8. */
export const keyBytes: number = 1024;
/** Most copies of a key: beyond this a quorum's latency is the slowest machine's. */
export const mostCopies: number = 16;
/** Most partitions: their numbers are stored in two bytes. */
export const mostPartitions: number = 65536;
/** Longest name of a node or zone, in characters. */
export const nameCharacters: number = 64;
/** Largest capacity weight: placement draws one hash for each unit. */
export const mostCapacity: number = 100;
/** Longest Content-Type, in bytes. */
export const contentTypeBytes: number = 255;
/** Longest write id, in characters. */
export const writeIdCharacters: number = 64;

export interface Limits {
  /** Largest value, in bytes. */
  readonly valueBytes: number;
  /** Most live versions of one key; a write that would exceed it is refused. */
  readonly siblings: number;
  /** Most bytes of one key's state where a write is minted; copies that merge may hold as much from each owner. */
  readonly stateBytes: number;
  /** Most intervals in a context before the oldest are pruned (§4.4). */
  readonly contextEntries: number;
  /**
   * Largest frame, in bytes. The merge of what all of a key's owners took while they could not reach each other must
   * fit, or no copy could be repaired, and no reader resolve it: `mostCopies` times `stateBytes`, and heads.
   */
  readonly frameBytes: number;
  /** Most bytes that wait to leave on one connection before requests over it are refused. */
  readonly connectionQueueBytes: number;
  /** Most connections taken from other processes. */
  readonly connections: number;
  /** Most bytes of bodies of requests over HTTP, from their arrival to their answer; a further one is refused. */
  readonly bodiesBytes: number;
  /** Most requests one node coordinates at a time. */
  readonly coordinations: number;
  /** Most bytes of writes that wait for the disk. */
  readonly writeBufferBytes: number;
  /** Most bytes of hints kept for others that cannot be reached; a further hint is refused. */
  readonly hintBytes: number;
  /**
   * One in so many reads asks every owner, and repairs those that are stale (§5); the others ask as many as they need.
   * At 1 each read asks all.
   */
  readonly readsPerWholeRead: number;
  /** How long a request may take where it does not say, in ms. */
  readonly requestTimeoutMs: number;
  /** The longest a request may ask for, in ms. */
  readonly longestTimeoutMs: number;
  /**
   * How long a key's state may be on its way between two stores, in ms: on a connection, and once more in the memory
   * of the node that passes it on. What is older is dropped, so that what all have forgotten stays forgotten.
   */
  readonly messageLifeMs: number;
  /**
   * How long the owners of a key must have held the same state before they may forget what it has seen, in ms: at
   * least `leastGraceMs`.
   */
  readonly reapGraceMs: number;
  /** Mean time between two exchanges of hash trees that nobody asked for, in ms. */
  readonly exchangeEveryMs: number;
  /** Most bytes a second that a node copies where it is to take seats; it copies less while requests need the machine. */
  readonly transferBytesPerSecond: number;
}

export const defaultLimits: Limits = {
  valueBytes: 1024 * 1024,
  siblings: 100,
  stateBytes: 4 * 1024 * 1024,
  contextEntries: 50,
  frameBytes: 72 * 1024 * 1024,
  connectionQueueBytes: 64 * 1024 * 1024,
  connections: 1000,
  bodiesBytes: 256 * 1024 * 1024,
  coordinations: 10_000,
  writeBufferBytes: 64 * 1024 * 1024,
  hintBytes: 1024 * 1024 * 1024,
  readsPerWholeRead: 10,
  requestTimeoutMs: 2000,
  longestTimeoutMs: 60_000,
  messageLifeMs: 60_000,
  reapGraceMs: 600_000,
  exchangeEveryMs: 10_000,
  transferBytesPerSecond: 8 * 1024 * 1024,
};

/**
 * The shortest grace time that keeps what was deleted from coming back, in ms: a request may send what it wrote until
 * its time is up, to those that stand in for some seconds longer, and what it sent lives on for a while.
 */
export function leastGraceMs(limits: Limits): number {
  return limits.longestTimeoutMs + 10_000 + forgettingQuietMs(limits);
}

/**
 * For how long a member must have held no hint for a key, and no copy it does not own, before owners may forget, in
 * ms. A read that saw it may repair for one message life, and the repair wait two seconds for its connection; the age
 * of the repair's frame may be off by what a hello took, one more life (`rpc/frame-age.ts`), and it may be one on its
 * way; and the members are asked within another.
 */
export function forgettingQuietMs({ messageLifeMs }: Limits): number {
  return 4 * messageLifeMs + 2000;
}
