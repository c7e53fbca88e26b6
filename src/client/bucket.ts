/**
 * One bucket, as its user handles it: values in and out, contexts carried along, siblings merged where a `merge` says how.
 *
 * A write replaces what its context has seen and nothing else, so a read, a change and a write with the read's context is
 * safe whoever else writes: at worst both writes stay, as siblings. `update` is these three steps.
 */

import { CartwheelError, type ErrorCode } from "./cartwheel-error.ts";
import type { Context } from "./context.ts";
import type { Found, Merge, Merged, Updated, Version } from "./found.ts";
import type { DeleteOptions, GetOptions, PutOptions, RequestOptions, WriteOptions } from "./options.ts";
import { settleAll } from "./settle-all.ts";
import type { StoredVersion, StoredVersions, Transport, Written } from "./transport.ts";
import type { Values } from "./values.ts";

/** How often `update` begins anew where its write has certainly not happened. */
const updateTries = 5;
/** Failures of a write that another look at the key may cure; whatever else may pass, the transport has tried again already. */
const curable: readonly ErrorCode[] = ["too-many-siblings", "bad-context"];

/** What requests of the bucket say where they do not say otherwise. */
export interface BucketDefaults extends Omit<GetOptions & WriteOptions, "signal" | "context" | "writeId"> {}

/** Options of an update: those of its read and of its write. */
export interface UpdateOptions extends Omit<GetOptions & WriteOptions, "context" | "writeId"> {}

/** How what is found is given: as it is, or merged. */
export interface Shape<T, F, S> {
  readonly found: (versions: readonly Version<T>[], context: Context | undefined) => F;
  /** What `update` hands to the function that changes it. */
  readonly seen: (found: F) => S;
}

/** Siblings as they are. */
export function foundShape<T>(): Shape<T, Found<T>, Found<T>> {
  return { found: asFound, seen: (found) => found };
}

/** Siblings as one value. */
export function mergedShape<T>(merge: Merge<T>): Shape<T, Merged<T>, T | undefined> {
  return {
    found: (versions, context) => {
      const found = asFound(versions, context);
      if (found.kind !== "siblings") return found;
      return { kind: "value", value: merge(versions.map(({ value }) => value)), context: found.context, versions };
    },
    seen: ({ value }) => value,
  };
}

function asFound<T>(versions: readonly Version<T>[], context: Context | undefined): Found<T> {
  const [only] = versions;
  if (only === undefined) return { kind: "nothing", value: undefined, context };
  if (context === undefined) throw new CartwheelError({ code: "internal", message: "versions came without a context" });
  if (versions.length > 1) return { kind: "siblings", versions, context };
  return { kind: "value", value: only.value, context, versions };
}

export interface BucketParts<T, I, F, S> {
  readonly transport: Transport;
  readonly name: string;
  readonly values: Values<T, I>;
  readonly shape: Shape<T, F, S>;
  readonly defaults: BucketDefaults;
}

/** `T` is what is read, `I` what is put, `F` what is found, and `S` what `update` shows of it; `Bucket` and `MergedBucket` name the two kinds. */
export class TypedBucket<T, I, F extends { readonly context: Context | undefined }, S> {
  readonly name: string;
  readonly #parts: BucketParts<T, I, F, S>;
  /** Undefined where nothing is said for all requests: then their own options need not be copied. */
  readonly #defaults: BucketDefaults | undefined;

  constructor(parts: BucketParts<T, I, F, S>) {
    this.name = parts.name;
    this.#parts = parts;
    this.#defaults = Object.values(parts.defaults).some((said) => said !== undefined) ? parts.defaults : undefined;
  }

