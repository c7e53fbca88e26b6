/** Any of what messages are made of, for the properties of the codec and the frames. */

import fc from "fast-check";
import type { Hash64 } from "../../src/core/hash/murmur3.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Voice } from "../../src/core/quorum/voice.ts";
import type { Quorum } from "../../src/core/settings.ts";
import { plainRecord } from "../plain-record.ts";

/** Ids of both the small kind that is common and the large kind that is possible. */
export const anyId: fc.Arbitrary<number> = fc.oneof(fc.nat(70_000), fc.maxSafeNat());
export const anyNumber: fc.Arbitrary<number> = fc.oneof(fc.nat(300), fc.maxSafeNat());
export const anyNode: fc.Arbitrary<NodeId> = fc
  .tuple(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff))
  .map(([high, low]) => (high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0")) as NodeId);
export const anyQuorum: fc.Arbitrary<Quorum> = fc.oneof(fc.nat(64), fc.constantFrom("one", "quorum", "all"));
export const anyText: fc.Arbitrary<string> = fc.string({ unit: "binary", maxLength: 80 });
export const boundedText = (bytes: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.string({ minLength: 1, maxLength: 24 }),
      fc.string({ unit: "binary", minLength: 1, maxLength: bytes }),
      fc.integer({ min: bytes - 2, max: bytes }).map((length) => "k".repeat(length)),
    )
    .filter((text) => Buffer.byteLength(text) <= bytes);
export const anyBucket: fc.Arbitrary<string> = boundedText(128);
export const anyKey: fc.Arbitrary<string> = boundedText(1024);
export const anyVoice: fc.Arbitrary<Voice> = plainRecord({ seat: fc.nat(15), epoch: anyNumber });
/** Long and short ones: the long ones travel as chunks of their own. */
export const anyValue: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 4000, max: 9000 }).map((length) => new Uint8Array(length).fill(length & 0xff)),
);
export const anyCheck: fc.Arbitrary<number> = fc.nat(0xffff_ffff);
export const anyHash: fc.Arbitrary<Hash64> = plainRecord({ hi: fc.nat(0xffff_ffff), lo: fc.nat(0xffff_ffff) });
