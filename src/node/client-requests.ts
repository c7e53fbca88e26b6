/**
 * What clients ask of this node: checked, given its numbers, brought to an owner, and answered in the client's words.
 *
 * The context token is opened here and sealed here: between nodes a context travels as the dots it is.
 */

import { readRequirement, writeRequirement } from "../core/quorum/requirement.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import { openToken } from "../wire/context-token.ts";
import type { CoordinateGet, CoordinateWrite, GetAnswer, Refusal, WriteAnswer } from "../wire/message.ts";
import type { DeleteRequest, Failure, GetOutcome, GetRequest, PutRequest, WriteOutcome } from "./api.ts";
import type { Coordination } from "./coordination.ts";
import type { Coordinator } from "./coordinator.ts";
import { placeOf } from "./key-place.ts";
import type { Membership } from "./membership.ts";
import { getOutcome, type OutcomeOptions, refused, writeOutcome } from "./outcome.ts";
import { departedAs } from "./peer-admission.ts";
import { checkRequest, failure } from "./request-check.ts";
import { Route, type RouteOptions } from "./route.ts";
import type { SeatCount } from "./seat.ts";

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
    this.#node.counters.gets += 1;
    const wrong = this.#refusal(request);
    if (wrong !== undefined) return Promise.resolve(wrong);
    const { bucket, key, r, pr, zones } = request;
    const { ring } = this.#membership;
    const settings = bucketSettings(ring, bucket);
    const requirement = readRequirement(settings, request, ring, this.#seats(bucket, key).filled);
    if (requirement.kind === "unsatisfiable") return Promise.resolve(failure("bad-request", requirement.why));
    const message: CoordinateGet = {
      kind: "coordinate-get",
      id: 0,
      knownHash: 0,
      bucket,
      key,
      budgetMs: request.timeoutMs ?? this.#node.limits.requestTimeoutMs,
      ...(r === undefined ? {} : { r }),
      ...(pr === undefined ? {} : { pr }),
      ...(zones === undefined ? {} : { zones }),
    };
    return new Promise((resolve) => {
      const deliver = (answer: GetAnswer | WriteAnswer | Refusal): void => {
        if (answer.kind === "get-answer") return resolve(getOutcome(answer, this.#outcomeOptions(bucket, key)));
        this.#node.counters.failedGets += 1;
        resolve(failed(answer));
      };
      const { answers: needed } = requirement;
      this.#route({ request: message, needed, advised: undefined, deliver });
    });
  }

  put(request: PutRequest): Promise<WriteOutcome> {
    this.#node.counters.puts += 1;
    return this.#write(request);
  }

  delete(request: DeleteRequest): Promise<WriteOutcome> {
    this.#node.counters.deletes += 1;
    return this.#write(request);
  }

  #write(request: PutRequest | DeleteRequest): Promise<WriteOutcome> {
    const wrong = this.#refusal(request);
    if (wrong !== undefined) return Promise.resolve(wrong);
    const { bucket, key, w, pw, dw, zones, writeId } = request;
    const { ring, secret } = this.#membership;
    const settings = bucketSettings(ring, bucket);
    const requirement = writeRequirement(settings, request, ring, this.#seats(bucket, key).asked);
    if (requirement.kind === "unsatisfiable") return Promise.resolve(failure("bad-request", requirement.why));
    const token = request.context === undefined ? undefined : openToken(request.context, bucket, key, secret);
    if (token?.kind === "invalid") return Promise.resolve(failure("bad-context", `the context ${token.why}`));
    const message: CoordinateWrite = {
      kind: "coordinate-write",
      id: 0,
      knownHash: 0,
      bucket,
      key,
      budgetMs: request.timeoutMs ?? this.#node.limits.requestTimeoutMs,
      onlyIfAbsent: "value" in request && request.onlyIfAbsent === true,
      ...(w === undefined ? {} : { w }),
      ...(pw === undefined ? {} : { pw }),
      ...(dw === undefined ? {} : { dw }),
      ...(zones === undefined ? {} : { zones }),
      ...(token === undefined ? {} : { context: token.seen }),
      ...(writeId === undefined ? {} : { writeId }),
      ...("value" in request ? { version: this.#version(request) } : {}),
    };
    return new Promise((resolve) => {
      const deliver = (answer: GetAnswer | WriteAnswer | Refusal): void => {
        if (answer.kind === "write-answer") return resolve(writeOutcome(answer, this.#outcomeOptions(bucket, key)));
        this.#node.counters.failedWrites += 1;
        resolve(failed(answer));
      };
      const { answers: needed } = requirement;
      this.#route({ request: message, needed, advised: token?.coordinator, deliver });
    });
  }

  /** How many seats keep the key, as far as is known; not less than one. */
  #seats(bucket: string, key: string): SeatCount {
    const { ring } = this.#membership;
    const { partition } = placeOf(bucket, key, ring.settings.partitions);
    const { n } = bucketSettings(ring, bucket);
    const { seats } = this.#node;
    return {
      filled: Math.max(1, seats.seatsFor(partition, n).length),
      asked: Math.max(1, seats.askedFor(partition, n).length),
    };
  }

  #route(options: Omit<RouteOptions, "node" | "coordinator">): void {
    new Route({ node: this.#node, coordinator: this.#coordinator, ...options }).start();
  }

  #refusal(request: GetRequest | PutRequest | DeleteRequest): Failure | undefined {
    if (!this.#membership.isMember) return failure("not-ready", "this node is no member of a cluster yet");
    const { departed, name } = this.#membership;
    if (departed !== undefined) return failure("not-ready", departedAs(departed, name));
    return checkRequest(request, this.#node.limits);
  }

  #version({ value, contentType }: PutRequest): NonNullable<CoordinateWrite["version"]> {
    return { value, contentType, checksum: this.#node.runtime.checksum(value) };
  }

  #outcomeOptions(bucket: string, key: string): OutcomeOptions {
    return { bucket, key, secret: this.#membership.secret, checksum: this.#node.runtime.checksum };
  }
}

/** An answer of the wrong kind is a broken peer's. */
function failed(answer: GetAnswer | WriteAnswer | Refusal): Failure {
  return answer.kind === "refusal"
    ? refused(answer)
    : failure("internal", `a coordinator answered with ${answer.kind}`);
}
