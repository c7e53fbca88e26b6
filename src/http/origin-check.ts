/**
 * Keeps web pages of other origins away from a node that listens on a person's own machine.
 *
 * A page can send requests anywhere its browser reaches. Three facts give it away. `Origin` names the page's origin
 * on every request that may change something. `Sec-Fetch-Site` says the same in one word. And a page that points its
 * own domain name at this address (DNS rebinding), and so is of "the same origin", still sends that name as `Host`:
 * so a Host is refused unless it is an IP address, localhost, or a name this node was told is its own.
 */

import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { Rejection } from "./problem.ts";

const safeMethods: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** The host of `host:port`, without brackets and port, in lower case. */
export function hostOf(authority: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(authority.trim());
  return (match?.[1] ?? match?.[2] ?? "").toLowerCase();
}

/** Only HTTP/1.0 may leave Host out, and no browser speaks that. Throws a `Rejection`. */
export function checkHost(httpVersion: string, headers: IncomingHttpHeaders): void {
  if (headers["host"] !== undefined || httpVersion === "1.0") return;
  throw new Rejection("bad-request", `there is no Host, and HTTP/${httpVersion} needs one`, { connection: "close" });
}

/** The names under which this node may be asked, besides IP addresses and localhost. */
export class OwnHosts {
  readonly names: readonly string[];
  /** The Host that was found to be its own last: nearly every request has the same. */
  #last: string | undefined;

  constructor(names: readonly string[]) {
    this.names = names;
  }

  has(authority: string): boolean {
    if (authority === this.#last) return true;
    const host = hostOf(authority);
    const isOwn = isIP(host) !== 0 || host === "localhost" || host.endsWith(".localhost") || this.names.includes(host);
    if (isOwn) this.#last = authority;
    return isOwn;
  }
}

/** Refuses a request that a page of another origin may have sent. Throws a `Rejection`. */
export function checkOrigin(method: string, headers: IncomingHttpHeaders, ownHosts: OwnHosts): void {
  const authority = headers["host"];
  if (authority !== undefined && !ownHosts.has(authority)) {
    const allowed = ["an IP address", "localhost", ...ownHosts.names].join(", ");
    throw new Rejection("forbidden", `Host is "${safe(authority)}", and must be one of: ${allowed}`);
  }
  if (safeMethods.includes(method)) return;
  const origin = headers["origin"];
  if (origin !== undefined && !isSameOrigin(origin, authority)) {
    throw new Rejection("forbidden", `Origin is "${safe(origin)}", and must be this node's own for ${method}`);
  }
  const site = headers["sec-fetch-site"];
  if (site === "cross-site" || site === "same-site") {
    throw new Rejection("forbidden", `Sec-Fetch-Site is "${site}", and must be same-origin or none for ${method}`);
  }
}

function isSameOrigin(origin: string, authority: string | undefined): boolean {
  if (authority === undefined) return false;
  const own = authority.trim().toLowerCase();
  // Behind a proxy that ends TLS the page's scheme is https and ours is not.
  return origin.toLowerCase() === `http://${own}` || origin.toLowerCase() === `https://${own}`;
}

function safe(text: string): string {
  return text.slice(0, 128).replace(/[^\x20-\x7e]/g, "?");
}
