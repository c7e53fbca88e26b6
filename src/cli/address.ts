/** Addresses as people type them: `host:port`, an IPv6 host in square brackets. */

import { isIP, isIPv6 } from "node:net";

const hostName = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/** The host and the port of an address, or undefined if it is none. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, port] = match;
  if (Number(port) > 65535) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port: Number(port) } : undefined;
  return plain !== undefined && hostName.test(plain) ? { host: plain, port: Number(port) } : undefined;
}

export function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

/** One or more addresses, separated by commas; undefined if one of them is none. */
export function parseAddressList(text: string): readonly string[] | undefined {
  const addresses = text.split(",").map((part) => part.trim());
  return addresses.every((address) => (parseAddress(address)?.port ?? 0) > 0) ? addresses : undefined;
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(address: string): boolean {
  const host = parseAddress(address)?.host.toLowerCase();
  if (host === undefined) return false;
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
