/**
 * Chance that can be replayed: sfc32, seeded from the simulation's seed and the name of a stream.
 *
 * Every use has a stream of its own ("network", "faults", "process 3.1"), so that drawing one number more in one place
 * does not change what all others draw: a seed stays about the same run while its code is being debugged. Only whole
 * numbers and the four operations are used, which every JavaScript engine rounds alike; a logarithm would not do.
 */

import type { Random } from "../runtime/random.ts";

const twoTo32 = 4294967296;

export class Prng implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream: string) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < stream.length; i++) hash = Math.imul(hash ^ stream.charCodeAt(i), 0x01000193);
    this.#a = seed | 0;
    this.#b = Math.floor(seed / twoTo32) | 0;
    this.#c = hash | 0;
    for (let i = 0; i < 15; i++) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** As strict as a real machine's: what draws from nothing fails there. */
  below(limit: number): number {
    if (!(limit >= 1)) throw new RangeError(`cannot draw a number below ${limit}`);
    return Math.floor((this.u32() / twoTo32) * limit);
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.u32() & 0xff;
    return bytes;
  }

  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.u32() < probability * twoTo32;
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** A number from `least` up to `most`, with fractions. */
  uniform(least: number, most: number): number {
    return least + (this.u32() / twoTo32) * (most - least);
  }

  /** A duration from `least` to `most` of which most are short: half lie in the lowest eighth. */
  skewed(least: number, most: number): number {
    const u = this.u32() / twoTo32;
    return least + u * u * u * (most - least);
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("nothing to pick from");
    return items[this.below(items.length)] as T;
  }

  /** The items in a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const other = result[j] as T;
      result[j] = result[i] as T;
      result[i] = other;
    }
    return result;
  }
}
