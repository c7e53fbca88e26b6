/**
 * Concurrent versions as one body: JSON, or multipart/mixed (RFC 2046) where the client would rather have that.
 * Values are arbitrary bytes: base64 in the one, as they are in the other.
 */

import { randomBytes } from "node:crypto";
import type { Version } from "../node/api.ts";
import type { HttpAnswer } from "./route.ts";

/** How much a client wants a media type, from 0 to 1, by its Accept header (RFC 9110, 12.5.1). */
function acceptQuality(accept: string | undefined, mediaType: string): number {
  if (accept === undefined || accept.trim() === "") return 1;
  const [type] = mediaType.split("/");
  let best = -1;
  let quality = 0;
  for (const range of accept.toLowerCase().split(",")) {
    const [name, ...parameters] = range.split(";").map((part) => part.trim());
    const precision = [`*/*`, `${type}/*`, mediaType].indexOf(name ?? "");
    if (precision <= best) continue;
    best = precision;
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    const number = Number(weight === undefined ? 1 : weight.slice(2));
    quality = number >= 0 && number <= 1 ? number : 0;
  }
  return quality;
}

/** The `300` answer, without the headers that every answer about a key has. */
export function siblingsAnswer(accept: string | undefined, context: string, versions: readonly Version[]): HttpAnswer {
  const prefersMultipart = acceptQuality(accept, "multipart/mixed") > acceptQuality(accept, "application/json");
  const { contentType, body } = prefersMultipart ? multipart(versions) : json(context, versions);
  return { status: 300, headers: { "content-type": contentType, vary: "Accept" }, body };
}

/** A wall time as RFC 3339 text; one beyond what a date can say becomes the nearest it can. */
export function rfc3339(ms: number): string {
  return dateOf(ms).toISOString();
}

const days: readonly string[] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months: readonly string[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const twoDigits: readonly string[] = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, "0"));

/** The same as HTTP has dates (RFC 9110, 5.6.7): what `toUTCString` says, in a sixth of its time. */
export function httpDate(ms: number): string {
  const date = dateOf(ms);
  const day = `${days[date.getUTCDay()]}, ${twoDigits[date.getUTCDate()]} ${months[date.getUTCMonth()]}`;
  const year = String(date.getUTCFullYear()).padStart(4, "0");
  const [hour, minute] = [twoDigits[date.getUTCHours()], twoDigits[date.getUTCMinutes()]];
  return `${day} ${year} ${hour}:${minute}:${twoDigits[date.getUTCSeconds()]} GMT`;
}

function dateOf(ms: number): Date {
  return new Date(Math.min(Math.max(ms, 0), latestDateMs));
}

const latestDateMs = 253_402_300_799_999; // The end of the year 9999: RFC 3339 has four digits for it.

interface TypedBody {
  readonly contentType: string;
  readonly body: Uint8Array | string;
}

function json(context: string, versions: readonly Version[]): TypedBody {
  const siblings = versions.map((version) => ({
    value: asBuffer(version.value).toString("base64"),
    contentType: version.contentType,
    modified: rfc3339(version.modified),
  }));
  return { contentType: "application/json", body: JSON.stringify({ context, siblings }) };
}

function multipart(versions: readonly Version[]): TypedBody {
  // 192 random bits: no value holds the boundary, unless by a chance smaller than the disk's of lying.
  const boundary = randomBytes(24).toString("hex");
  const chunks: Uint8Array[] = [];
  for (const version of versions) {
    const head = [
      `--${boundary}`,
      `Content-Type: ${version.contentType}`,
      `Content-Length: ${version.value.length}`,
      `Cartwheel-Modified: ${rfc3339(version.modified)}`,
    ];
    chunks.push(Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), version.value, Buffer.from("\r\n"));
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return { contentType: `multipart/mixed; boundary=${boundary}`, body: Buffer.concat(chunks) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
