/** A small HTTP client for the commands: one request, one answer, and the network's failures in plain words. */

import { request as startRequest } from "node:http";
import { CommandFailed } from "./usage-error.ts";

export interface Asked {
  /** The node's origin, `http://host:port`. */
  readonly url: string;
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** How long it may take, in ms. */
  readonly patienceMs?: number;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const usualPatienceMs = 65_000;

/** Sends the request and reads the whole answer. Rejects with `CommandFailed` if there is none. */
export async function ask(asked: Asked): Promise<Answered> {
  try {
    return await exchange(asked);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ECONNREFUSED" ? "nothing listens there; is a node running? (--url)" : message;
    throw new CommandFailed(`cannot reach ${asked.url}: ${reason}`);
  }
}

function exchange({ url, method, path, headers, body, patienceMs = usualPatienceMs }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, "");
    // The path goes as it is: a URL would take a key that is only dots for a step up, however it is encoded.
    const request = startRequest({ host, port: port || 80, path, method, agent: false, timeout: patienceMs });
    for (const [name, value] of Object.entries(headers ?? {})) request.setHeader(name, value);
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error(`no answer within ${patienceMs / 1000} s`)));
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const received = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(received),
          body: Buffer.concat(chunks),
        });
      });
    });
    request.end(body);
  });
}

/** The JSON of an answer with the wanted status; any other status is a failure that tells the node's own words. */
export async function askJson(url: string, path: string, patienceMs?: number): Promise<unknown> {
  const answer = await ask({ url, method: "GET", path, ...(patienceMs !== undefined && { patienceMs }) });
  if (answer.status !== 200) throw refused(answer);
  return JSON.parse(answer.body.toString());
}

/** What to throw for an answer that tells of a problem. */
export function refused(answer: Answered): CommandFailed {
  let told: { readonly type?: unknown; readonly detail?: unknown; readonly outcome?: unknown } = {};
  try {
    told = JSON.parse(answer.body.toString()) as typeof told;
  } catch {
    // Not a node's answer; its status says what there is to say.
  }
  const outcome = told.outcome === "unknown" ? " (it may still take effect)" : "";
  return new CommandFailed(`${told.type ?? `HTTP ${answer.status}`}: ${told.detail ?? "no detail"}${outcome}`);
}
