/**
 * What one request's coordination needs of its node, gathered once: the operations (`get.ts`, `write.ts`) are objects
 * made for one request each, and take this instead of eight parameters.
 */

import type { NodeId } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Voice } from "../core/quorum/voice.ts";
import type { Ring } from "../core/ring/ring.ts";
import type { CallFailure } from "../rpc/call.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Refusal, RefusalCode } from "../wire/message.ts";
import type { Admission } from "./admission.ts";
import type { NodeCounters } from "./counters.ts";
import type { DamagedRecords } from "./damaged-records.ts";
import type { Hints } from "./hints.ts";
import type { Replica } from "./replica.ts";
import type { BucketPlace } from "./seat-places.ts";
import type { Seats } from "./seats.ts";

export interface Coordination {
  readonly runtime: Runtime;
  readonly limits: Limits;
  readonly counters: NodeCounters;
  readonly self: NodeId;
  readonly peers: Peers;
  readonly replica: Replica;
  readonly damaged: DamagedRecords;
  readonly hints: Hints;
  /** How fast what runs in the background may go. */
  readonly admission: Admission;
  /** What this node knows of who holds which seat, and holds itself. */
  readonly seats: Seats;
  /** The ring as this node knows it now. */
  ring(): Ring;
  /** This node's voice for a key, or undefined: it keeps no such keys, or has nothing to vouch for. */
  voice(place: BucketPlace): Voice | undefined;
  /**
   * Whether others may copy what this node holds. One that was removed, and is alive, says nothing any more in a seat's
   * name, and hands over what it holds (`departure.ts`).
   */
  mayBeCopied(): boolean;
  /** Whether the node serves: it is a member, and does not stop. */
  isServing(): boolean;
  /** Whether what this node holds may be out of date, and no other must hear of it (`doubt.ts`). */
  isInDoubt(): boolean;
  /** Whether the member can be expected to answer, in this node's own opinion of the moment; true of itself (§4.8.3). */
  isUp(node: NodeId): boolean;
  /** Whether the node is no member, and has been silent for so long that it will not hand over what it held. */
  isGone(node: NodeId): boolean;
  /** Calls the listener, for good, whenever a member has come up that was not. */
  onUp(listener: (node: NodeId) => void): void;
  /** A peer turned out to know another ring: exchange histories with it at once. */
  ringDiffers(from: NodeId): void;
}

/**
 * The same as an object whose engine knows its form. A literal with a getter in it is kept as a table of names, which is
 * searched at each of the forty times that a get looks at it; a class's instance is not.
 */
export class NodeCoordination implements Coordination {
  readonly runtime: Runtime;
  readonly limits: Limits;
  readonly counters: NodeCounters;
  readonly peers: Peers;
  readonly replica: Replica;
  readonly damaged: DamagedRecords;
  readonly hints: Hints;
  readonly admission: Admission;
  readonly seats: Seats;
  readonly ring: Coordination["ring"];
  readonly voice: Coordination["voice"];
  readonly mayBeCopied: Coordination["mayBeCopied"];
  readonly isServing: Coordination["isServing"];
  readonly isInDoubt: Coordination["isInDoubt"];
  readonly isUp: Coordination["isUp"];
  readonly isGone: Coordination["isGone"];
  readonly onUp: Coordination["onUp"];
  readonly ringDiffers: Coordination["ringDiffers"];
  readonly #whose: { readonly self: NodeId };

  /** `whose` tells who the node is, which it may only come to be. */
  constructor(whose: { readonly self: NodeId }, parts: Omit<Coordination, "self">) {
    this.#whose = whose;
    this.runtime = parts.runtime;
    this.limits = parts.limits;
    this.counters = parts.counters;
    this.peers = parts.peers;
    this.replica = parts.replica;
    this.damaged = parts.damaged;
    this.hints = parts.hints;
    this.admission = parts.admission;
    this.seats = parts.seats;
    this.ring = parts.ring;
    this.voice = parts.voice;
    this.mayBeCopied = parts.mayBeCopied;
    this.isServing = parts.isServing;
    this.isInDoubt = parts.isInDoubt;
    this.isUp = parts.isUp;
    this.isGone = parts.isGone;
    this.onUp = parts.onUp;
    this.ringDiffers = parts.ringDiffers;
  }

  get self(): NodeId {
    return this.#whose.self;
  }
}

/** One that was removed may be alive, and hand over what it holds: it is given so long to be heard of, in ms. */
export const goneAfterMs: number = 30_000;

/** A call is given at least this long, in ms, however little time its request has: its answer serves later, too. */
export const leastCallMs: number = 2000;

/** How long to wait before asking again a peer that waits for a membership change, in ms. */
export const retryPauseMs: number = 25;

/** Whether a peer that refused so may be asked again within the same request. */
export function isPassing(code: RefusalCode): boolean {
  return code === "stale-ring" || code === "not-ready";
}

/**
 * For how long what a request learned, or minted, at that time may still be passed on, in ms; not any more at 0. Later
 * it could bring back what all owners have forgotten meanwhile (`reaper.ts`): this process may have been stopped.
 */
export function lifeLeftMs({ runtime, limits }: Coordination, learnedMs: number): number {
  return Math.max(0, learnedMs + limits.messageLifeMs - runtime.clock.monotonicMs());
}

/** The node's name for people, in what a client is told; of one that is no member any more, its last one. */
export function nameOf(ring: Ring, node: NodeId): string {
  const { members, history } = ring;
  const member = members.get(node);
  if (member !== undefined) return member.name;
  const joined = history.findLast((event) => event.kind === "join" && event.node === node);
  if (joined?.kind === "join") return joined.name;
  const [found] = history;
  return found?.kind === "found" && found.author === node ? found.name : node;
}

/** The zone that the node is in. */
export function zoneOf(ring: Ring, node: NodeId): string | undefined {
  return ring.members.get(node)?.zone;
}

/** What became of a call, as those are told it who run the cluster. */
export const callTroubles: Readonly<Record<CallFailure, string>> = {
  "not-sent": "cannot be reached",
  lost: "was connected and is not any more",
  "timed-out": "did not answer in time",
  overloaded: "takes no more requests",
};

/** The refusal that a request ends with. `mayHaveHappened` is for writes. */
export function refusal(
  ringVersion: number,
  code: RefusalCode,
  detail: string,
  more: Partial<Pick<Refusal, "mayHaveHappened" | "needed" | "received" | "known">> = {},
): Refusal {
  return { kind: "refusal", id: 0, ringVersion, code, detail, mayHaveHappened: false, ...more };
}
