/**
 * What a read gives. A bucket without a `merge` may find siblings, and its type says so: `value` cannot be had before
 * `kind` was looked at. With a `merge`, siblings become one value on the way.
 */

import type { Context } from "./context.ts";

/** One live version. */
export interface Version<T> {
  readonly value: T;
  readonly contentType: string;
  /** Wall time of the write, in ms since 1970; undefined where the transport is not told. */
  readonly modified: number | undefined;
}

/** Nothing is stored. With a context, something was, and it covers the delete. */
export interface FoundNothing {
  readonly kind: "nothing";
  readonly value: undefined;
  readonly context: Context | undefined;
}

/** One value. */
export interface FoundValue<T> {
  readonly kind: "value";
  readonly value: T;
  readonly context: Context;
  /** The versions that it is, or was merged from. */
  readonly versions: readonly Version<T>[];
}

/** Versions that did not see each other: put a value with this context, and it takes their place. */
export interface FoundSiblings<T> {
  readonly kind: "siblings";
  readonly versions: readonly Version<T>[];
  readonly context: Context;
}

/** What is found where siblings are merged. */
export type Merged<T> = FoundNothing | FoundValue<T>;

/** What is found where they are not. */
export type Found<T> = FoundNothing | FoundValue<T> | FoundSiblings<T>;

/** Makes one value of two or more that did not see each other: in any order, and as often as it takes. */
export type Merge<T> = (values: readonly T[]) => T;

/** What `update` did. */
export type Updated<I> =
  | { readonly kind: "written"; readonly value: I; readonly context: Context; readonly siblings: number | undefined }
  /** The function gave undefined: everything is as it was. */
  | { readonly kind: "unchanged" };
