/**
 * How far this process lets its heap grow before it is collected as a whole.
 *
 * The values that a node passes on are buffers outside of V8's heap, and young: a scavenge of a millisecond or two gives
 * them back. But V8 counts them as growth of the old generation too. After a first full collection of a node's small heap
 * (20 to 60 MB) it begins the next one after some 30 MB of values, before any scavenge is due: with values of 64 KiB and a
 * hundred requests a second, two marks of the whole heap a second, in every node, and each makes requests wait.
 */

import { setFlagsFromString } from "node:v8";

/**
 * For the rest of the process's life: its old generation may come to four times what the last full collection left of it, which
 * is the most that V8 allows by itself. It counts for the whole process, so whoever owns that calls it, once; `cartwheel
 * start` does. `docs/decisions/176-four-times-the-heap.md` has the figures.
 */
export function letHeapGrow(): void {
  setFlagsFromString("--heap-growing-percent=300");
}
