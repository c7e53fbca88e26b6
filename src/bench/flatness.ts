/**
 * Whether what a process has in memory stays what it is: how much more it has at the end of a long run than it had once it
 * was warm.
 *
 * Memory goes up and down with each garbage collection, by more than a leak adds in minutes, so two samples say
 * nothing. What is compared is a stretch with a stretch: the fifth of the time that follows the warm-up, and the last
 * fifth, each by its mean.
 */

/** Bytes at a time, in s since the run began. */
export interface MemorySample {
  readonly second: number;
  readonly bytes: number;
}

export interface Flatness {
  /** Means of the first and of the last fifth behind the warm-up, in bytes. */
  readonly firstBytes: number;
  readonly lastBytes: number;
  /** The last over the first. */
  readonly ratio: number;
}

const share = 0.2;

/** Compares them; `samples` in the order of time. NaN where a fifth has none. */
export function flatnessOf(samples: readonly MemorySample[], warmSeconds: number): Flatness {
  const counted = samples.filter(({ second }) => second >= warmSeconds);
  const [begins, ends] = [counted[0]?.second ?? 0, counted.at(-1)?.second ?? 0];
  const fifth = (ends - begins) * share;
  const firstBytes = mean(counted.filter(({ second }) => second <= begins + fifth));
  const lastBytes = mean(counted.filter(({ second }) => second >= ends - fifth));
  return { firstBytes, lastBytes, ratio: lastBytes / firstBytes };
}

function mean(samples: readonly MemorySample[]): number {
  return samples.reduce((sum, { bytes }) => sum + bytes, 0) / samples.length;
}
