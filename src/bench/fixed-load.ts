/**
 * One kind of operation on values of one size, each key in turn: what an operation costs, without a hot key among them.
 *
 * Keys come in a fixed order that jumps about, each as often as any other, and none twice within as many operations as
 * there are keys: so no two puts of a key are under way at once, and each builds on the one before.
 */

import type { Load, Operation } from "./operation.ts";

/** Primes: one of them shares no factor with the number of keys, below 60 million. */
const strides = [7919, 7907] as const;

export interface FixedLoadOptions {
  readonly kind: "read" | "update";
  readonly keys: number;
  readonly valueBytes: number;
}

/** Reads, or updates, of all keys by turns. */
export function fixedLoad({ kind, keys, valueBytes }: FixedLoadOptions): Load {
  const value = new Uint8Array(valueBytes).fill(120);
  const names = Array.from({ length: keys }, (_, i) => `user${i}`);
  const stride = keys % strides[0] === 0 ? strides[1] : strides[0];
  // Made once: what the load itself costs would be in every figure.
  const operations = names.map((_, i): Operation => {
    const key = names[(i * stride) % keys] as string;
    return kind === "read" ? { kind, key } : { kind, key, value };
  });
  let at = 0;
  return {
    name: kind === "read" ? "get" : "put",
    description: `${kind}s of ${keys} keys by turns, values of ${valueBytes} bytes`,
    keys,
    first: (i) => ({ key: names[i] as string, value }),
    next: () => {
      const operation = operations[at] as Operation;
      at = at + 1 === keys ? 0 : at + 1;
      return operation;
    },
  };
}
