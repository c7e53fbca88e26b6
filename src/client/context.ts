/**
 * What a client has seen of one key (§4.4): given back with the write that builds on it, so that the write replaces
 * exactly that. Opaque: only the cluster reads and makes them, and each is good for its bucket and key alone.
 *
 * It travels as bytes natively and as text over HTTP, and becomes text only where somebody wants it: `String(context)`,
 * or as JSON. The text can be kept, sent elsewhere, and given back by anybody, over either interface.
 */

import { fromBase64Url, toBase64Url } from "../core/bytes/base64url.ts";

export class Context {
  #bytes: Uint8Array | undefined;
  #text: string | undefined;

  private constructor(bytes: Uint8Array | undefined, text: string | undefined) {
    this.#bytes = bytes;
    this.#text = text;
  }

  /** The bytes must stay unchanged. */
  static ofBytes(bytes: Uint8Array): Context {
    return new Context(bytes, undefined);
  }

  static ofText(text: string): Context {
    return new Context(undefined, text);
  }

  /** Undefined where the text is no context's. */
  get bytes(): Uint8Array | undefined {
    if (this.#bytes === undefined && this.#text !== undefined) this.#bytes = fromBase64Url(this.#text);
    return this.#bytes;
  }

  toString(): string {
    this.#text ??= toBase64Url(this.#bytes ?? new Uint8Array(0));
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}
