/** What the conformance cases compare an engine with: a sorted list, random operations, and plain expectations. */

import { compareBytes } from "../core/bytes/order.ts";
import type { KeyRange, StorageErrorCode, StoredEntry, WriteOperation } from "./engine.ts";

/** The engine did something else than the port's law asks for. */
export class EngineNonconformity extends Error {
  override readonly name = "EngineNonconformity";
}

export function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new EngineNonconformity(`expected ${what}`);
}

export function expectBytes(found: Uint8Array | undefined, expected: Uint8Array | undefined): void {
  const isSame =
    found === undefined || expected === undefined ? found === expected : compareBytes(found, expected) === 0;
  expect(isSame, `${shown(expected)}, found ${shown(found)}`);
}

export function expectEntries(found: readonly StoredEntry[], expected: readonly WriteOperation[]): void {
  const keys = (entries: readonly WriteOperation[]): string => entries.map(({ key }) => shown(key)).join(" ");
  expect(keys(found) === keys(expected), `the keys ${keys(expected) || "(none)"}, found ${keys(found) || "(none)"}`);
  for (const [i, { value }] of found.entries()) expectBytes(value, expected[i]?.value);
}

export async function expectFailure(code: StorageErrorCode, act: () => Promise<unknown>): Promise<void> {
  const outcome = await act().then(
    () => "success",
    (error: unknown) => String((error as { readonly code?: unknown }).code ?? error),
  );
  expect(outcome === code, `a failure with code ${code}, found ${outcome}`);
}

const encoder: TextEncoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(encoder.encode(text));
}

/** The operation that puts a text under a text. */
export function put(key: string, value: string): StoredEntry {
  return { key: bytesOf(key), value: bytesOf(value) };
}

function shown(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "nothing";
  const hex = Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return bytes.length > 16 ? `<${hex}... of ${bytes.length} bytes>` : `<${hex}>`;
}

/** The laws of an engine as slowly as they can be kept. */
export class LawModel {
  #entries: StoredEntry[] = [];

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.find((entry) => compareBytes(entry.key, key) === 0)?.value;
  }

  write(operations: readonly WriteOperation[]): void {
    for (const { key, value } of operations) {
      this.#entries = this.#entries.filter((entry) => compareBytes(entry.key, key) !== 0);
      if (value !== undefined) this.#entries.push({ key, value });
    }
    this.#entries.sort((a, b) => compareBytes(a.key, b.key));
  }

  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    return this.#entries.filter((entry) => isWithin(range, entry)).slice(0, limit);
  }

  drop(range: KeyRange): void {
    this.#entries = this.#entries.filter((entry) => !isWithin(range, entry));
  }
}

function isWithin(range: KeyRange, { key }: StoredEntry): boolean {
  return compareBytes(key, range.from) >= 0 && compareBytes(key, range.to) < 0;
}

/** Draws operations over few, short, similar keys, so that they meet. Equal seeds draw equal operations (mulberry32). */
export class Lottery {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  key(): Uint8Array {
    const bytes = [0, 1, 0x7f, 0x80, 0xfe];
    return Uint8Array.from({ length: 1 + this.below(3) }, () => bytes[this.below(bytes.length)] as number);
  }

  range(): KeyRange {
    return { from: this.key(), to: this.key() };
  }

  batch(): WriteOperation[] {
    return Array.from({ length: 1 + this.below(6) }, () => ({
      key: this.key(),
      value: this.below(4) === 0 ? undefined : this.#value(),
    }));
  }

  #value(): Uint8Array {
    const length = this.below(20) === 0 ? this.below(20_000) : this.below(50);
    return new Uint8Array(length).fill(this.below(256));
  }
}
