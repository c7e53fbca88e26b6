/**
 * The identifiers that are easy to confuse, told apart by the compiler.
 *
 * A node's id is born with its data directory and never reused; its name is for people. An actor is what mints dots
 * (see `causality/minting.ts`) and is neither of the two: it does not outlive the process that drew it.
 */

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A member's identity: 16 lower-case hexadecimal digits, drawn at random when its data directory is made. */
export type NodeId = Branded<string, "NodeId">;

/** Who minted a dot: the process's 64 random bits and a serial, as printable ASCII of at most 32 characters. */
export type ActorId = Branded<string, "ActorId">;

/** The number of one of the ring's Q equal slices, 0 to Q-1. */
export type PartitionId = Branded<number, "PartitionId">;

const nodeIdShape = /^[0-9a-f]{16}$/;
const actorIdCharacters = 32;

/** The text as a node id, or undefined if it is not one. */
export function parseNodeId(text: string): NodeId | undefined {
  return nodeIdShape.test(text) ? (text as NodeId) : undefined;
}

/** The text as an actor id, or undefined if it is not one. */
export function parseActorId(text: string): ActorId | undefined {
  if (text.length === 0 || text.length > actorIdCharacters) return undefined;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return undefined;
  }
  return text as ActorId;
}
