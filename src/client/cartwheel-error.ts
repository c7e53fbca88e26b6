/**
 * What went wrong with a request, as its caller catches it: a stable `code`, a sentence, the numbers of a quorum that was
 * not met, and, for writes, whether they may have happened all the same.
 */

import { type FailureCode, failureCodes } from "../wire/client-message.ts";

/**
 * What a node says (`FailureCode`, as over HTTP), and what only a client can find out:
 * - `unreachable`: no node could be reached in time; nothing was sent;
 * - `lost`: the connection went while the answer was awaited;
 * - `aborted`: the caller's signal said so; the error's name is then `AbortError`, its cause the signal's reason;
 * - `closed`: the client was closed;
 * - `invalid-value`: the bucket's schema or codec does not take the value;
 * - `corrupt`: a value is not what its checksum was made of, wherever it was read.
 */
export type ErrorCode = FailureCode | "unreachable" | "lost" | "aborted" | "closed" | "invalid-value" | "corrupt";

/** The codes that a node says: all there are, whatever they travel over. */
export const codesOfNodes: readonly ErrorCode[] = failureCodes;

export interface ErrorFields {
  readonly code: ErrorCode;
  readonly message: string;
  readonly needed?: number | undefined;
  readonly received?: number | undefined;
  readonly isUnknown?: boolean | undefined;
  readonly issues?: readonly { readonly message: string }[] | undefined;
  readonly cause?: unknown;
}

export class CartwheelError extends Error {
  override readonly name: string;
  readonly code: ErrorCode;
  /** For `quorum-not-met`: how many answers were needed, and how many came. */
  readonly needed: number | undefined;
  readonly received: number | undefined;
  /** Of a write: it may have happened, or may still happen. Undefined: it certainly has not, and will not. */
  readonly outcome: "unknown" | undefined;
  /** For `invalid-value`: what the schema said. */
  readonly issues: readonly { readonly message: string }[] | undefined;

  constructor(fields: ErrorFields) {
    const { code, message, needed, received, isUnknown, issues, cause } = fields;
    super(message, cause === undefined ? undefined : { cause });
    this.name = code === "aborted" ? "AbortError" : "CartwheelError";
    this.code = code;
    this.needed = needed;
    this.received = received;
    this.outcome = isUnknown === true ? "unknown" : undefined;
    this.issues = issues;
  }
}
