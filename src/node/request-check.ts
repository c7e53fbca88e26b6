/**
 * What a client asks for, checked before anything is done with it: each refusal names the value and what is allowed.
 */

import type { Limits } from "../core/limits.ts";
import {
  flawOfBucketName,
  flawOfContentType,
  flawOfKey,
  flawOfTimeout,
  flawOfValue,
  flawOfWriteId,
} from "../core/request-flaws.ts";
import type { DeleteRequest, Failure, FailureCode, GetRequest, PutRequest } from "./api.ts";

export function failure(code: FailureCode, detail: string): Failure {
  return { kind: "failure", code, detail };
}

/** Undefined if the request may go on. */
export function checkRequest(request: GetRequest | PutRequest | DeleteRequest, limits: Limits): Failure | undefined {
  const flaw =
    flawOfBucketName(request.bucket) ??
    flawOfKey(request.key) ??
    flawOfTimeout(request.timeoutMs, limits.longestTimeoutMs);
  if (flaw !== undefined) return failure("bad-request", flaw);
  if ("value" in request) {
    const tooLarge = flawOfValue(request.key, request.value.length, limits.valueBytes);
    if (tooLarge !== undefined) return failure("value-too-large", tooLarge);
    const unfit = flawOfContentType(request.contentType);
    if (unfit !== undefined) return failure("bad-request", unfit);
  }
  const wrong = "writeId" in request ? flawOfWriteId(request.writeId) : undefined;
  return wrong === undefined ? undefined : failure("bad-request", wrong);
}

export function checkBucketName(bucket: string): Failure | undefined {
  const flaw = flawOfBucketName(bucket);
  return flaw === undefined ? undefined : failure("bad-request", flaw);
}
