/** The store as a client holds it: a door to its buckets, to be closed. */

import { flawOfBucketName } from "../core/request-flaws.ts";
import { type Bucket, type BucketDefaults, foundShape, type MergedBucket, mergedShape, TypedBucket } from "./bucket.ts";
import { CartwheelError } from "./cartwheel-error.ts";
import { bytesCodec, type Codec, jsonCodec } from "./codec.ts";
import type { Merge } from "./found.ts";
import type { StandardSchema } from "./standard-schema.ts";
import type { Transport } from "./transport.ts";
import { codecValues, schemaValues, type Values } from "./values.ts";

/** Values that a schema looks at, as JSON unless a codec says otherwise. */
export interface SchemaOptions<T, I> extends BucketDefaults {
  readonly schema: StandardSchema<I, T>;
  readonly codec?: Codec<unknown> | undefined;
}

/** Values of a codec. */
export interface CodecOptions<T> extends BucketDefaults {
  readonly codec: Codec<T>;
  readonly schema?: undefined;
}

/** Values that are bytes. */
export interface BytesOptions extends BucketDefaults {
  readonly codec?: undefined;
  readonly schema?: undefined;
}

/** How siblings become one value. */
export interface MergeOption<T> {
  readonly merge: Merge<T>;
}

export interface NoMergeOption {
  readonly merge?: undefined;
}

export class Database implements AsyncDisposable {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * The bucket of that name. With a `merge`, reads give one value; without, they may give siblings, and their type says
   * so. Costs nothing, and asks nobody. Throws `CartwheelError`, `bad-request`, if there can be no such name.
   */
  bucket<T, I>(name: string, options: SchemaOptions<T, I> & MergeOption<T>): MergedBucket<T, I>;
  bucket<T, I>(name: string, options: SchemaOptions<T, I> & NoMergeOption): Bucket<T, I>;
  bucket<T>(name: string, options: CodecOptions<T> & MergeOption<T>): MergedBucket<T>;
  bucket<T>(name: string, options: CodecOptions<T> & NoMergeOption): Bucket<T>;
  bucket(name: string, options: BytesOptions & MergeOption<Uint8Array>): MergedBucket<Uint8Array>;
  bucket(name: string, options?: BytesOptions & NoMergeOption): Bucket<Uint8Array>;
  bucket<T>(name: string, options: AnyOptions<T> = {}): Bucket<T> | MergedBucket<T> {
    const flaw = flawOfBucketName(name);
    if (flaw !== undefined) throw new CartwheelError({ code: "bad-request", message: flaw });
    const { schema, codec, merge, ...defaults } = options;
    const values = valuesOf<T>(name, schema, codec);
    const parts = { transport: this.#transport, name, values, defaults };
    if (merge !== undefined) return new TypedBucket({ ...parts, shape: mergedShape(merge) });
    return new TypedBucket({ ...parts, shape: foundShape<T>() });
  }

  /** Takes no more requests, waits for those under way, and closes every connection. Safe to call twice. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface AnyOptions<T> extends BucketDefaults {
  readonly schema?: StandardSchema<T, T> | undefined;
  readonly codec?: Codec<T> | Codec<unknown> | undefined;
  readonly merge?: Merge<T> | undefined;
}

/** What the overloads promise: without codec and schema, values are bytes. */
function valuesOf<T>(
  name: string,
  schema: StandardSchema<T, T> | undefined,
  codec: Codec<T> | Codec<unknown> | undefined,
): Values<T, T> {
  if (schema !== undefined) return schemaValues(name, schema, (codec ?? jsonCodec()) as Codec<unknown>);
  return codecValues(name, (codec ?? bytesCodec) as Codec<T>);
}
