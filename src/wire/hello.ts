/**
 * The first bytes of a connection: who speaks here, and which versions of the protocol.
 *
 *     preamble := "CWHL" | u16 oldest version | u16 newest version
 *
 * Both sides send theirs, and speak the newest version that both know. The preamble is the one thing that never
 * changes: what comes after it, the `hello` included, is the version's affair.
 */

import { FrameError } from "./frame.ts";

export interface VersionRange {
  readonly oldest: number;
  readonly newest: number;
}

/** What this software speaks. */
export const ownVersions: VersionRange = { oldest: 1, newest: 1 };

export const preambleBytes = 8;
const magic = [0x43, 0x57, 0x48, 0x4c] as const;

export function encodePreamble(versions: VersionRange): Uint8Array {
  return Uint8Array.of(
    ...magic,
    versions.oldest >> 8,
    versions.oldest & 0xff,
    versions.newest >> 8,
    versions.newest & 0xff,
  );
}

/** The other side's versions. Throws `FrameError`, `malformed`, if whoever speaks there is nothing of ours. */
export function decodePreamble(bytes: Uint8Array): VersionRange {
  const byte = (at: number): number => bytes[at] ?? 0;
  if (bytes.length !== preambleBytes || magic.some((expected, at) => byte(at) !== expected)) {
    throw new FrameError("malformed", "the other side does not speak this protocol");
  }
  const versions = { oldest: byte(4) * 256 + byte(5), newest: byte(6) * 256 + byte(7) };
  if (versions.oldest > versions.newest) {
    throw new FrameError("malformed", `versions ${versions.oldest} to ${versions.newest} are no range`);
  }
  return versions;
}

/** The newest version that both speak. Throws `FrameError`, `bad-version`, if there is none. */
export function agreeOnVersion(own: VersionRange, theirs: VersionRange): number {
  const version = Math.min(own.newest, theirs.newest);
  if (version >= own.oldest && version >= theirs.oldest) return version;
  throw new FrameError(
    "bad-version",
    `the other side speaks protocol versions ${theirs.oldest} to ${theirs.newest}, this one ${own.oldest} to ${own.newest}`,
  );
}
