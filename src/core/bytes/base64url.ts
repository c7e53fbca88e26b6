/**
 * Base64 with the URL-safe alphabet and no padding (RFC 4648, section 5): tokens in headers, random bits in names.
 *
 * Every byte string has exactly one text: what decodes would encode to the same text again.
 *
 * Hot path: every answer carries a token. Two characters at a time halve the work.
 */

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Six bits for each character code of the alphabet, 255 for every other. */
function makeDigits(): Uint8Array {
  const digits = new Uint8Array(128).fill(255);
  for (let i = 0; i < alphabet.length; i++) digits[alphabet.charCodeAt(i)] = i;
  return digits;
}

const digits: Uint8Array = makeDigits();

/** The two characters for each number of 12 bits. */
const pairs: readonly string[] = Array.from(
  { length: 4096 },
  (_, bits) => alphabet.charAt(bits >>> 6) + alphabet.charAt(bits & 63),
);

export function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  let at = 0;
  for (; at + 3 <= bytes.length; at += 3) {
    const bits = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    text += (pairs[bits >>> 12] as string) + (pairs[bits & 4095] as string);
  }
  const left = bytes.length - at;
  if (left === 0) return text;
  const bits = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8);
  return text + (pairs[bits >>> 12] as string) + (left === 2 ? alphabet.charAt((bits >>> 6) & 63) : "");
}

/** The bytes, or undefined where the text is not what `toBase64Url` makes. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = digits[text.charCodeAt(i)] ?? 255;
    if (digit === 255) return undefined;
    bits = ((bits << 6) | digit) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = bits >>> held;
    }
  }
  // The last character's unused bits must be zero, or two texts would stand for the same bytes.
  return (bits & ((1 << held) - 1)) === 0 ? bytes : undefined;
}
