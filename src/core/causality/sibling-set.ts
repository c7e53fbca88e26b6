/**
 * A key's state: the versions that live side by side, and every dot this state has ever seen.
 */

import type { Dot } from "./dot.ts";
import { type DotSet, emptyDotSet } from "./dot-set.ts";

/** One live version. */
export interface Sibling {
  readonly dot: Dot;
  readonly value: Uint8Array;
  /** CRC-32 of `value`, made once where the value entered the cluster. */
  readonly checksum: number;
  /** The Content-Type as it came, at most 255 bytes of printable ASCII. */
  readonly contentType: string;
  /** Wall time of the write in ms since 1970, as its coordinator saw it. */
  readonly modified: number;
  /** The client's name for this write, equal on its retries; at most 64 printable ASCII characters. */
  readonly writeId?: string;
}

export interface SiblingSet {
  readonly context: DotSet;
  /** Ordered by dot; every dot is in `context`. */
  readonly siblings: readonly Sibling[];
}

/** The state of a key that nobody has written. */
export const emptySiblingSet: SiblingSet = { context: emptyDotSet, siblings: [] };
