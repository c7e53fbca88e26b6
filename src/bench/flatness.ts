/**
 * Whether what a process has in memory stays what it is: whether at the end of a long run it has more than it ever had
 * while it got warm.
 *
 * Memory goes up and down with each garbage collection, by more than a leak adds in minutes, so two samples say
 * nothing. Nor do means: an engine that has little to do gives memory back, for minutes, and takes it again when there is
 * more to do. So peaks are compared: the highest of the warm-up and the time behind it, and the highest of the last
 * fifth. What leaks goes past any peak it ever had.
 */

/** Bytes at a time, in s since the run began. */
export interface MemorySample {
  readonly second: number;
  readonly bytes: number;
}

export interface Flatness {
  /** The most up to the end of the first fifth behind the warm-up, and the most in the last fifth, in bytes. */
  readonly firstBytes: number;
  readonly lastBytes: number;
  /** The last over the first. */
  readonly ratio: number;
}

const share = 0.2;

/** Compares them; `samples` in the order of time. NaN where there are none behind the warm-up. */
export function flatnessOf(samples: readonly MemorySample[], warmSeconds: number): Flatness {
  const ends = samples.at(-1)?.second ?? 0;
  const fifth = (ends - warmSeconds) * share;
  const firstBytes = most(samples.filter(({ second }) => second <= warmSeconds + fifth));
  const lastBytes = most(samples.filter(({ second }) => second >= ends - fifth && second >= warmSeconds));
  return { firstBytes, lastBytes, ratio: lastBytes / firstBytes };
}

function most(samples: readonly MemorySample[]): number {
  return samples.reduce((greatest, { bytes }) => (greatest >= bytes ? greatest : bytes), Number.NaN);
}
