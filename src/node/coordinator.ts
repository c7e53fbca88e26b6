/**
 * Coordinates requests for keys in which this node has a voice (§4.5): its own clients' and those that other nodes
 * pass on; and, where whoever passes one on can reach no such node, for any key, as one that stands in (§4.6). Checks
 * that it may, turns the bucket's properties into numbers, and starts the operation.
 *
 * Every refusal before an operation starts is certain: nothing has happened, and another owner may be asked.
 */

import { emptyDotSet } from "../core/causality/dot-set.ts";
import {
  type ReadAsk,
  type ReadRequirement,
  readRequirement,
  type Unsatisfiable,
  type WriteAsk,
  type WriteRequirement,
  writeRequirement,
} from "../core/quorum/requirement.ts";
import type { Quorum } from "../core/settings.ts";
import { Pause } from "../runtime/pause.ts";
import { Sweep } from "../runtime/sweep.ts";
import type { CoordinateGet, CoordinateWrite, GetAnswer, Refusal, RefusalCode, WriteAnswer } from "../wire/message.ts";
import type { Served } from "./admission.ts";
import { type Coordination, refusal } from "./coordination.ts";
import { GetOperation } from "./get.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";
import { PlainGet, type PlainGetListener, type PlainGetParts, type PlainGets } from "./plain-get.ts";
import { PlainPut } from "./plain-put.ts";
import { ReadPlan } from "./read-plan.ts";
import type { NeededOf, Wanted } from "./seat.ts";
import type { BucketPart } from "./seat-places.ts";
import { WriteOperation } from "./write.ts";

/** How exactly the patience of plain gets and puts is kept, in ms. */
const tickMs = 20;

export type DeliverGet = (answer: GetAnswer | Refusal) => void;
export type DeliverWrite = (answer: WriteAnswer | Refusal) => void;

interface Admitted {
  readonly kind: "admitted";
  readonly place: KeyPlace;
  readonly part: BucketPart;
}

export class Coordinator {
  readonly #node: Coordination;
  /** Plain gets and puts that have no answer yet. */
  readonly #plain: Sweep;
  readonly #plainGets: PlainGets;
  #underWay = 0;
  #idleWaiters: (() => void)[] = [];

