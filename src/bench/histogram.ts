/**
 * Latencies, counted in buckets that are fine where values are small and as fine in proportion where they are large:
 * Gil Tene's HdrHistogram with three digits.
 *
 * A sorted list of every latency costs memory with each operation, and a histogram of equal buckets has no digits left
 * at the tail, which is what one wants to see. Here every value up to 2,047 us has a bucket of its own, and each
 * doubling beyond has 1,024: what is read out is never below what was recorded, and above it by less than a thousandth
 * (`test/bench/histogram.test.ts` compares with a sorted list). Hot path.
 */

/** Buckets a doubling, as a power of two. */
const fineBits = 10;
const fine = 2 ** fineBits;
/** Longer ones count as this; in us, 35 minutes. */
const most = 2 ** 31 - 1;
const buckets = (31 - fineBits + 1) * fine;

export class Histogram {
  readonly #counts = new Uint32Array(buckets);
  #count = 0;
  #sum = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  /** The mean of what was recorded, exactly, in us; 0 of nothing. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** The greatest value, exactly (rounded up to whole us). */
  get max(): number {
    return this.#max;
  }

  /** Records a latency in us. */
  record(us: number): void {
    const whole = us >= most ? most : us <= 0 ? 0 : Math.ceil(us);
    const at = bucketOf(whole);
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#count += 1;
    this.#sum += us;
    if (whole > this.#max) this.#max = whole;
  }

  /** The least value that a share (0 to 1) of the values do not exceed, in us; 0 of nothing. */
  percentile(share: number): number {
    // Shares such as 0.999 are not exact in binary: a hair less than the count is meant to be the count.
    const rank = Math.max(1, Math.ceil(share * this.#count - 1e-6));
    let seen = 0;
    for (let at = 0; at < buckets; at++) {
      seen += this.#counts[at] as number;
      if (seen >= rank) return Math.min(lastOf(at), this.#max);
    }
    return this.#max;
  }

  /** Counts what the other one counted, too. */
  add(other: Histogram): void {
    for (let at = 0; at < buckets; at++) {
      this.#counts[at] = (this.#counts[at] as number) + (other.#counts[at] as number);
    }
    this.#count += other.#count;
    this.#sum += other.#sum;
    this.#max = Math.max(this.#max, other.#max);
  }

  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sum = 0;
    this.#max = 0;
  }
}

function bucketOf(us: number): number {
  if (us < 2 * fine) return us;
  const shift = 31 - Math.clz32(us) - fineBits;
  return (shift << fineBits) + (us >>> shift);
}

/** The greatest value that falls into the bucket. */
function lastOf(at: number): number {
  if (at < 2 * fine) return at;
  const shift = (at >>> fineBits) - 1;
  return (at - shift * fine + 1) * 2 ** shift - 1;
}
