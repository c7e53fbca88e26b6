/**
 * As much of the Redis protocol (RESP2) as GET and SET need: requests out, and where each answer ends.
 *
 * An answer is looked at where it lies: a load wants to know that it came, whole, and whether it was an error.
 */

const lineEnd = "\r\n";

/** A request, as an array of bulk strings. */
export function respRequest(words: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}${lineEnd}`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}${lineEnd}`), bytes, Buffer.from(lineEnd));
  }
  return Buffer.concat(parts);
}

/** An answer that lies whole in the bytes, and where the next one begins. */
export interface RespAnswer {
  readonly end: number;
  /** The text of an error answer. */
  readonly error?: string;
  /** The bytes of a bulk string; undefined for any other answer, and for "nothing is there". */
  readonly value?: Buffer;
}

/** The answer that begins there; undefined where it is not all there yet. Throws on what is none. */
export function respAnswerAt(bytes: Buffer, at: number): RespAnswer | undefined {
  const lineAt = bytes.indexOf(lineEnd, at, "latin1");
  if (lineAt < 0) return undefined;
  const kind = String.fromCharCode(bytes[at] as number);
  const text = bytes.toString("latin1", at + 1, lineAt);
  const next = lineAt + 2;
  if (kind === "+" || kind === ":") return { end: next };
  if (kind === "-") return { end: next, error: text };
  if (kind !== "$" || !/^(-1|\d+)$/.test(text)) throw new Error(`not an answer of Redis: ${kind}${text.slice(0, 60)}`);
  const length = Number(text);
  if (length < 0) return { end: next };
  const end = next + length + 2;
  return end > bytes.length ? undefined : { end, value: bytes.subarray(next, end - 2) };
}
