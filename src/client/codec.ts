/**
 * How values become bytes and back. A bucket without a codec holds bytes as they are; one with a schema holds JSON, unless
 * it has a codec of its own.
 */

export interface Codec<T> {
  /** Stored with each value, and given back with it. */
  readonly contentType: string;
  /** The bytes must stay unchanged afterwards. */
  encode(value: T): Uint8Array;
  /** The bytes are a view that is good for this call. Throws what is wrong with them. */
  decode(bytes: Uint8Array, contentType: string): T;
}

/**
 * What arrives together lies in one piece of memory, which a view of it keeps alive as a whole. So much of that is allowed,
 * or so many times a value's own size; else it is copied, which costs more than all else done for it.
 */
const mostKeptBytes = 16 * 1024;
const mostKeptTimes = 8;
const encoder: TextEncoder = new TextEncoder();
const decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as they are. */
export const bytesCodec: Codec<Uint8Array> = {
  contentType: "application/octet-stream",
  encode: (value) => {
    if (!(value instanceof Uint8Array))
      throw new TypeError(`${typeof value} is no Uint8Array; a codec or a schema makes bytes of it`);
    return value;
  },
  decode: (bytes) => {
    const keptBytes = bytes.buffer.byteLength;
    return keptBytes <= mostKeptBytes || keptBytes <= bytes.length * mostKeptTimes ? bytes : bytes.slice();
  },
};

/** UTF-8 text. */
export const textCodec: Codec<string> = {
  contentType: "text/plain; charset=utf-8",
  encode: (value) => encoder.encode(value),
  decode: (bytes) => decoder.decode(bytes),
};

/** JSON; `T` is the caller's word for it, where no schema looks. */
export function jsonCodec<T = unknown>(): Codec<T> {
  return {
    contentType: "application/json",
    encode: (value) => {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`${typeof value} is no JSON`);
      return encoder.encode(text);
    },
    decode: (bytes) => JSON.parse(decoder.decode(bytes)) as T,
  };
}
