/**
 * Turns what a coordinator answered into what a client is told: contexts sealed into tokens, retries folded, values
 * checked once more before they are served, refusals in the client's words.
 */

import { foldRetries, type SiblingSet } from "../core/causality/sibling-set.ts";
import type { NodeId } from "../core/ids.ts";
import type { Checksum } from "../runtime/runtime.ts";
import { sealToken } from "../wire/context-token.ts";
import type { GetAnswer, Refusal, RefusalCode, WriteAnswer } from "../wire/message.ts";
import { verifyValues } from "../wire/state-codec.ts";
import type { Failure, FailureCode, GetOutcome, WriteOutcome } from "./api.ts";

export interface OutcomeOptions {
  readonly bucket: string;
  readonly key: string;
  readonly secret: Uint8Array;
  readonly checksum: Checksum;
}

export function getOutcome(answer: GetAnswer, options: OutcomeOptions): GetOutcome {
  const { state, fastest, voices, seats } = answer;
  if (state === undefined) return { kind: "found", context: undefined, versions: [], voices, seats };
  if (!verifyValues(state, options.checksum)) {
    return {
      kind: "failure",
      code: "storage-failed",
      detail: `a value of "${options.key}" does not match its checksum`,
    };
  }
  const versions = foldRetries(state).siblings.map(({ value, contentType, modified, dot }) => {
    return { value, contentType, modified, dot: `${dot.actor}:${dot.counter}` };
  });
  return { kind: "found", context: seal(state, fastest, options), versions, voices, seats };
}

export function writeOutcome(answer: WriteAnswer, options: OutcomeOptions): WriteOutcome {
  const { bucket, key, secret } = options;
  return {
    kind: "written",
    context: sealToken({ seen: answer.context }, bucket, key, secret),
    siblings: answer.siblings,
    voices: answer.voices,
    seats: answer.seats,
  };
}

export function refused(answer: Refusal): Failure {
  const { needed, received } = answer;
  return {
    kind: "failure",
    code: failureCodes[answer.code],
    detail: answer.detail,
    ...(needed === undefined ? {} : { needed }),
    ...(received === undefined ? {} : { received }),
    ...(answer.mayHaveHappened ? { outcome: "unknown" } : {}),
  };
}

function seal(state: SiblingSet, fastest: NodeId | undefined, options: OutcomeOptions): string {
  const { bucket, key, secret } = options;
  return sealToken({ seen: state.context, coordinator: fastest }, bucket, key, secret);
}

const failureCodes: Readonly<Record<RefusalCode, FailureCode>> = {
  "stale-ring": "not-ready",
  "not-ready": "not-ready",
  "no-owner": "not-ready",
  "quorum-not-met": "quorum-not-met",
  "deadline-passed": "timeout",
  "precondition-failed": "precondition-failed",
  "too-many-siblings": "too-many-siblings",
  "value-too-large": "value-too-large",
  "bad-request": "bad-request",
  overloaded: "overloaded",
  "disk-full": "disk-full",
  corrupt: "storage-failed",
  "storage-failed": "storage-failed",
  "join-refused": "not-ready",
  superseded: "not-ready",
  "unknown-request": "internal",
};
