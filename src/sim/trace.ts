/**
 * A fingerprint of everything that happened: two runs with one fingerprint were the same run.
 *
 * Every event, every byte delivered and every choice of a fault is folded in. A test runs a seed twice, in two
 * processes, and compares; a difference means that something reached the product's code that the seed does not decide
 * (the real clock, real chance, an order that depends on the machine), and no replay could then be trusted.
 *
 * Hot path: bytes are folded four at a time, for speed; nobody attacks this hash.
 */

export type TraceLine = (line: string) => void;

export class Trace {
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;
  readonly #floats: Float64Array = new Float64Array(1);
  readonly #words: Uint32Array = new Uint32Array(this.#floats.buffer);
  /** Hears what happens, in words, where somebody listens. */
  readonly tell: TraceLine | undefined;

  constructor(tell?: TraceLine) {
    this.tell = tell;
  }

  u32(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = (Math.imul(this.#high ^ value, 0x85ebca6b) + this.#low) | 0;
    this.#low ^= this.#low >>> 15;
    this.#high ^= this.#high >>> 13;
  }

  f64(value: number): void {
    this.#floats[0] = value;
    this.u32(this.#words[0] as number);
    this.u32(this.#words[1] as number);
  }

  text(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.u32(text.charCodeAt(i));
  }

  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    const whole = bytes.length & ~3;
    let i = 0;
    for (; i < whole; i += 4) {
      this.u32(
        (bytes[i] as number) |
          ((bytes[i + 1] as number) << 8) |
          ((bytes[i + 2] as number) << 16) |
          ((bytes[i + 3] as number) << 24),
      );
    }
    for (; i < bytes.length; i++) this.u32(bytes[i] as number);
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }
}
