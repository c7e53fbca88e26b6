/**
 * Texts that come again and again, such as the names of buckets and content types: found by their bytes, so that the same
 * bytes need not become a new text each time.
 *
 * Hot path. Only ASCII is kept, where a byte is a character. What is kept is bounded, and only ever a short text.
 *
 * Invariant: `find` answers with the very text that the bytes are, or with nothing.
 */

const places = 64;
const longestText = 64;

export class TextMemo {
  readonly #texts: string[] = Array.from({ length: places }, () => "");

  /** The text of the bytes, if it is known. */
  find(bytes: Uint8Array, at: number, length: number): string | undefined {
    if (length === 0) return "";
    const text = this.#texts[placeOf(bytes, at, length)] as string;
    if (text.length !== length) return undefined;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[at + i]) return undefined;
    return text;
  }

  /** Keeps what the bytes are, in place of another. */
  keep(bytes: Uint8Array, at: number, length: number, text: string): void {
    if (length > longestText || text.length !== length) return;
    this.#texts[placeOf(bytes, at, length)] = text;
  }
}

function placeOf(bytes: Uint8Array, at: number, length: number): number {
  const last = bytes[at + length - 1] as number;
  const middle = bytes[at + (length >> 1)] as number;
  return (length * 31 + last * 7 + middle) % places;
}
