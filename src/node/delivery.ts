/**
 * Brings home what this node keeps for one owner (§4.6): pages of hints in the order of the store, a few under way at a
 * time, until none is left, the owner is gone again, or it will not take them.
 *
 * A hint goes only when the owner answered that it holds it on disk and with a voice, and only if it is still what was
 * sent. So a run can end at any point, on either side, and the next one begins with what is left: there is no position
 * to remember. The owner merges, so what is sent twice, or late, changes nothing.
 *
 * Where its owner is no longer an owner of the key, all who are now must hold it. A member that is to leave, and cannot
 * reach the owner, has the next one that can stand in keep the hint in its place.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { bucketSettings, bucketVersion, preferenceOrder } from "../core/ring/preference-list.ts";
import { Asks } from "../rpc/asks.ts";
import type { FailedCall } from "../rpc/call.ts";
import { Backoff } from "../runtime/backoff.ts";
import { Pause } from "../runtime/pause.ts";
import type { StorageError } from "../storage/engine.ts";
import type { DurableListener } from "../storage/write-buffer.ts";
import type { Answer, RefusalCode, ReplicaPut } from "../wire/message.ts";
import { type Coordination, isPassing } from "./coordination.ts";
import type { Hint } from "./hints.ts";

/** What one run did. */
export interface DeliveryTotals {
  /** Hints that went. */
  delivered: number;
  /** Their records' bytes. */
  bytes: number;
  /** Times a hint stayed, though it was sent: it had changed, or not everybody took it with a voice. */
  left: number;
}

/** Hints under way to one owner; each waits for its disk. */
const hintsAtOnce = 16;
/** A page of more bytes than this makes the next one smaller. */
const pageBytes = 1024 * 1024;
/** Nobody waits for a hint: a call may take longer than a client's request. */
const callTimeoutMs = 5000;
/** Between two pages at full speed, in ms: requests come first. */
const pauseMs = 1;
/** An owner that is full or busy is asked again after such a while. */
const backoffLimits = { firstMs: 50, longestMs: 5000 };
/** One that is not ready yet, in ms: when it is, its readers wait for what it missed. */
const soonMs = 100;

/**
 * What became of one hint with one node.
 * - `held`: on its disk, with a voice.
 * - `voiceless`: it took it, but has to be filled before anybody may count on it.
 * - `soon`: it is not ready, or knows another ring: a matter of moments.
 * - `later`: it refuses whatever comes, being full or busy.
 * - `slow`: it is up, and has not answered in time.
 * - `refused`: it does not take this one.
 * - `gone`: no answer.
 */
type Handed = "held" | "voiceless" | "soon" | "later" | "slow" | "refused" | "gone";

export class Delivery {
  readonly totals: DeliveryTotals = { delivered: 0, bytes: 0, left: 0 };
  readonly #node: Coordination;
  readonly #owner: NodeId;
  readonly #asks: Asks = new Asks();
  readonly #pause: Pause;
  readonly #backoff: Backoff;
  /** Where the owner has no voice: one hint a pass is enough to see whether it has. */
  #voiceless: Set<PartitionId> = new Set();
  #pageHints = hintsAtOnce;
  #isStopped = false;

  constructor(node: Coordination, owner: NodeId) {
    this.#node = node;
    this.#owner = owner;
    this.#pause = new Pause(node.runtime.clock);
    this.#backoff = new Backoff(node.runtime.random, backoffLimits);
  }

  /** Delivers what can be delivered now. Rejects with `StorageError`. */
  async run(): Promise<void> {
    for (let before = -1; this.#isUseful() && this.totals.delivered > before; ) {
      before = this.totals.delivered;
      this.#voiceless = new Set();
      await this.#pass();
    }
  }

  /** Ends the run soon; calls under way still end as they do. */
  stop(): void {
    this.#isStopped = true;
    this.#pause.end();
  }

  /** One way through all of the owner's hints. */
  async #pass(): Promise<void> {
    const { admission, runtime } = this.#node;
    const { clock } = runtime;
    for (let after: Uint8Array | undefined; this.#isUseful(); ) {
      const beganMs = clock.monotonicMs();
      const page = this.#node.hints.page(this.#owner, after, this.#pageHints);
      const outcomes = await Promise.all(page.hints.map((hint) => this.#deliver(hint)));
      const bytes = page.hints.reduce((sum, hint) => sum + hint.bytes.length, 0);
      this.#pageHints = bytes > pageBytes ? Math.max(1, this.#pageHints >> 1) : hintsAtOnce;
      const mustWait = outcomes.includes("later") || outcomes.includes("soon");
      // A hint too large for the link to its owner must not keep the others from going.
      if (!mustWait && page.until === undefined) return;
      if (!mustWait) after = page.until;
      const restMs = admission.restAfter(clock.monotonicMs() - beganMs);
      await this.#pause.wait(Math.max(restMs, this.#pauseAfter(outcomes)));
    }
  }

  /** How long to wait after a page with these outcomes, in ms. */
  #pauseAfter(outcomes: readonly Handed[]): number {
    if (outcomes.includes("later") || outcomes.includes("slow")) return this.#backoff.next();
    this.#backoff.reset();
    return outcomes.includes("soon") ? soonMs : pauseMs;
  }

