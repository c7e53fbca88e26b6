/**
 * What a node says of itself and gossip carries: its only writer is the node it is about, so that the newest version
 * is simply the truth of that moment (§4.8.2).
 */

import type { NodeId } from "../ids.ts";
import { compareEventNames } from "./history.ts";

export interface NodeRecord {
  readonly node: NodeId;
  /** The name of the join (or found) event by which this incarnation became a member, as `eventName` writes it. */
  readonly incarnation: string;
  /** Grows with every change its node makes, over restarts too; a record with a greater one replaces a lesser. */
  readonly version: number;
  /** Where peers and native clients reach it, `host:port`. */
  readonly peer: string;
  /** Where its HTTP interface is, `host:port`, or empty where it has none. */
  readonly http: string;
  /** How many seats it holds with a voice. */
  readonly voices: number;
  /** The software's version. */
  readonly software: string;
}

/** The version of a record that a sponsor writes for a new member, which never writes so low a one itself. */
export const welcomeVersion = 1;

/** Which version of whose record a node knows. */
export interface RecordVersion {
  readonly node: NodeId;
  readonly incarnation: string;
  readonly version: number;
}

export type RecordDigest = readonly RecordVersion[];

/** Whether `a` says something newer than `b`: a later incarnation, or the same one's later version. */
export function isNewerRecord(a: RecordVersion, b: RecordVersion): boolean {
  if (a.incarnation !== b.incarnation) return compareEventNames(a.incarnation, b.incarnation) > 0;
  return a.version > b.version;
}
