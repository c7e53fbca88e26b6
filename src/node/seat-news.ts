/**
 * How nodes hear of seats (§4.8.1): whoever has news of a partition tells those whom it concerns at once, and gossip
 * finds what they missed, by the hash of each partition. What is known merges, so it matters neither who tells whom nor
 * how often.
 */

import type { NodeId, PartitionId } from "../core/ids.ts";
import { hashOfKnown } from "../core/seats/known-hash.ts";
import type { Peers } from "../rpc/peers.ts";
import type { TaskGroup } from "../runtime/task-group.ts";
import type { Answer, CompareSeats, PartitionSeats, Request, SeatsTold } from "../wire/message.ts";
import type { NoAnswer } from "./member-calls.ts";
import type { Seats } from "./seats.ts";

/** Partitions told of with one message. */
const mostTold = 1000;
const callTimeoutMs = 2000;

type Ask = (request: Request) => Promise<Answer | NoAnswer>;

export class SeatNews {
  readonly #seats: Seats;
  readonly #peers: Peers;
  readonly #tasks: TaskGroup;
  readonly #self: () => NodeId;

  constructor(seats: Seats, peers: Peers, tasks: TaskGroup, self: () => NodeId) {
    this.#seats = seats;
    this.#peers = peers;
    this.#tasks = tasks;
    this.#self = self;
  }

  /** Tells the partition's holders, and these nodes, what this one knows of it. */
  tell(partition: PartitionId, also: readonly NodeId[]): void {
    const known = this.#seats.known(partition);
    const concerned = new Set([...also, ...known.flatMap(({ holder }) => holder ?? [])]);
    concerned.delete(this.#self());
    const told: SeatsTold = { kind: "seats-told", id: 0, seats: [{ partition, known }] };
    for (const node of concerned) {
      this.#tasks.run("telling of seats", async () => {
        await this.#peers.ask(node, told, callTimeoutMs);
      });
    }
  }

  /** Brings this node and the one that is asked to know the same. */
  async exchange(ask: Ask): Promise<void> {
    const answer = await ask({ kind: "compare-seats", id: 0, hashes: this.#seats.hashes() });
    if (answer.kind !== "seats-told") return;
    this.take(answer);
    const news = answer.seats.flatMap(({ partition, known }): PartitionSeats[] => {
      const isMore = hashOfKnown(known) !== this.#seats.hash(partition);
      return isMore ? [{ partition, known: this.#seats.known(partition) }] : [];
    });
    if (news.length > 0) await ask({ kind: "seats-told", id: 0, seats: news });
  }

  /** What this node knows of the partitions that the asker knows otherwise. */
  answer({ id, hashes }: CompareSeats): SeatsTold {
    const differing = this.#seats.table().filter(({ partition }) => this.#seats.hash(partition) !== hashes[partition]);
    return { kind: "seats-told", id, seats: differing.slice(0, mostTold) };
  }

  take({ seats }: SeatsTold): void {
    for (const { partition, known } of seats) this.#seats.learn(partition, known);
  }
}
