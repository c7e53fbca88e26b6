/**
 * Answers the store's native clients: the same requests as over HTTP, by the same way (`client-requests.ts`), in frames
 * instead of text.
 *
 * What a client sends counts from here on as if it had come over HTTP: checked, admitted and bounded. The client's own
 * checksum is compared before anything is stored, and the reader compares it once more, so that no byte of a value is
 * trusted between the two.
 *
 * Hot path.
 */

import { foldRetries, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { Requester } from "../rpc/server.ts";
import type { ClientAnswer, ClientGet, ClientRequest, ClientWrite, FailureCode } from "../wire/client-message.ts";
import { openBytes, sealedBytes } from "../wire/context-token.ts";
import type { GetAnswer, WriteAnswer } from "../wire/message.ts";
import type { DeleteRequest, Failure, GetRequest, PutRequest } from "./api.ts";
import type { ClientRequests } from "./client-requests.ts";
import type { ClientRings } from "./client-rings.ts";
import type { Coordination } from "./coordination.ts";
import type { Membership } from "./membership.ts";

export interface ClientServiceOptions {
  readonly node: Coordination;
  readonly requests: ClientRequests;
  readonly membership: Membership;
  readonly rings: ClientRings;
}

export class ClientService {
  readonly #node: Coordination;
  readonly #requests: ClientRequests;
  readonly #membership: Membership;
  readonly #rings: ClientRings;
  /** Of values that clients sent and that are not answered yet. */
  #valueBytes = 0;

  constructor({ node, requests, membership, rings }: ClientServiceOptions) {
    this.#node = node;
    this.#requests = requests;
    this.#membership = membership;
    this.#rings = rings;
  }

  serve(request: ClientRequest, from: Requester): void {
    if (!this.#node.isServing()) {
      return from.reply(failed("not-ready", `${this.#membership.name} is starting or stopping`), request.id);
    }
    switch (request.kind) {
      case "client-get":
        return this.#get(request, from);
      case "client-write":
        return this.#write(request, from);
      case "ring-inquiry": {
        const { ring, hash } = this.#rings.now();
        const isSame = hash.hi === request.hash.hi && hash.lo === request.hash.lo;
        return from.reply({ kind: "ring-told", id: 0, hash, ring: isSame ? undefined : ring }, request.id);
      }
    }
  }

  #get(request: ClientGet, from: Requester): void {
    const { bucket, key, r, pr, zones, id } = request;
    const asked: GetRequest = {
      bucket,
      key,
      timeoutMs: timeLeft(request, from),
      r,
      pr,
      zones,
    };
    this.#requests.getFor(asked, (answer, isStray) => {
      from.reply(answer.kind === "failure" ? failureOf(answer, isStray) : this.#found(request, answer, isStray), id);
    });
  }

  #write(request: ClientWrite, from: Requester): void {
    const { bucket, key, id, version, context } = request;
    const bytes = version?.value.length ?? 0;
    const { counters, limits, runtime } = this.#node;
    if (this.#valueBytes + bytes > limits.bodiesBytes) {
      counters.overloads += 1;
      const why = `${this.#valueBytes} bytes of values are under way, the limit is ${limits.bodiesBytes}`;
      return from.reply(failed("overloaded", why), id);
    }
    if (version !== undefined && runtime.checksum(version.value) !== version.checksum) {
      counters.corruptValues += 1;
      return from.reply(failed("bad-request", `the value of "${key}" does not match its checksum`), id);
    }
    this.#valueBytes += bytes;
    const token = context === undefined ? undefined : openBytes(context, bucket, key, this.#membership.secret);
    const deliver = (answer: WriteAnswer | Failure, isStray: boolean): void => {
      this.#valueBytes -= bytes;
      from.reply(answer.kind === "failure" ? failureOf(answer, isStray) : this.#written(request, answer, isStray), id);
    };
    this.#requests.writeFor(writeOf(request, timeLeft(request, from)), deliver, token);
  }

  #found({ bucket, key }: ClientGet, { state, fastest, voices, seats }: GetAnswer, isStray: boolean): ClientAnswer {
    if (state === undefined) {
      return { kind: "client-found", id: 0, isStray, context: undefined, versions: [], voices, seats };
    }
    const context = sealedBytes({ seen: state.context, coordinator: fastest }, bucket, key, this.#membership.secret);
    return { kind: "client-found", id: 0, isStray, context, versions: shown(state), voices, seats };
  }

  #written({ bucket, key }: ClientWrite, answer: WriteAnswer, isStray: boolean): ClientAnswer {
    const { context: seen, siblings, voices, seats } = answer;
    const context = sealedBytes({ seen }, bucket, key, this.#membership.secret);
    return { kind: "client-written", id: 0, isStray, context, siblings, voices, seats };
  }
}

function shown(state: SiblingSet): SiblingSet["siblings"] {
  return state.siblings.length < 2 ? state.siblings : foldRetries(state).siblings;
}

/** What the request lost on its way is gone: a write must not begin after its client was told that its fate is unknown. */
function timeLeft({ budgetMs }: ClientGet | ClientWrite, { lagMs }: Requester): number {
  return Math.max(1, Math.floor(budgetMs - lagMs));
}

function writeOf(request: ClientWrite, timeoutMs: number): PutRequest | DeleteRequest {
  const { bucket, key, w, pw, dw, zones, writeId, version, onlyIfAbsent } = request;
  if (version === undefined) return { bucket, key, timeoutMs, w, pw, dw, zones, writeId };
  const { value, checksum, contentType } = version;
  return { bucket, key, timeoutMs, w, pw, dw, zones, writeId, value, checksum, contentType, onlyIfAbsent };
}

function failureOf({ code, detail, needed, received, outcome }: Failure, isStray: boolean): ClientAnswer {
  const isUnknown = outcome === "unknown";
  return { kind: "client-failed", id: 0, isStray, code, detail, needed, received, isUnknown };
}

function failed(code: FailureCode, detail: string): ClientAnswer {
  const nothing = { needed: undefined, received: undefined, isUnknown: false };
  return { kind: "client-failed", id: 0, isStray: false, code, detail, ...nothing };
}