  constructor(node: Coordination) {
    this.#node = node;
    this.#plain = new Sweep(node.runtime.clock, tickMs);
    this.#plainGets = {
      plan: new ReadPlan(node),
      onEnded: (get) => {
        this.#plain.remove(get);
        this.#ended("get", get.beganMs);
        this.#wakeIfIdle();
      },
    };
  }

  /** Operations that have not delivered their answer yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Waits for what is under way, so long at most: nodes that stop together could else wait for each other. */
  async finish(graceMs: number): Promise<void> {
    const { clock, log } = this.#node.runtime;
    const pause = new Pause(clock);
    void this.#idle().then(() => pause.end());
    await pause.wait(graceMs);
    if (this.#underWay > 0) log.warn("requests under way are given up", { requests: this.#underWay });
  }

  /** Resolves once nothing is under way. */
  #idle(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** `place` is the key's, for callers that know it already. */
  get(request: CoordinateGet, deliver: DeliverGet, place: KeyPlace = this.#placeOf(request)): void {
    const admitted = this.#admit(request, place);
    if (admitted.kind === "refusal") return deliver(admitted);
    this.#read(request, admitted, request, deliver);
  }

  /** Gets in the plain way (`plain-get.ts`). False where that cannot be, or may not: then nothing has happened. */
  getPlainly(parts: PlainGetParts, listener: PlainGetListener): boolean {
    const node = this.#node;
    if (!node.isServing() || parts.budgetMs <= 0 || this.#underWay >= node.limits.coordinations) return false;
    const get = new PlainGet(node, parts, listener, this.#plainGets);
    if (!get.mayBegin()) return false;
    const beganMs = this.#began();
    this.#plain.add(get);
    get.begin(beganMs);
    return true;
  }

  write(request: CoordinateWrite, deliver: DeliverWrite, place: KeyPlace = this.#placeOf(request)): void {
    const admitted = this.#admit(request, place);
    if (admitted.kind === "refusal") return deliver(admitted);
    const readsFirst = request.onlyIfAbsent || (request.version === undefined && request.context === undefined);
    if (!readsFirst) return this.#mint(request, admitted, request, request.budgetMs, deliver);

    const startedMs = this.#node.runtime.clock.monotonicMs();
    // Whether there is nothing only voices can say.
    const asked = { r: "quorum", pr: request.onlyIfAbsent ? "quorum" : undefined } as const;
    this.#read(request, admitted, asked, (found) => {
      if (found.kind === "refusal") return deliver({ ...found, mayHaveHappened: false });
      if (request.onlyIfAbsent && (found.state?.siblings.length ?? 0) > 0) {
        const live = found.state?.siblings.length;
        const detail = `"${request.key}" in bucket "${request.bucket}" has live versions (${live}), none is allowed`;
        return deliver(this.#refuse("precondition-failed", detail));
      }
      const leftMs = request.budgetMs - (this.#node.runtime.clock.monotonicMs() - startedMs);
      if (leftMs <= 0) return deliver(this.#refuse("deadline-passed", "the time was up before the write began"));
      // The seat may be another node's since the read.
      const again = this.#admit(request, place);
      if (again.kind === "refusal") return deliver(again);
      const seen = request.context ?? (request.version === undefined ? found.state?.context : undefined);
      this.#mint(request, again, { context: seen }, leftMs, deliver);
    });
  }

  #placeOf({ bucket, key }: CoordinateGet | CoordinateWrite): KeyPlace {
    return placeOf(bucket, key, this.#node.ring().settings.partitions);
  }

  #admit(request: CoordinateGet | CoordinateWrite, place: KeyPlace): Admitted | Refusal {
    const node = this.#node;
    if (!node.isServing()) {
      return this.#refuse("not-ready", "the node does not serve now");
    }
    if (request.budgetMs <= 0) return this.#refuse("deadline-passed", "the request's time was up when it arrived");
    if (this.#underWay >= node.limits.coordinations) {
      node.counters.overloads += 1;
      return this.#refuse("overloaded", `${this.#underWay} requests are under way, the limit`);
    }
    const part = node.seats.part(place);
    const { owners } = part;
    // One that knows its own voice to be void cannot coordinate with it either.
    const isOwner = owners.some((owner) => owner.node === node.self);
    const mayCoordinate =
      request.asFallback === true ? this.#mayStandIn(place, isOwner) : isOwner && node.voice(place) !== undefined;
    if (owners.length === 0 || !mayCoordinate) {
      const isSealed = node.seats.hold(place.partition).kind === "sealed";
      const why = `this node has no voice for partition ${place.partition}`;
      return this.#refuse(isSealed ? "not-ready" : "no-owner", why);
    }
    return { kind: "admitted", place, part };
  }

  #mayStandIn({ partition }: KeyPlace, isOwner: boolean): boolean {
    const { seats, self } = this.#node;
    // What one that leaves kept for others now would be gone with it.
    const isStaying = this.#node.ring().members.get(self)?.isLeaving === false;
    return (!isOwner && isStaying) || seats.mayStore(partition);
  }

  #read(request: CoordinateGet | CoordinateWrite, admitted: Admitted, asked: ReadAsk, deliver: DeliverGet): void {
    const { place, part } = admitted;
    const { settings: bucket, count: seats } = part;
    const ring = this.#node.ring();
    const requirement = readRequirement(bucket, asked, ring, seats.filled);
    if (requirement.kind === "unsatisfiable") return deliver(this.#refuse("bad-request", requirement.why));
    const needed: NeededOf = (settings, { filled }) =>
      neededOf(readRequirement(settings, atMost(settings.n, asked), ring, filled));
    const lastWriteWins = bucket.reconcile === "last-write-wins";
    const plan = { place, needed, lastWriteWins, budgetMs: request.budgetMs };
    new GetOperation(this.#node, plan, this.#counted("get", deliver)).start();
  }

  #mint(
    request: CoordinateWrite,
    admitted: Admitted,
    seen: Pick<CoordinateWrite, "context"> | { readonly context: CoordinateWrite["context"] | undefined },
    budgetMs: number,
    deliver: DeliverWrite,
  ): void {
    const { place, part } = admitted;
    const { settings: bucket, count: seats } = part;
    const ring = this.#node.ring();
    const requirement = writeRequirement(bucket, request, ring, seats.asked);
    if (requirement.kind === "unsatisfiable") return deliver(this.#refuse("bad-request", requirement.why));
    const intent = {
      seen: seen.context ?? emptyDotSet,
      lastWriteWins: bucket.reconcile === "last-write-wins",
      version: request.version,
      writeId: request.writeId,
    };
    const needed: NeededOf = (settings, known) =>
      neededOf(writeRequirement(settings, atMost(settings.n, request), ring, known.asked));
    const { synced } = requirement;
    const plan = { place, needed, synced, intent, clientSeen: request.context, budgetMs };
    const counted = this.#counted("write", deliver);
    const plain = new PlainPut(this.#node, { plan, part, needed: requirement }, counted, this.#plain);
    if (plain.mayBegin()) plain.begin();
    else new WriteOperation(this.#node, plan, counted).start();
  }

  #counted<A>(served: Served, deliver: (answer: A) => void): (answer: A) => void {
    const beganMs = this.#began();
    return (answer) => {
      this.#ended(served, beganMs);
      deliver(answer);
      this.#wakeIfIdle();
    };
  }

  #began(): number {
    this.#underWay += 1;
    return this.#node.admission.began();
  }

  #ended(served: Served, beganMs: number): void {
    this.#underWay -= 1;
    this.#node.admission.ended(served, beganMs);
  }

  #wakeIfIdle(): void {
    if (this.#underWay > 0 || this.#idleWaiters.length === 0) return;
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #refuse(code: RefusalCode, detail: string): Refusal {
    return refusal(this.#node.ring().version, code, detail);
  }
}

/** The same of a bucket that may have changed since it was asked for, or of an earlier era: as much as there is. */
function atMost(n: number, asked: ReadAsk & WriteAsk): ReadAsk & WriteAsk {
  const { r, w, pr, pw, dw, zones } = asked;
  const capped = (quorum: Quorum | undefined): Quorum | undefined =>
    typeof quorum === "number" ? Math.min(n, quorum) : quorum;
  return { r: capped(r), w: capped(w), pr: capped(pr), pw: capped(pw), dw: capped(dw), zones: Math.min(n, zones ?? 1) };
}

/** What was asked for can be had of any number of seats, or of none. */
function neededOf(requirement: ReadRequirement | WriteRequirement | Unsatisfiable): Wanted {
  if (requirement.kind === "unsatisfiable") throw new Error(requirement.why);
  return requirement;
}