  #isUseful(): boolean {
    return !this.#isStopped && mayDeliver(this.#node, this.#owner);
  }

  async #deliver(hint: Hint): Promise<Handed> {
    const { place } = hint;
    if (this.#isStopped || this.#voiceless.has(place.partition)) return "voiceless";
    if (this.#node.ring().members.has(hint.owner) && !this.#node.isUp(hint.owner)) return this.#passOn(hint);
    const owners = [...new Set(this.#node.seats.owners(place).map(({ node }) => node))];
    const isOwner = owners.includes(hint.owner);
    const outcomes = await Promise.all((isOwner ? [hint.owner] : owners).map((target) => this.#hand(hint, target)));
    if (isOwner && outcomes.includes("voiceless")) this.#voiceless.add(place.partition);
    if (outcomes.length > 0 && outcomes.every((outcome) => outcome === "held") && this.#takeOut(hint)) return "held";
    this.totals.left += 1;
    // One of several new owners that is away must not hold up the other hints.
    return isOwner ? (outcomes[0] ?? "gone") : "gone";
  }

  /** Somebody else keeps the hint from now on, on its disk. */
  async #passOn(hint: Hint): Promise<Handed> {
    const { partition } = hint.place;
    const { self, seats, isUp, ring } = this.#node;
    const owners = seats.owners(hint.place).map(({ node }) => node);
    const next = preferenceOrder(ring(), partition).find((node) => {
      return node !== self && !owners.includes(node) && isUp(node);
    });
    if (next === undefined) return "gone";
    // One that stands in has no voice.
    const outcome = await this.#hand(hint, next, hint.owner);
    if ((outcome === "voiceless" || outcome === "held") && this.#takeOut(hint)) return "held";
    this.totals.left += 1;
    return outcome === "later" || outcome === "soon" ? outcome : "gone";
  }

  #takeOut(hint: Hint): boolean {
    if (!this.#node.hints.takeOut(hint)) return false;
    this.totals.delivered += 1;
    this.totals.bytes += hint.bytes.length;
    return true;
  }

  async #hand(hint: Hint, target: NodeId, hintFor?: NodeId): Promise<Handed> {
    const node = this.#node;
    const { bucket, key, partition } = hint.place;
    const { reconcile } = bucketSettings(node.ring(), bucket);
    const lastWriteWins = reconcile === "last-write-wins";
    if (target === node.self) return this.#handSelf(hint, lastWriteWins);
    const request: ReplicaPut = {
      kind: "replica-put",
      id: 0,
      knownHash: node.seats.hash(partition),
      changes: bucketVersion(node.ring(), bucket),
      bucket,
      key,
      purpose: "hint",
      synced: true,
      lastWriteWins,
      state: hint.state,
      ...(hintFor !== undefined && { hintFor }),
    };
    const answer = await this.#asks.ask((tag) => node.peers.call(target, request, callTimeoutMs, this.#asks, tag));
    if ("known" in answer && answer.known !== undefined) node.seats.learn(partition, answer.known);
    return this.#handed(answer, target);
  }

  #handed(answer: Answer | FailedCall, target: NodeId): Handed {
    switch (answer.kind) {
      case "replica-stored":
        if (!answer.synced) return "refused";
        return answer.voice === undefined ? "voiceless" : "held";
      case "refusal":
        if (answer.code === "stale-ring") this.#node.ringDiffers(target);
        return refusedWith(answer.code);
      case "call-failure":
        if (answer.failure === "overloaded") return "later";
        return answer.failure === "not-sent" || !this.#node.isUp(target) ? "gone" : "slow";
      default:
        return "refused";
    }
  }

  #handSelf({ place, state }: Hint, lastWriteWins: boolean): Promise<Handed> {
    const node = this.#node;
    if (!node.seats.mayStore(place.partition)) return Promise.resolve("soon");
    const voice = node.voice(place);
    return new Promise((resolve) => {
      const listener: DurableListener = {
        onDurable: () => resolve(voice === undefined ? "voiceless" : "held"),
        onFailed: (_: StorageError) => resolve("later"),
      };
      const merged = node.replica.merge(place, state, lastWriteWins, listener);
      if (merged.kind === "refused") resolve(refusedWith(merged.code));
    });
  }
}

/**
 * Whether hints for this owner can go anywhere: it can be reached, or is a member no more, so that others are to have
 * them, or this node is to leave.
 */
export function mayDeliver({ ring, self, isUp }: Coordination, owner: NodeId): boolean {
  const { members } = ring();
  return !members.has(owner) || isUp(owner) || members.get(self)?.isLeaving === true;
}

function refusedWith(code: RefusalCode): Handed {
  if (isPassing(code)) return "soon";
  return code === "overloaded" || code === "disk-full" ? "later" : "refused";
}
