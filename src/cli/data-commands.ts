/** `cartwheel get`, `put` and `delete`: keys from a shell, over any node's HTTP interface. */

import { readFileSync } from "node:fs";
import { buffer as readBytes } from "node:stream/consumers";
import { type Answered, ask, refused } from "./http-client.ts";
import type { OptionValues } from "./options.ts";
import { CommandFailed, exitStatus, UsageError } from "./usage-error.ts";

/** Which key, where. */
export interface Target {
  readonly url: string;
  readonly bucket: string;
  readonly key: string;
}

interface Siblings {
  readonly context: string;
  readonly siblings: readonly { readonly value: string; readonly contentType: string; readonly modified: string }[];
}

type GetOptions = Partial<Pick<OptionValues, "r" | "zones" | "json">>;
type WriteOptions = Partial<Pick<OptionValues, "r" | "w" | "zones" | "context" | "json">>;

/** Writes the value to stdout, or each sibling under a line about it. Answers the exit status. */
export async function getCommand(target: Target, options: GetOptions): Promise<number> {
  const answer = await read(target, options);
  if (options.json) process.stdout.write(`${JSON.stringify(asSiblings(answer))}\n`);
  if (answer.status === 404) {
    if (!options.json) process.stderr.write(`${problemDetail(answer)}\n`);
    return exitStatus.notFound;
  }
  if (answer.status === 200) {
    if (!options.json) writeValue(answer.body);
    return exitStatus.done;
  }
  if (!options.json) writeSiblings(asSiblings(answer));
  return exitStatus.siblings;
}

/** Stores a value in place of what is there. */
export async function putCommand(target: Target, value: Uint8Array, options: WriteOptions): Promise<number> {
  return write(target, options, { method: "PUT", body: value });
}

/** Removes what is there. */
export async function deleteCommand(target: Target, options: WriteOptions): Promise<number> {
  return write(target, options, { method: "DELETE" });
}

/** The value that a command line names: a word, `-` for stdin, or a file. Throws a `UsageError`. */
export async function givenValue(word: string | undefined, file: string | undefined): Promise<Uint8Array> {
  if ((word === undefined) === (file === undefined)) {
    throw new UsageError("put needs one value: VALUE, - for stdin, or --file FILE");
  }
  if (word === "-") return readBytes(process.stdin);
  if (word !== undefined) return Buffer.from(word);
  try {
    return readFileSync(file ?? "");
  } catch (error) {
    throw new CommandFailed(`cannot read the value: ${(error as Error).message}`);
  }
}

async function write(
  target: Target,
  options: WriteOptions,
  act: { readonly method: "PUT" | "DELETE"; readonly body?: Uint8Array },
): Promise<number> {
  const context = options.context ?? (await read(target, readOptions(options))).headers["cartwheel-context"];
  const answer = await ask({
    url: target.url,
    path: pathOf(target, { w: options.w, zones: options.zones }),
    headers: context === undefined ? {} : { "cartwheel-context": context },
    ...act,
  });
  if (answer.status !== 204) throw refused(answer);
  const siblings = Number(answer.headers["cartwheel-siblings"]);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ context: answer.headers["cartwheel-context"], siblings })}\n`);
  } else {
    const what = act.method === "PUT" ? "stored" : "deleted";
    process.stdout.write(`${what} ${target.key} in ${target.bucket}${siblings > 1 ? `: ${siblings} siblings` : ""}\n`);
  }
  return exitStatus.done;
}

/** Zones are asked of the write alone. */
function readOptions({ r }: WriteOptions): GetOptions {
  return r === undefined ? {} : { r };
}

async function read(target: Target, options: GetOptions): Promise<Answered> {
  const answer = await ask({
    url: target.url,
    method: "GET",
    path: pathOf(target, { r: options.r, zones: options.zones }),
  });
  const isKnown = answer.status === 200 || answer.status === 300 || isNoKey(answer);
  if (!isKnown) throw refused(answer);
  return answer;
}

/** Only a node's own 404 about a key counts the siblings. */
function isNoKey(answer: Answered): boolean {
  return answer.status === 404 && answer.headers["cartwheel-siblings"] === "0";
}

function pathOf(target: Target, query: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(
    Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
  ).toString();
  const path = `/kv/${encodeURIComponent(target.bucket)}/${encodeURIComponent(target.key)}`;
  return search === "" ? path : `${path}?${search}`;
}

function asSiblings(answer: Answered): Siblings {
  if (answer.status === 300) return JSON.parse(answer.body.toString()) as Siblings;
  const context = answer.headers["cartwheel-context"] ?? "";
  if (answer.status === 404) return { context, siblings: [] };
  const modified = new Date(answer.headers["last-modified"] ?? 0).toISOString();
  const contentType = answer.headers["content-type"] ?? "";
  return { context, siblings: [{ value: answer.body.toString("base64"), contentType, modified }] };
}

function writeValue(value: Buffer): void {
  process.stdout.write(value);
  if (process.stdout.isTTY && value.at(-1) !== 0x0a) process.stdout.write("\n");
}

function writeSiblings({ context, siblings }: Siblings): void {
  process.stderr.write(`${siblings.length} concurrent versions; write one that resolves them with put\n`);
  for (const [i, sibling] of siblings.entries()) {
    process.stdout.write(`--- ${i + 1} of ${siblings.length}, ${sibling.contentType}, ${sibling.modified}\n`);
    process.stdout.write(Buffer.from(sibling.value, "base64"));
    process.stdout.write("\n");
  }
  process.stdout.write(`--- context ${context}\n`);
}

function problemDetail(answer: Answered): string {
  return refused(answer).message.replace(/^[^:]*: /, "");
}
