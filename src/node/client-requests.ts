/**
 * What clients ask of this node: checked, given its numbers, brought to an owner, and answered in the client's words.
 *
 * The context token is opened here and sealed here: between nodes a context travels as the dots it is.
 */

import { readRequirement, writeRequirement } from "../core/quorum/requirement.ts";
import { type OpenedToken, openToken } from "../wire/context-token.ts";
import type { CoordinateGet, CoordinateWrite, GetAnswer, Refusal, WriteAnswer } from "../wire/message.ts";
import type { DeleteRequest, Failure, GetOutcome, GetRequest, PutRequest, WriteOutcome } from "./api.ts";
import type { Coordination } from "./coordination.ts";
import type { Coordinator } from "./coordinator.ts";
import { type KeyPlace, placeOf } from "./key-place.ts";
import type { Membership } from "./membership.ts";
import { getOutcome, type OutcomeOptions, refused, writeOutcome } from "./outcome.ts";
import { departedAs } from "./peer-admission.ts";
import { checkRequest, failure } from "./request-check.ts";
import { Route, type RouteOptions } from "./route.ts";

/** Told what came of a request, and whether another node had to coordinate it. */
export type Deliver<A> = (answer: A | Failure, isStray: boolean) => void;

export class ClientRequests {
  readonly #node: Coordination;
  readonly #coordinator: Coordinator;
  readonly #membership: Membership;

  constructor(node: Coordination, coordinator: Coordinator, membership: Membership) {
    this.#node = node;
    this.#coordinator = coordinator;
    this.#membership = membership;
  }

  /** Never rejects. */
  get(request: GetRequest): Promise<GetOutcome> {
    return new Promise((resolve) => {
      this.getFor(request, (answer) =>
        resolve(answer.kind === "failure" ? answer : getOutcome(answer, this.outcomeOptions(request))),
      );
    });
  }

  /** Never rejects. */
  put(request: PutRequest): Promise<WriteOutcome> {
    return this.#write(request);
  }

  /** Never rejects. */
  delete(request: DeleteRequest): Promise<WriteOutcome> {
    return this.#write(request);
  }

  /** Gets for a caller that makes its own words of the answer, which it is told once, perhaps at once. */
  getFor(request: GetRequest, deliver: Deliver<GetAnswer>): void {
    this.#node.counters.gets += 1;
    const wrong = this.#refusal(request);
    if (wrong !== undefined) return deliver(wrong, false);
    const { ring } = this.#membership;
    const place = placeOf(request.bucket, request.key, ring.settings.partitions);
    const part = this.#node.seats.part(place);
    const needed = readRequirement(part.settings, request, ring, Math.max(1, part.count.filled));
    if (needed.kind === "unsatisfiable") return deliver(failure("bad-request", needed.why), false);
    const budgetMs = request.timeoutMs ?? this.#node.limits.requestTimeoutMs;
    const onUnusual = (leftMs: number): void => this.#getByRoute(request, place, needed.answers, leftMs, deliver);
    const plain = { onFound: (answer: GetAnswer) => deliver(answer, false), onUnusual };
    if (!this.#coordinator.getPlainly({ place, part, needed, budgetMs }, plain)) onUnusual(budgetMs);
  }

  #getByRoute(
    request: GetRequest,
    place: KeyPlace,
    needed: number,
    budgetMs: number,
    deliver: Deliver<GetAnswer>,
  ): void {
    const { bucket, key, r, pr, zones } = request;
    const message: CoordinateGet = {
      kind: "coordinate-get",
      id: 0,
      knownHash: 0,
      bucket,
      key,
      budgetMs,
      r,
      pr,
      zones,
      asFallback: undefined,
    };
    const heard = (answer: GetAnswer | WriteAnswer | Refusal, isStray: boolean): void => {
      if (answer.kind === "get-answer") return deliver(answer, isStray);
      this.#node.counters.failedGets += 1;
      deliver(failed(answer), isStray);
    };
    this.#route({ request: message, place, needed, advised: undefined, deliver: heard });
  }

  /** Puts or deletes likewise; what `request.context` says goes for `token`, if that is given. */
  writeFor(
    request: PutRequest | DeleteRequest,
    deliver: Deliver<WriteAnswer>,
    token: OpenedToken | undefined = this.#tokenOf(request),
  ): void {
    this.#node.counters["value" in request ? "puts" : "deletes"] += 1;
    const wrong = this.#refusal(request);
    if (wrong !== undefined) return deliver(wrong, false);
    const { bucket, key, w, pw, dw, zones, writeId } = request;
    const { ring } = this.#membership;
    const place = placeOf(bucket, key, ring.settings.partitions);
    const { settings, count } = this.#node.seats.part(place);
    const requirement = writeRequirement(settings, request, ring, Math.max(1, count.asked));
    if (requirement.kind === "unsatisfiable") return deliver(failure("bad-request", requirement.why), false);
    if (token?.kind === "invalid") return deliver(failure("bad-context", `the context ${token.why}`), false);
    const message: CoordinateWrite = {
      kind: "coordinate-write",
      id: 0,
      knownHash: 0,
      bucket,
      key,
      budgetMs: request.timeoutMs ?? this.#node.limits.requestTimeoutMs,
      onlyIfAbsent: "value" in request && request.onlyIfAbsent === true,
      w,
      pw,
      dw,
      zones,
      context: token?.seen,
      writeId,
      version: "value" in request ? this.#version(request) : undefined,
      asFallback: undefined,
    };
    const heard = (answer: GetAnswer | WriteAnswer | Refusal, isStray: boolean): void => {
      if (answer.kind === "write-answer") return deliver(answer, isStray);
      this.#node.counters.failedWrites += 1;
      deliver(failed(answer), isStray);
    };
    this.#route({ request: message, place, needed: requirement.answers, advised: token?.coordinator, deliver: heard });
  }

  #write(request: PutRequest | DeleteRequest): Promise<WriteOutcome> {
    return new Promise((resolve) => {
      this.writeFor(request, (answer) =>
        resolve(answer.kind === "failure" ? answer : writeOutcome(answer, this.outcomeOptions(request))),
      );
    });
  }

  #tokenOf({ bucket, key, context }: PutRequest | DeleteRequest): OpenedToken | undefined {
    if (context === undefined || !this.#membership.isMember) return undefined;
    return openToken(context, bucket, key, this.#membership.secret);
  }

  #route(options: RouteOptions): void {
    new Route(this.#node, this.#coordinator, options).start();
  }

  #refusal(request: GetRequest | PutRequest | DeleteRequest): Failure | undefined {
    if (!this.#membership.isMember) return failure("not-ready", "this node is no member of a cluster yet");
    const { departed, name } = this.#membership;
    if (departed !== undefined) return failure("not-ready", departedAs(departed, name));
    return checkRequest(request, this.#node.limits);
  }

  #version({ value, contentType, checksum }: PutRequest): NonNullable<CoordinateWrite["version"]> {
    return { value, contentType, checksum: checksum ?? this.#node.runtime.checksum(value) };
  }

  /** With what to make a client's words of an answer about the key. */
  outcomeOptions({ bucket, key }: { readonly bucket: string; readonly key: string }): OutcomeOptions {
    return { bucket, key, secret: this.#membership.secret, checksum: this.#node.runtime.checksum };
  }
}

/** An answer of the wrong kind is a broken peer's. */
function failed(answer: GetAnswer | WriteAnswer | Refusal): Failure {
  return answer.kind === "refusal"
    ? refused(answer)
    : failure("internal", `a coordinator answered with ${answer.kind}`);
}
