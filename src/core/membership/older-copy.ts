/**
 * What a node hears of itself may prove that its directory is an older copy (a restored backup): what a node says of
 * itself is on its disk before anybody hears it, so it cannot hear anything newer than it knows.
 */

import type { NodeId } from "../ids.ts";
import { compareEventNames, eventName, type History } from "./history.ts";
import { type RecordVersion, welcomeVersion } from "./node-record.ts";

/** What a node knows of itself. */
export interface OwnVersion extends RecordVersion {
  /** The id that its directory drew when it was made. */
  readonly directory: NodeId;
}

/** Whether the record proves it. A sponsor's welcome is no word of the node's own. */
export function provesOlderCopy(record: RecordVersion, own: OwnVersion, history: History): boolean {
  if (record.node !== own.node || record.version <= welcomeVersion) return false;
  if (record.incarnation === own.incarnation) return record.version > own.version;
  // Or one of a later join of the very same directory, which a copy from before it has not heard of.
  const joined = history.find((event) => eventName(event) === record.incarnation);
  const isLater = compareEventNames(record.incarnation, own.incarnation) > 0 && joined?.kind === "join";
  return isLater && joined.directory === own.directory;
}
