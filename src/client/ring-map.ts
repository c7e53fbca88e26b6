/**
 * The ring as one client knows it: whom to ask for a key so that nobody has to pass the request on (§6.4).
 *
 * It may be stale, and nothing but speed depends on it: whoever is asked checks what it may do, passes on what it may
 * not, and says so. Then it goes behind the others of the key's partition, until a newer ring comes.
 *
 * Hot path.
 */

import type { Hash64 } from "../core/hash/murmur3.ts";
import type { NodeId } from "../core/ids.ts";
import { partitionOf } from "../core/ring/key-hash.ts";
import { placementTime } from "../core/ring/ring.ts";
import type { ClientMember, ClientRing } from "../wire/client-message.ts";

export class RingMap {
  readonly hash: Hash64;
  readonly ring: ClientRing;
  readonly members: ReadonlyMap<NodeId, ClientMember>;
  readonly nodes: readonly NodeId[];
  /** By n, and then by partition. */
  readonly #owners: ReadonlyMap<number, (readonly NodeId[])[]>;
  readonly #copies: ReadonlyMap<string, number>;

  constructor(ring: ClientRing, hash: Hash64) {
    this.ring = ring;
    this.hash = hash;
    this.nodes = ring.members.map(({ node }) => node);
    this.members = new Map(ring.members.map((member) => [member.node, member]));
    this.#copies = new Map(ring.buckets.map(({ bucket, n }) => [bucket, n]));
    this.#owners = new Map(
      ring.owners.map(({ n, partitions }) => [
        n,
        partitions.map((places) => places.map((place) => this.nodes[place] as NodeId)),
      ]),
    );
  }

  /** Who can coordinate requests for the key, the best first; nobody where that is not known. */
  owners(bucket: string, key: string): readonly NodeId[] {
    const partitions = this.#partitionsOf(bucket);
    return partitions?.[partitionOf(bucket, key, partitions.length)] ?? [];
  }

  /** The node could not coordinate a request for the key. */
  demote(bucket: string, key: string, node: NodeId): void {
    const partitions = this.#partitionsOf(bucket);
    if (partitions === undefined) return;
    const partition = partitionOf(bucket, key, partitions.length);
    const owners = partitions[partition] ?? [];
    if (owners[0] === node && owners.length > 1) partitions[partition] = [...owners.slice(1), node];
  }

  /** Whether the other ring is known to be older: another node may not have heard of what this one knew. */
  isNewerThan(other: ClientRing): boolean {
    return placementTime(this.ring.version) > placementTime(other.version);
  }

  #partitionsOf(bucket: string): (readonly NodeId[])[] | undefined {
    return this.#owners.get(this.#copies.get(bucket) ?? this.ring.n);
  }
}
