/** Puts together what brings seats to those who shall hold them. */

import type { WriteBuffer } from "../storage/write-buffer.ts";
import type { Coordination } from "./coordination.ts";
import type { EmptyPartitions } from "./empty-partitions.ts";
import { Fillings } from "./fillings.ts";
import { HandOvers } from "./hand-over.ts";
import type { LeafScan } from "./leaf-scan.ts";
import type { Membership } from "./membership.ts";
import { PartitionCopies } from "./partition-copies.ts";
import type { PendingSeats } from "./pending-seats.ts";
import { Rebuilds } from "./rebuild.ts";
import type { SeatNews } from "./seat-news.ts";
import { SeatUpkeep } from "./seat-upkeep.ts";
import { Surplus } from "./surplus.ts";
import { Transfer } from "./transfer.ts";
import type { StoredStates, Trees } from "./trees.ts";
import { Vacating } from "./vacating.ts";

/** What of a node it works on. */
export interface TransferSurroundings {
  readonly node: Coordination;
  readonly membership: Membership;
  readonly trees: Trees;
  readonly scan: LeafScan;
  readonly buffer: WriteBuffer;
  /** Hears of every record that is dropped. */
  readonly states: StoredStates;
  readonly news: SeatNews;
  readonly pending: PendingSeats;
  /** Hears of every record that is stored, too. */
  readonly empty: EmptyPartitions;
}

/** A transfer that looks again whenever the ring changes. */
export function newTransfer(of: TransferSurroundings): Transfer {
  const { node, membership, trees, scan, buffer, states, news, pending, empty } = of;
  const copies = new PartitionCopies(node, trees, scan, buffer);
  const rebuilds = new Rebuilds(node, copies, news);
  const transfer = new Transfer(node, {
    copies,
    handOvers: new HandOvers(node, copies, news, () => membership.incarnation),
    rebuilds,
    fillings: new Fillings(node, copies, news),
    vacating: new Vacating(node, copies, rebuilds, news),
    upkeep: new SeatUpkeep({ node, copies, buffer, states, empty }),
    surplus: new Surplus(node, copies, buffer, states, trees),
    pending,
  });
  membership.onChange(({ history }) => {
    if (history) transfer.hurry();
  });
  return transfer;
}
