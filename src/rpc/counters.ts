/** What happened on one side's connections: numbers that only grow, read when somebody asks. */

import type { FrameErrorCode } from "../wire/frame.ts";

/**
 * Why a connection went:
 * - a `FrameErrorCode`: the other side sent nonsense, or what it sent was too long on its way;
 * - `unexpected`: a message that has no place there, such as an answer from the side that asks;
 * - `wrong-peer`: another cluster, or another node than the expected one;
 * - `silent`: nothing came for too long;
 * - `slow`: it does not take what it is sent;
 * - `too-many`: the bound on connections was reached;
 * - `gone`: the other side or the network closed it, or it was never made;
 * - `done`: this side had no more use for it.
 */
export type CloseCause =
  | FrameErrorCode
  | "unexpected"
  | "wrong-peer"
  | "silent"
  | "slow"
  | "too-many"
  | "gone"
  | "done";

export interface RpcCounters {
  messagesOut: number;
  messagesIn: number;
  bytesOut: number;
  bytesIn: number;
  /** Calls of `Connection.write`: messages per write tell how well batching works. */
  writes: number;
  /** Connections that stand or are being made. */
  connections: number;
  /** Answers that came after their call had been given up, or replies that no longer had a connection. */
  late: number;
  /** Times that a connection's other side was taken to be down because it was silent. */
  suspicions: number;
  readonly closed: Record<CloseCause, number>;
}

export function newCounters(): RpcCounters {
  return {
    messagesOut: 0,
    messagesIn: 0,
    bytesOut: 0,
    bytesIn: 0,
    writes: 0,
    connections: 0,
    late: 0,
    suspicions: 0,
    closed: {
      "too-long": 0,
      "bad-checksum": 0,
      malformed: 0,
      "too-old": 0,
      "bad-version": 0,
      unexpected: 0,
      "wrong-peer": 0,
      silent: 0,
      slow: 0,
      "too-many": 0,
      gone: 0,
      done: 0,
    },
  };
}
