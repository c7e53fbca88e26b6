/**
 * Requests that wait, unencoded, for their connection to stand: until then it is certain of them that they were not
 * sent.
 */

import type { Request } from "../wire/message.ts";

/** What a request is counted as beside its value, in bytes. */
const countedBytes = 256;

export class WaitingRequests {
  #requests: { readonly id: number; readonly request: Request }[] = [];
  #bytes = 0;

  /** About what they will take on the wire. */
  get bytes(): number {
    return this.#bytes;
  }

  add(id: number, request: Request): void {
    this.#requests.push({ id, request });
    this.#bytes += countedBytes + valueBytes(request);
  }

  /** All of them, in the order they came; none wait afterwards. */
  takeAll(): readonly { readonly id: number; readonly request: Request }[] {
    const all = this.#requests;
    this.#requests = [];
    this.#bytes = 0;
    return all;
  }
}

function valueBytes(request: Request): number {
  if (request.kind === "coordinate-write") return request.version?.value.length ?? 0;
  if (request.kind !== "replica-put") return 0;
  return request.state.siblings.reduce((sum, sibling) => sum + sibling.value.length, 0);
}
