/** What a load does, one at a time: the words of all workloads, and how a target is asked for each. */

import type { Change, Done, Target } from "./target.ts";

export type Operation =
  | { readonly kind: "read"; readonly key: string }
  | { readonly kind: "update"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "insert"; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "modify"; readonly key: string; readonly change: Change }
  | { readonly kind: "scan"; readonly keys: readonly string[] };

export type OperationKind = Operation["kind"];

/** A workload: what is there before it, and what comes next. */
export interface Load {
  readonly name: string;
  /** What it is, for people: mix, sizes, what of its model could not be kept. */
  readonly description: string;
  /** How many keys are to be stored first. */
  readonly keys: number;
  /** The i-th of them, 0 up. */
  first(i: number): { readonly key: string; readonly value: Uint8Array };
  next(): Operation;
  /** The operation has ended well: an insert's key may be read from then on. */
  ended?(operation: Operation): void;
}

/** Has the target do it. */
export function perform(target: Target, operation: Operation, done: Done): void {
  switch (operation.kind) {
    case "read":
      return target.get(operation.key, done);
    case "update":
    case "insert":
      return target.put(operation.key, operation.value, done);
    case "modify":
      return target.change(operation.key, operation.change, done);
    case "scan":
      return readAll(target, operation.keys, done);
  }
}

function readAll(target: Target, keys: readonly string[], done: Done): void {
  let left = keys.length;
  let failed: unknown;
  const one = (error?: unknown): void => {
    failed ??= error;
    if (--left === 0) done(failed);
  };
  for (const key of keys) target.get(key, one);
}
