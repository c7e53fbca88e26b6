/** Which version of the software this is, as its package says. */

import { readFileSync } from "node:fs";

/** The package's version. */
export const softwareVersion: string = readVersion();

function readVersion(): string {
  const description: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  const { version } = description as { readonly version?: unknown };
  return typeof version === "string" ? version : "unknown";
}
