/**
 * The ring as clients are told it, so that they go straight to a node that can coordinate their request (§6.4).
 *
 * It is advice: a client that asks the wrong node costs one hop more, and is told so. So it names who holds the seats as
 * far as this node knows, not what the ring wants, and puts this node last where it has no voice: what others can vouch
 * for, they know better.
 *
 * Made anew only after something changed, since many clients ask every few seconds whether anything has.
 */

import { ByteWriter } from "../core/bytes/byte-writer.ts";
import { type Hash64, hash64 } from "../core/hash/murmur3.ts";
import type { NodeId, PartitionId } from "../core/ids.ts";
import { defaultBucketSettings } from "../core/settings.ts";
import { writeClientRing } from "../wire/client-codec.ts";
import type { ClientMember, ClientOwners, ClientRing } from "../wire/client-message.ts";
import type { Membership } from "./membership.ts";
import type { Seats } from "./seats.ts";

export interface ToldRing {
  readonly ring: ClientRing;
  /** Names what it says: equal for equal rings only. */
  readonly hash: Hash64;
}

export class ClientRings {
  readonly #membership: Membership;
  readonly #seats: Seats;
  readonly #valueBytes: number;
  #told: ToldRing | undefined;

  constructor(membership: Membership, seats: Seats, valueBytes: number) {
    this.#membership = membership;
    this.#seats = seats;
    this.#valueBytes = valueBytes;
    membership.onChange(() => this.#forget());
    seats.onChange(() => this.#forget());
  }

  /** For members only. */
  now(): ToldRing {
    this.#told ??= this.#make();
    return this.#told;
  }

  #forget(): void {
    this.#told = undefined;
  }

  #make(): ToldRing {
    const { ring } = this.#membership;
    const { n } = defaultBucketSettings(ring.settings);
    const members = this.#members();
    const places = new Map(members.map(({ node }, place) => [node, place]));
    const told: ClientRing = {
      version: ring.version,
      cluster: ring.cluster,
      valueBytes: this.#valueBytes,
      members,
      n,
      buckets: [...ring.buckets].filter(([, settings]) => settings.n !== n).map(([bucket, s]) => ({ bucket, n: s.n })),
      owners: ring.copies.map((copies) => this.#owners(copies, places)),
    };
    const writer = new ByteWriter();
    writeClientRing(writer, told);
    return { ring: told, hash: hash64(writer.view()) };
  }

  /** Those whose address is known. */
  #members(): readonly ClientMember[] {
    const { ring } = this.#membership;
    return [...ring.members.values()].flatMap(({ node, name, zone }) => {
      const address = this.#membership.addressOf(node);
      return address === undefined || address === "" ? [] : [{ node, name, zone, address }];
    });
  }

  #owners(n: number, places: ReadonlyMap<NodeId, number>): ClientOwners {
    const partitions = this.#seats.partitions.map((partition) => {
      const asked = this.#seats.askedFor(partition, n).filter(({ isVacant }) => !isVacant);
      const nodes = this.#voicelessLast(
        partition,
        asked.map(({ node }) => node),
      );
      return [...new Set(nodes)].flatMap((node) => places.get(node) ?? []);
    });
    return { n, partitions };
  }

  #voicelessLast(partition: PartitionId, nodes: readonly NodeId[]): readonly NodeId[] {
    const { self } = this.#membership;
    if (!nodes.includes(self) || this.#seats.voiceIn(partition) !== undefined) return nodes;
    return [...nodes.filter((node) => node !== self), self];
  }
}
