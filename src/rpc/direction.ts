/** Which messages ask and which answer: a connection's dialler asks, and the side that accepted it answers. */

import type { Answer, Message, Request } from "../wire/message.ts";

const asks: Readonly<Record<Request["kind"], true>> = {
  "client-get": true,
  "client-write": true,
  "ring-inquiry": true,
  "replica-get": true,
  "replica-put": true,
  "coordinate-get": true,
  "coordinate-write": true,
  gossip: true,
  "gossip-delta": true,
  "join-request": true,
  "compare-trees": true,
  "compare-nodes": true,
  "list-keys": true,
  "copy-states": true,
  "when-stored": true,
  "ask-forgetting": true,
  forget: true,
  "take-seat": true,
  "seat-sealed": true,
  "fence-seat": true,
  "fill-seat": true,
  "rebuild-inquiry": true,
  "compare-seats": true,
  "seats-told": true,
  ping: true,
};
const answers: Readonly<Record<Answer["kind"], true>> = {
  "client-found": true,
  "client-written": true,
  "client-failed": true,
  "ring-told": true,
  "replica-state": true,
  "replica-stored": true,
  "get-answer": true,
  "write-answer": true,
  refusal: true,
  "gossip-digest": true,
  "gossip-answer": true,
  "join-answer": true,
  "hashes-compared": true,
  "keys-listed": true,
  "states-copied": true,
  "all-stored": true,
  "forgetting-views": true,
  "seat-sealed": true,
  "seat-fenced": true,
  "rebuild-state": true,
  "seats-told": true,
  done: true,
};
const requestKinds: ReadonlySet<string> = new Set(Object.keys(asks));
const answerKinds: ReadonlySet<string> = new Set(Object.keys(answers));

export function isRequest(message: Message): message is Request {
  return requestKinds.has(message.kind);
}

export function isAnswer(message: Message): message is Answer {
  return answerKinds.has(message.kind);
}
