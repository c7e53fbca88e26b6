/**
 * A node's stamp: a number that it raises now and then while it is written to, on its disk before it shows it to
 * anybody. Whoever has seen a greater stamp than a node shows knows that the node runs on an older copy of its directory
 * (a restored backup), and must not vouch for what it has forgotten.
 *
 * A stamp says nothing that anybody else needs to know, so it is not spread: it is shown to whom the node talks with
 * anyway, and kept there.
 */

import type { NodeId } from "../ids.ts";
import { compareEventNames } from "./history.ts";

export interface Stamp {
  readonly node: NodeId;
  /** Stamps of different incarnations of a node have nothing to do with each other. */
  readonly incarnation: string;
  /** From 0, which a node shows that was never written to. */
  readonly stamp: number;
}

/** What is to be kept of two stamps of one node: the later incarnation's, the greater of one's. */
export function laterStamp(a: Stamp, b: Stamp): Stamp {
  if (a.incarnation !== b.incarnation) return compareEventNames(a.incarnation, b.incarnation) > 0 ? a : b;
  return a.stamp >= b.stamp ? a : b;
}

/** Whether what the node shows is older than what it has shown. */
export function isForgotten(shown: Stamp, before: Stamp): boolean {
  return shown.incarnation === before.incarnation && shown.stamp < before.stamp;
}
