/**
 * How much memory the bodies of requests may take together.
 *
 * A body is held whole until its request is answered. Each alone has its limit, and so have the requests that a node
 * coordinates; but a body takes memory while it still arrives, and thousands of clients that each send half of one
 * would end the process. So a request takes room for its whole body before any of it is read, as much as its header
 * says, or the route's limit where it does not say, and gives it back when it is over, however that came about.
 */

import type { IncomingMessage, ServerResponse } from "node:http";

export class BodyRoom {
  readonly #mostBytes: number;
  /** Bytes that requests have taken and not given back. */
  #takenBytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Takes room for the request's body until its response is over. False if there is not enough. */
  take(request: IncomingMessage, response: ServerResponse, longestBytes: number): boolean {
    const bytes = expectedBytes(request, longestBytes);
    if (bytes === 0) return true;
    if (this.#takenBytes + bytes > this.#mostBytes) return false;
    this.#takenBytes += bytes;
    response.once("close", () => {
      this.#takenBytes -= bytes;
    });
    return true;
  }
}

/** A body that is too long is refused before it is read, and takes none. */
function expectedBytes({ headers }: IncomingMessage, longestBytes: number): number {
  if (headers["transfer-encoding"] !== undefined) return longestBytes;
  const length = Number(headers["content-length"] ?? 0);
  return length > longestBytes ? 0 : length;
}
