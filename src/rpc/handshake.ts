/**
 * Who may talk to whom, decided on the two sides' hellos alone.
 *
 * A process of another cluster, or another node than the one expected at an address, must never get a request: it
 * would store or answer for keys that are not its own. Neither side is trusted to find out alone; both look.
 */

import type { NodeId } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Hello, Request } from "../wire/message.ts";

/** How long either side may take to say hello, in ms. */
export const handshakeMs = 2000;
/** Longest frame before the other side has said who it is, in bytes. */
export const helloFrameBytes = 4096;
/** Longest frame of a process that is no member yet and only asks to become one: anybody can say that, in bytes. */
const joinerFrameBytes = 256 * 1024;
/** Room beside the value in a client's frame: what is small enough to share a frame, and the longest head. In bytes. */
const clientHeadBytes: number = 64 * 1024;
/**
 * Most requests of one client that wait for their answers: one that keeps to it (`client/in-flight.ts`) is never refused
 * for it, and one that does not cannot fill the node alone.
 */
export const mostOfAClient = 4096;

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

/**
 * Whether who introduced itself so may ask this: a process that is no member yet may ask only to become one, and a client
 * only for keys and for who has them.
 */
export function mayAsk(hello: Hello, request: Request): boolean {
  switch (request.kind) {
    case "ping":
      return true;
    case "client-get":
    case "client-write":
    case "ring-inquiry":
      return hello.role === "client";
    case "join-request":
    case "gossip":
      return hello.role !== "client";
    default:
      return hello.role === "member";
  }
}

/** The longest frame that is taken of whoever introduced itself so, in bytes. */
export function frameBytesOf(hello: Hello, limits: Limits): number {
  switch (hello.role) {
    case "member":
      return limits.frameBytes;
    case "joiner":
      return joinerFrameBytes;
    case "client":
      return limits.valueBytes + clientHeadBytes;
  }
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
