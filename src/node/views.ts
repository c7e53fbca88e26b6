/**
 * What a node shows of the cluster as it sees it: the answers of `/cluster`, `/cluster/ring` and `/cluster/locate`,
 * and of the commands that print them. "Up" is this node's opinion of the moment and never leaves it as truth (§4.8).
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import type { NodeRecord } from "../core/membership/node-record.ts";
import { readRequirement, writeRequirement } from "../core/quorum/requirement.ts";
import { keyHash } from "../core/ring/key-hash.ts";
import { bucketSettings } from "../core/ring/preference-list.ts";
import type { Member, Ring } from "../core/ring/ring.ts";
import type { ClusterView, HintsView, LocateView, MemberView, RingView } from "./api.ts";
import type { Hints } from "./hints.ts";
import { placeOf } from "./key-place.ts";
import type { SeatShare } from "./seat-shares.ts";
import type { Seats } from "./seats.ts";

export interface Seen {
  readonly ring: Ring;
  /** The name of the node that looks. */
  readonly name: string;
  readonly software: string;
  recordOf(node: NodeId): NodeRecord | undefined;
  isUp(node: NodeId): boolean;
  /** What is known of who holds which seat. */
  readonly seats: Pick<Seats, "owners" | "order">;
  /** Each member's share of the seats. */
  readonly shares: ReadonlyMap<NodeId, SeatShare>;
  /** Seats that are not with those who shall hold them yet. */
  readonly pendingTransfers: number;
  /** Hints held here. */
  readonly hintsHeld: number;
}

/** The cluster as this node sees it: who belongs to it, and whom it can reach. */
export function clusterView(seen: Seen): ClusterView {
  const { ring, name, software } = seen;
  const bucket = bucketSettings(ring, "");
  const size = Math.min(bucket.n, ring.size);
  const read = readRequirement(bucket, {}, ring);
  const write = writeRequirement(bucket, {}, ring);
  return {
    name,
    cluster: ring.cluster,
    version: software,
    ringVersion: ring.version,
    partitions: ring.settings.partitions,
    members: [...ring.members.values()].map((member) =>
      memberView(seen, member, seen.shares.get(member.node) ?? noShare),
    ),
    pendingTransfers: seen.pendingTransfers,
    hints: seen.hintsHeld,
    quorum: {
      n: size,
      r: read.kind === "read" ? read.answers : 0,
      w: write.kind === "write" ? write.answers : 0,
    },
  };
}

/** What a process shows that is no member yet. */
export function emptyClusterView(name: string, software: string): ClusterView {
  return {
    name,
    cluster: "",
    version: software,
    ringVersion: 0,
    partitions: 0,
    members: [],
    pendingTransfers: 0,
    hints: 0,
    quorum: { n: 0, r: 0, w: 0 },
  };
}

/** What waits here for whom (§4.6). An owner that is no member any more goes by its id. */
export function hintsView({ ring, isUp }: Seen, hints: Pick<Hints, "waiting" | "areCounted">): HintsView {
  const waiting = hints.waiting().map(({ owner, ...rest }) => {
    const member = ring.members.get(owner);
    const status = member === undefined ? "departed" : isUp(owner) ? "up" : "down";
    return { owner: member?.name ?? owner, status, ...rest } as const;
  });
  return { areCounted: hints.areCounted, waiting };
}

/** Every partition with its owners, as far as is known, and the fallbacks behind them. */
export function ringView({ ring, seats }: Seen): RingView {
  return {
    partitions: ring.seats.map((_, id) => {
      const order = seats.order({ partition: id as PartitionId, bucket: "" });
      return { id, owner: nameOf(ring, order[0]), preferenceList: order.map((node) => nameOf(ring, node)) };
    }),
  };
}

/** Where a key lives, and who is to be asked for it. */
export function locateView(seen: Seen, bucket: string, key: string): LocateView {
  const { ring } = seen;
  const { partition } = placeOf(bucket, key, ring.settings.partitions);
  const { hi, lo } = keyHash(bucket, key);
  const owners = new Set(seen.seats.owners({ partition, bucket }).map(({ node }) => node));
  return {
    bucket,
    key,
    hash: hex32(hi) + hex32(lo),
    partition,
    n: owners.size,
    preferenceList: seen.seats.order({ partition, bucket }).map((node) => {
      return { name: nameOf(ring, node), role: owners.has(node) ? "owner" : "fallback", isUp: seen.isUp(node) };
    }),
  };
}

const noShare: SeatShare = { wanted: 0, held: 0 };

function memberView(seen: Seen, member: Member, share: SeatShare): MemberView {
  const record = seen.recordOf(member.node);
  return {
    id: member.node,
    name: member.name,
    status: statusOf(seen, member, share),
    zone: member.zone,
    capacity: member.capacity,
    partitions: share.wanted,
    peer: record?.peer ?? "",
    http: record?.http ?? "",
  };
}

/** Who has less than half of its share is still joining: most of what it is to keep is not to be had of it yet. */
function statusOf(seen: Seen, { node, isLeaving }: Member, { wanted, held }: SeatShare): MemberView["status"] {
  if (!seen.isUp(node)) return "down";
  if (isLeaving) return "leaving";
  return held * 2 < wanted ? "joining" : "up";
}

function nameOf(ring: Ring, node: NodeId | undefined): string {
  return (node === undefined ? undefined : ring.members.get(node)?.name) ?? "";
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
