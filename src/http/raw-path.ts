/**
 * Takes a request's path apart, percent-decoding it by itself: a `%2F` inside a key is a character of the key, and a
 * path that is not percent-encoded UTF-8 is refused rather than guessed at.
 */

import { bucketNameBytes, keyBytes } from "../core/limits.ts";
import { Rejection } from "./problem.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The longest address taken: a bucket and a key with every byte percent-encoded, and room for the query. */
export const targetCharacters: number = 8192;

/** The path and the query of a request's target, which may be a whole URL (RFC 9112, 3.2.2). */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const rest = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*/i, "");
  const mark = rest.indexOf("?");
  const path = mark < 0 ? rest : rest.slice(0, mark);
  return { path: path === "" ? "/" : path, query: mark < 0 ? "" : rest.slice(mark + 1) };
}

/** Reads the parameters of a path that is known to have the template's shape. What it gives throws a `Rejection`. */
export function pathParameters(template: string): (path: string) => Record<string, string> {
  const names = template.split("/").map((part) => (part.startsWith("{") ? part.slice(1, -1) : undefined));
  return (path) => parametersOf(names, path);
}

function parametersOf(names: readonly (string | undefined)[], path: string): Record<string, string> {
  const parameters: Record<string, string> = {};
  const segments = path.split("/");
  names.forEach((name, i) => {
    if (name !== undefined) parameters[name] = percentDecode(name, segments[i] ?? "");
  });
  if (parameters["bucket"] !== undefined) checkLength("bucket", parameters["bucket"], bucketNameBytes);
  if (parameters["key"] !== undefined) checkLength("key", parameters["key"], keyBytes);
  return parameters;
}

const percentSign = 0x25;
const numberSign = 0x23;

/** Decodes one segment of a path, or one word of a query. Throws a `Rejection` that names it. */
export function percentDecode(name: string, text: string): string {
  let isEncoded = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === percentSign) isEncoded = true;
    else if (code < 0x21 || code > 0x7e || code === numberSign) {
      throw new Rejection("bad-request", `${name} "${printable(text)}" has characters that must be percent-encoded`);
    }
  }
  if (!isEncoded) return text;
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "%") {
      bytes.push(text.charCodeAt(i));
      continue;
    }
    const digits = text.slice(i + 1, i + 3);
    if (!/^[0-9a-f]{2}$/i.test(digits)) {
      throw new Rejection("bad-request", `${name} has "%${digits}", and % must be followed by two hexadecimal digits`);
    }
    bytes.push(Number.parseInt(digits, 16));
    i += 2;
  }
  try {
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    throw new Rejection("bad-request", `${name} "${printable(text)}" is not percent-encoded UTF-8`);
  }
}

function checkLength(name: string, text: string, most: number): void {
  // A UTF-16 unit takes one to three bytes of UTF-8: only names between need counting.
  if (text !== "" && text.length * 3 <= most) return;
  const length = encoder.encode(text).length;
  if (length >= 1 && length <= most) return;
  throw new Rejection("bad-request", `${name} is ${length} bytes long, and must be 1 to ${most}`);
}

/** The start of what a client sent, safe to show in an answer. */
export function printable(text: string): string {
  const start = text.length > 64 ? `${text.slice(0, 64)}...` : text;
  return start.replace(/[^\x20-\x7e]/g, "?");
}
