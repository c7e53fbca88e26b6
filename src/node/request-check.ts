/**
 * What a client asks for, checked before anything is done with it: each refusal names the value and what is allowed.
 */

import { bucketNameBytes, contentTypeBytes, keyBytes, type Limits, writeIdCharacters } from "../core/limits.ts";
import type { DeleteRequest, Failure, FailureCode, GetRequest, PutRequest } from "./api.ts";

const encoder: TextEncoder = new TextEncoder();
const printable: RegExp = /^[\x20-\x7e]*$/;
const loneSurrogate: RegExp = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

export function failure(code: FailureCode, detail: string): Failure {
  return { kind: "failure", code, detail };
}

/** Undefined if the request may go on. */
export function checkRequest(request: GetRequest | PutRequest | DeleteRequest, limits: Limits): Failure | undefined {
  return (
    checkBucketName(request.bucket) ??
    checkName("key", request.key, keyBytes) ??
    checkTimeout(request.timeoutMs, limits.longestTimeoutMs) ??
    ("value" in request ? checkVersion(request, limits) : undefined) ??
    ("writeId" in request ? checkWriteId(request.writeId) : undefined)
  );
}

export function checkBucketName(bucket: string): Failure | undefined {
  return checkName("bucket", bucket, bucketNameBytes);
}

function checkName(what: string, name: string, most: number): Failure | undefined {
  if (name === "") return failure("bad-request", `the ${what} is empty, 1 to ${most} bytes are allowed`);
  if (loneSurrogate.test(name)) return failure("bad-request", `the ${what} is not well-formed Unicode`);
  // A UTF-16 unit takes one to three bytes of UTF-8: only names between need counting.
  if (name.length * 3 <= most) return undefined;
  const bytes = name.length > most ? name.length : encoder.encode(name).length;
  if (bytes <= most) return undefined;
  return failure("bad-request", `the ${what} has ${bytes} bytes or more, 1 to ${most} are allowed`);
}

function checkTimeout(timeoutMs: number | undefined, longest: number): Failure | undefined {
  if (timeoutMs === undefined || (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= longest))
    return undefined;
  return failure("bad-request", `timeout is ${timeoutMs}, whole milliseconds from 1 to ${longest} are allowed`);
}

function checkVersion(request: PutRequest, limits: Limits): Failure | undefined {
  const { value, contentType, key } = request;
  if (value.length > limits.valueBytes) {
    return failure(
      "value-too-large",
      `cannot store "${key}": value is ${value.length} bytes, the limit is ${limits.valueBytes}`,
    );
  }
  if (contentType.length > contentTypeBytes || !printable.test(contentType)) {
    return failure("bad-request", `the content type is not up to ${contentTypeBytes} printable ASCII characters`);
  }
  return undefined;
}

function checkWriteId(writeId: string | undefined): Failure | undefined {
  if (writeId === undefined) return undefined;
  if (writeId.length >= 1 && writeId.length <= writeIdCharacters && printable.test(writeId)) return undefined;
  return failure("bad-request", `the write id is not 1 to ${writeIdCharacters} printable ASCII characters`);
}
