/** How a stored record goes that is for others to keep: out of the store, and of the trees and all who follow it. */

import { MalformedBytes } from "../core/bytes/byte-reader.ts";
import { emptySiblingSet } from "../core/causality/sibling-set.ts";
import { damagedKey, parseDataKey } from "../storage/store-key.ts";
import type { WriteBuffer } from "../storage/write-buffer.ts";
import { decodeRecord } from "../wire/record.ts";
import type { Coordination } from "./coordination.ts";
import { placeOf } from "./key-place.ts";
import type { StoredStates } from "./trees.ts";

/** Where the record is, and who hears of it. */
export interface Dropping {
  readonly node: Coordination;
  readonly buffer: WriteBuffer;
  readonly states: StoredStates;
}

/** Deletes the record, in this turn. */
export function dropRecord({ node, buffer, states }: Dropping, storeKey: Uint8Array, record: Uint8Array): void {
  try {
    const { bucket, key } = parseDataKey(storeKey);
    const place = placeOf(bucket, key, node.ring().settings.partitions);
    const { state } = decodeRecord(record, storeKey, node.runtime.checksum);
    buffer.put(place.storeKey, undefined);
    states.stored(place, state, emptySiblingSet);
  } catch (error) {
    // A damaged record is in no tree.
    if (!(error instanceof MalformedBytes)) throw error;
    buffer.put(damagedKey(storeKey), undefined);
  }
}
