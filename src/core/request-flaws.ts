/**
 * What is wrong with a request's names and texts, as a sentence that says what came and what is allowed; undefined where
 * nothing is. A node asks before it does anything, and the client library before it sends anything: a name that is too
 * long would not even be readable on the wire.
 */

import { bucketNameBytes, contentTypeBytes, keyBytes, mostCopies, writeIdCharacters } from "./limits.ts";

const encoder: TextEncoder = new TextEncoder();
const loneSurrogate: RegExp = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

export function flawOfBucketName(bucket: string): string | undefined {
  return flawOfName("bucket", bucket, bucketNameBytes);
}

export function flawOfKey(key: string): string | undefined {
  return flawOfName("key", key, keyBytes);
}

function flawOfName(what: string, name: string, most: number): string | undefined {
  if (typeof name !== "string") return `the ${what} is no text`;
  if (name === "") return `the ${what} is empty, 1 to ${most} bytes are allowed`;
  if (name.length <= most && isAscii(name)) return undefined;
  if (loneSurrogate.test(name)) return `the ${what} is not well-formed Unicode`;
  // A UTF-16 unit takes one to three bytes of UTF-8: only names between need counting.
  if (name.length * 3 <= most) return undefined;
  const bytes = name.length > most ? name.length : encoder.encode(name).length;
  return bytes <= most ? undefined : `the ${what} has ${bytes} bytes or more, 1 to ${most} are allowed`;
}

/** Nearly all names are, and then there is nothing else to look at. */
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** Of r, w and their kin, where they are given; whether there are so many copies is the bucket's affair. */
export function flawOfQuorum(name: string, quorum: unknown, least: 0 | 1): string | undefined {
  if (quorum === undefined || quorum === "one" || quorum === "quorum" || quorum === "all") return undefined;
  if (typeof quorum === "number" && Number.isInteger(quorum) && quorum >= least && quorum <= mostCopies)
    return undefined;
  return `${name} is ${String(quorum)}; it is a whole number from ${least} to n, or one, quorum or all`;
}

export function flawOfZones(zones: number | undefined): string | undefined {
  if (zones === undefined || (Number.isInteger(zones) && zones >= 1 && zones <= mostCopies)) return undefined;
  return `zones is ${zones}; it is a whole number from 1 to n`;
}

export function flawOfTimeout(timeoutMs: number | undefined, longest: number): string | undefined {
  if (timeoutMs === undefined || (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= longest))
    return undefined;
  return `timeout is ${timeoutMs}, whole milliseconds from 1 to ${longest} are allowed`;
}

export function flawOfContentType(contentType: string): string | undefined {
  if (contentType.length <= contentTypeBytes && isPrintable(contentType)) return undefined;
  return `the content type is not up to ${contentTypeBytes} printable ASCII characters`;
}

export function flawOfWriteId(writeId: string | undefined): string | undefined {
  if (writeId === undefined) return undefined;
  if (writeId.length >= 1 && writeId.length <= writeIdCharacters && isPrintable(writeId)) return undefined;
  return `the write id is not 1 to ${writeIdCharacters} printable ASCII characters`;
}

/** Why the value cannot be stored under the key. */
export function flawOfValue(key: string, bytes: number, most: number): string | undefined {
  return bytes <= most ? undefined : `cannot store "${key}": value is ${bytes} bytes, the limit is ${most}`;
}
