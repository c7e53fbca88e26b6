/**
 * Which key comes next, as the Yahoo! Cloud Serving Benchmark draws it (Cooper et al., SoCC 2010, with its code's
 * constants): a few keys are asked for most of the time.
 *
 * The zipfian draw is Gray et al.'s ("Quickly generating billion-record synthetic databases", SIGMOD 1994): the i-th of n
 * items has a share of 1/i^0.99 over the sum of all. *Scrambled*, the popular ones are spread over all keys by a hash,
 * drawn out of ten billion items, so that shares stay as they are when keys are added. *Latest* puts the popular ones
 * at the end, where keys are added.
 */

/** A number from 0 up to 1, without 1. */
export type Uniform = () => number;

/** Draws the number of a key that is there; `count` are. */
export type KeyChooser = (count: number) => number;

const theta = 0.99;
/** YCSB's scrambled draw is always out of so many; the sum of its shares is a constant in its code. */
const scrambledItems = 1e10;
const scrambledZeta = 26.46902820178302;

/** The sum of 1/i^theta for i from `from` + 1 to `to`. */
export function zeta(from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += 1 / (i + 1) ** theta;
  return sum;
}

/** Draws ranks, 0 the most popular, out of a number of items that may grow. */
export class Zipfian {
  readonly #uniform: Uniform;
  readonly #zeta2 = zeta(0, 2);
  #items: number;
  #zeta: number;
  #eta: number;

  /** The sum of the shares takes a while for millions of items: whoever knows it gives it. */
  constructor(uniform: Uniform, items: number, knownZeta?: number) {
    this.#uniform = uniform;
    this.#items = items;
    this.#zeta = knownZeta ?? zeta(0, items);
    this.#eta = this.#etaOf();
  }

  /** Draws out of at least as many items as before. */
  next(items: number = this.#items): number {
    if (items > this.#items) {
      this.#zeta += zeta(this.#items, items);
      this.#items = items;
      this.#eta = this.#etaOf();
    }
    const u = this.#uniform();
    const scaled = u * this.#zeta;
    if (scaled < 1) return 0;
    if (scaled < 1 + 0.5 ** theta) return 1;
    const rank = Math.floor(this.#items * (this.#eta * u - this.#eta + 1) ** (1 / (1 - theta)));
    return Math.min(rank, this.#items - 1);
  }

  #etaOf(): number {
    return (1 - (2 / this.#items) ** (1 - theta)) / (1 - this.#zeta2 / this.#zeta);
  }
}

/** Popular keys anywhere among those that are there or, of `expected`, will be. */
export function scrambledChooser(uniform: Uniform, expected: number): KeyChooser {
  const zipfian = new Zipfian(uniform, scrambledItems, scrambledZeta);
  return (count) => {
    for (;;) {
      const key = fnv64(zipfian.next()).modulo(expected);
      if (key < count) return key;
    }
  };
}

/** The newest key is the most popular. */
export function latestChooser(uniform: Uniform, count: number): KeyChooser {
  const zipfian = new Zipfian(uniform, count);
  return (now) => now - 1 - zipfian.next(now);
}

/** A 64-bit hash, without its sign, as two halves. */
export class Hash63 {
  readonly hi: number;
  readonly lo: number;

  constructor(hi: number, lo: number) {
    this.hi = hi;
    this.lo = lo;
  }

  /** The remainder by a number below 2^36: exact, in steps of 16 bits that a double holds. */
  modulo(by: number): number {
    let rest = this.hi % by;
    rest = (rest * 65_536 + (this.lo >>> 16)) % by;
    return (rest * 65_536 + (this.lo & 0xffff)) % by;
  }

  toString(): string {
    return String((BigInt(this.hi) << 32n) | BigInt(this.lo));
  }
}

/**
 * YCSB's `fnvhash64`: FNV-1a over the eight bytes of a whole number up to 2^53, and its sign dropped. The prime is
 * 2^40 + 435, so that a product is two multiplications that a double holds.
 */
export function fnv64(value: number): Hash63 {
  let hi = 0xcbf29ce4;
  let lo = 0x84222325;
  let rest = value;
  for (let i = 0; i < 8; i++) {
    lo = (lo ^ (rest % 256)) >>> 0;
    rest = Math.floor(rest / 256);
    const product = lo * 435;
    hi = (hi * 435 + Math.floor(product / 2 ** 32) + ((lo << 8) >>> 0)) % 2 ** 32;
    // Up to 41 bits: `>>>` leaves the lower 32.
    lo = product >>> 0;
  }
  if (hi < 2 ** 31) return new Hash63(hi, lo);
  const negated = (~lo + 1) >>> 0;
  return new Hash63((~hi + (negated === 0 ? 1 : 0)) >>> 0, negated);
}
