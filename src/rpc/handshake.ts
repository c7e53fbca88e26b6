/**
 * Who may talk to whom, decided on the two sides' hellos alone.
 *
 * A process of another cluster, or another node than the one expected at an address, must never get a request: it
 * would store or answer for keys that are not its own. Neither side is trusted to find out alone; both look.
 */

import type { NodeId } from "../core/ids.ts";
import type { Hello, Request } from "../wire/message.ts";

/** How long either side may take to say hello, in ms. */
export const handshakeMs = 2000;
/** Longest frame before the other side has said who it is, in bytes. */
export const helloFrameBytes = 4096;
/** Longest frame of a process that is no member yet and only asks to become one: anybody can say that, in bytes. */
export const joinerFrameBytes: number = 256 * 1024;

/**
 * Why the sides must part, as a sentence, or undefined where they fit. `expected` is the node the dialler means to
 * reach, where it means a particular one. A process without a cluster, one that is about to join, fits everywhere.
 */
export function reasonToPart(own: Hello, theirs: Hello, expected?: NodeId): string | undefined {
  if (own.cluster !== theirs.cluster && own.cluster !== "" && theirs.cluster !== "") {
    return `${theirs.name} belongs to cluster ${theirs.cluster}, this node to ${own.cluster}`;
  }
  if (theirs.node === own.node) return `the node there is this one, ${theirs.name} (${theirs.node})`;
  if (expected !== undefined && theirs.node !== expected) {
    return `the node there is ${theirs.name} (${theirs.node}), not ${expected}`;
  }
  return undefined;
}

/** Whether who introduced itself so may ask this: a process that is no member yet may ask only to become one. */
export function mayAsk(hello: Hello, request: Request): boolean {
  if (hello.role !== "joiner") return true;
  return request.kind === "join-request" || request.kind === "gossip" || request.kind === "ping";
}

/** Whether a process that said the one hello would now say the other. */
export function sameHello(a: Hello, b: Hello): boolean {
  return (
    a.role === b.role &&
    a.cluster === b.cluster &&
    a.node === b.node &&
    a.incarnation === b.incarnation &&
    a.name === b.name
  );
}
