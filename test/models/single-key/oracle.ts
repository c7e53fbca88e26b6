/**
 * What truly happened: for each write, which writes its client had seen.
 *
 * The product decides by dots and contexts; the oracle by sets of writes, kept beside every copy, message and token.
 * A history has at most 31 writes, so a set of them is the bits of one number. Both must come to the same versions, at
 * every copy, after every step:
 *
 * - a version that the oracle holds to be live and the copy does not show is a lost write;
 * - one that the copy shows and that lies in the past of another write the copy knows is a false sibling, or a
 *   removed version that came back.
 */

/** A set of writes: bit i is write i. */
export type Writes = number;

/** Most writes of one history. */
export const mostWrites = 31;

export class Oracle {
  /** How many writes there are. */
  count = 0;
  /** Which of them are puts; the others are deletes. */
  puts: Writes = 0;
  /** For each write, all that its client had seen. */
  readonly #pasts: Writes[] = [];
  readonly #times: number[] = [];
  readonly #dots: string[] = [];

  /** A new write by a client that had seen `past`; its number is the answer. */
  write(past: Writes, isPut: boolean, time: number, dot: string): number {
    const write = this.count++;
    this.#pasts[write] = past;
    this.#times[write] = time;
    this.#dots[write] = dot;
    if (isPut) this.puts |= 1 << write;
    return write;
  }

  /** Whether two writes have one dot. */
  hasTwins(): boolean {
    return new Set(this.#dots).size < this.#dots.length;
  }

  /** The versions that must be live where exactly these writes are known. */
  live(known: Writes): Writes {
    let replaced = 0;
    for (let write = 0; write < this.count; write++) if (known & (1 << write)) replaced |= this.#pasts[write] as Writes;
    return known & this.puts & ~replaced;
  }

  /** The same where the last write wins: the one of greatest time, then dot; none if that is a delete. */
  newest(known: Writes): Writes {
    let best = -1;
    for (let write = 0; write < this.count; write++) {
      if (known & (1 << write) && (best === -1 || this.#isNewer(write, best))) best = write;
    }
    return best === -1 ? 0 : this.puts & (1 << best);
  }

  #isNewer(a: number, b: number): boolean {
    const [timeA, timeB] = [this.#times[a] as number, this.#times[b] as number];
    return timeA === timeB ? (this.#dots[a] as string) > (this.#dots[b] as string) : timeA > timeB;
  }
}
