/**
 * A bucket's values between what its user handles and what is stored: validated, then encoded; decoded, then validated.
 *
 * What is stored is what was put, as the codec has it, and what the schema makes of it is made anew at each read: so a
 * schema may fill in what older values lack. Validation may be asynchronous; where it is not, nothing here is.
 */

import { CartwheelError } from "./cartwheel-error.ts";
import type { Codec } from "./codec.ts";
import { describeIssues, type SchemaResult, type StandardSchema } from "./standard-schema.ts";
import type { StoredVersion } from "./transport.ts";

export interface Values<T, I> {
  readonly contentType: string;
  /** Throws, or rejects with, `CartwheelError`, `invalid-value`. */
  encode(value: I, key: string): Uint8Array | Promise<Uint8Array>;
  decode(version: StoredVersion, key: string): T | Promise<T>;
}

/** Values of a codec alone. */
export function codecValues<T>(bucket: string, codec: Codec<T>): Values<T, T> {
  return {
    contentType: codec.contentType,
    encode: (value, key) => {
      try {
        return codec.encode(value);
      } catch (cause) {
        throw unfit(bucket, key, "put", cause);
      }
    },
    decode: ({ value, contentType }, key) => {
      try {
        return codec.decode(value, contentType);
      } catch (cause) {
        throw unfit(bucket, key, "read", cause);
      }
    },
  };
}

/** Values that a schema looks at, too. */
export function schemaValues<T, I>(bucket: string, schema: StandardSchema<I, T>, codec: Codec<unknown>): Values<T, I> {
  const { validate } = schema["~standard"];
  const inner = codecValues(bucket, codec);
  return {
    contentType: codec.contentType,
    encode: (value, key) =>
      after(validate(value), (result) => {
        mustFit(result, bucket, key, "put");
        return inner.encode(value, key);
      }),
    decode: (version, key) =>
      after(inner.decode(version, key), (decoded) =>
        after(validate(decoded), (result) => mustFit(result, bucket, key, "read")),
      ),
  };
}

/** Goes on at once where there is nothing to wait for. */
export function after<A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}

function unfit(bucket: string, key: string, act: "put" | "read", cause: unknown): CartwheelError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `cannot ${act} "${key}" in bucket "${bucket}": ${why}`;
  return new CartwheelError({ code: "invalid-value", message, cause });
}

function mustFit<T>(result: SchemaResult<T>, bucket: string, key: string, act: "put" | "read"): T {
  if (result.issues === undefined) return result.value;
  const message = `cannot ${act} "${key}" in bucket "${bucket}": the value does not fit its schema: ${describeIssues(result.issues)}`;
  throw new CartwheelError({ code: "invalid-value", message, issues: result.issues });
}