  /** Reads the key. Rejects with `CartwheelError`. */
  get(key: string, options?: GetOptions): Promise<F> {
    const { transport, values, shape } = this.#parts;
    return transport.get({ bucket: this.name, key }, this.#with(options), (stored) => {
      const decoded = decodeAll(stored, values, key);
      const { context } = stored;
      return decoded instanceof Promise
        ? decoded.then((all) => shape.found(all, context))
        : shape.found(decoded, context);
    });
  }

  /**
   * Stores a value in place of what the context has seen; without one beside everything. Rejects with `CartwheelError`,
   * whose `outcome` says whether it may have happened.
   */
  put(key: string, value: I, options?: PutOptions): Promise<Written> {
    const { values } = this.#parts;
    try {
      const bytes = values.encode(value, key);
      return bytes instanceof Promise
        ? bytes.then((encoded) => this.#store(key, encoded, options))
        : this.#store(key, bytes, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Removes what the context has seen; without one, what a quorum read finds. */
  delete(key: string, options?: DeleteOptions): Promise<Written> {
    return this.#parts.transport.write({ bucket: this.name, key }, undefined, this.#with(options));
  }

  /**
   * Reads the key, has `change` make another value of it, and stores that in place of what was read. Where the write was
   * refused because there is more to read than was, all of it is done again, a few times; `change` may so be called again.
   * Given undefined, it leaves everything as it is. Of two updates at a time neither is lost: they become siblings, and
   * the next read merges them. Read and write may each take the time of a request.
   */
  async update(
    key: string,
    change: (seen: S) => I | undefined | Promise<I | undefined>,
    options: UpdateOptions = {},
  ): Promise<Updated<I>> {
    for (let tries = 1; ; tries++) {
      const found = await this.get(key, options);
      const value = await change(this.#parts.shape.seen(found));
      if (value === undefined) return { kind: "unchanged" };
      try {
        const { context, siblings } = await this.put(key, value, { ...options, context: found.context });
        return { kind: "written", value, context, siblings };
      } catch (error) {
        if (tries >= updateTries || !isCurable(error)) throw error;
      }
    }
  }

  /** Reads many keys, and tells of each what came of it, in their order. */
  getMany(keys: Iterable<string>, options?: GetOptions): Promise<PromiseSettledResult<F>[]> {
    return settleAll(keys, this.#parts.transport.manyAtOnce, (key) => this.get(key, options));
  }

  /** Stores many values; each may bring its context. All of them, or some: they are not one write. */
  putMany(
    entries: Iterable<readonly [key: string, value: I, context?: Context | string | undefined]>,
    options?: PutOptions,
  ): Promise<PromiseSettledResult<Written>[]> {
    return settleAll(entries, this.#parts.transport.manyAtOnce, ([key, value, context]) =>
      this.put(key, value, context === undefined ? options : { ...options, context }),
    );
  }

  /** Deletes many keys, as `delete` does each. */
  deleteMany(keys: Iterable<string>, options?: DeleteOptions): Promise<PromiseSettledResult<Written>[]> {
    return settleAll(keys, this.#parts.transport.manyAtOnce, (key) => this.delete(key, options));
  }

  #store(key: string, value: Uint8Array, options: PutOptions | undefined): Promise<Written> {
    const { transport, values } = this.#parts;
    const contentType = options?.contentType ?? values.contentType;
    const version = { value, contentType, onlyIfAbsent: options?.onlyIfAbsent === true };
    return transport.write({ bucket: this.name, key }, version, this.#with(options));
  }

  #with<O extends RequestOptions>(options: O | undefined): O | BucketDefaults {
    if (options === undefined) return this.#parts.defaults;
    return this.#defaults === undefined ? options : { ...this.#defaults, ...options };
  }
}

/** A bucket whose reads may find siblings. */
export type Bucket<T, I = T> = TypedBucket<T, I, Found<T>, Found<T>>;

/** A bucket that merges them. */
export type MergedBucket<T, I = T> = TypedBucket<T, I, Merged<T>, T | undefined>;

function decodeAll<T>(
  { versions }: StoredVersions,
  values: Values<T, never>,
  key: string,
): readonly Version<T>[] | Promise<readonly Version<T>[]> {
  const decoded: (Version<T> | Promise<Version<T>>)[] = [];
  let isWaiting = false;
  for (const version of versions) {
    const one = decodeOne(version, values, key);
    isWaiting ||= one instanceof Promise;
    decoded.push(one);
  }
  return isWaiting ? Promise.all(decoded) : (decoded as readonly Version<T>[]);
}

function decodeOne<T>(version: StoredVersion, values: Values<T, never>, key: string): Version<T> | Promise<Version<T>> {
  const { contentType, modified } = version;
  const value = values.decode(version, key);
  return value instanceof Promise
    ? value.then((decoded) => ({ value: decoded, contentType, modified }))
    : { value, contentType, modified };
}

function isCurable(error: unknown): boolean {
  return error instanceof CartwheelError && error.outcome === undefined && curable.includes(error.code);
}
