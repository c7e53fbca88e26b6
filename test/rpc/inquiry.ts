/** A request that carries a name, and an answer that gives it back: so that tests tell their calls apart. */

import type { PartitionId } from "../../src/core/ids.ts";
import type { Answer, Request, TakeSeat } from "../../src/wire/message.ts";

export function inquiry(name: string): TakeSeat {
  return { kind: "take-seat", id: 0, partition: 0 as PartitionId, seat: 0, incarnation: name };
}

/** The name that the request carries; undefined for any other request. */
export function asked(request: Request | undefined): string | undefined {
  return request?.kind === "take-seat" ? request.incarnation : undefined;
}

export function answerTo(name: string): Answer {
  return { kind: "refusal", id: 0, ringVersion: 0, code: "not-ready", detail: name, mayHaveHappened: false };
}

/** The name that the answer gives back. */
export function answered(answer: Answer | undefined): string | undefined {
  return answer?.kind === "refusal" ? answer.detail : undefined;
}
