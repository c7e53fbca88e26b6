/** What both doors of the client library show besides their `connect`: `host/client.ts` and `web/index.ts`. */

export {
  type Bucket,
  type BucketDefaults,
  type MergedBucket,
  TypedBucket,
  type UpdateOptions,
} from "./bucket.ts";
export { CartwheelError, type ErrorCode } from "./cartwheel-error.ts";
export { bytesCodec, type Codec, jsonCodec, textCodec } from "./codec.ts";
export { Context } from "./context.ts";
export { type BytesOptions, type CodecOptions, Database, type SchemaOptions } from "./database.ts";
export type { Found, FoundNothing, FoundSiblings, FoundValue, Merge, Merged, Updated, Version } from "./found.ts";
export type { DeleteOptions, GetOptions, PutOptions, Quorum, RequestOptions, WriteOptions } from "./options.ts";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts";
export type { Written } from "./transport.ts";
