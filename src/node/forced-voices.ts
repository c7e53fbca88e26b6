/**
 * Takes voices without the copies that cannot be had any more, because an operator says so: those of seats that this node
 * rebuilds (`rebuild.ts`) or vacates (`vacating.ts`), and of those who are gone, to which this node is promised.
 *
 * What is done without is lost where nobody else has it. So it is only the copies of those who are down, or have no voice
 * themselves. Who is up and refuses at the moment, or does not answer, helps another rebuild perhaps: such a one is
 * asked again for a while, and if that does not help, the operator is told whose copy it is, and what it says.
 */

import type { PartitionId } from "../core/ids.ts";
import { promises, releaseGrant } from "../core/seats/rebuild.ts";
import type { Grant } from "../core/seats/record.ts";
import { Pause } from "../runtime/pause.ts";
import type { ForcedVoices, LeftOut } from "./api.ts";
import { type Coordination, nameOf } from "./coordination.ts";
import type { Delay } from "./hand-over.ts";
import type { Rebuilds } from "./rebuild.ts";
import type { Vacating } from "./vacating.ts";

/** How long those who are up are asked again after anything was got, and how often, in ms. */
const patienceMs = 20_000;
const retryMs = 500;

const elsewhere: Delay = { peer: undefined, why: "something else is done there" };

/** What is done in the partitions meanwhile. */
export interface PartitionTurns {
  /** Runs it unless something else is done in the partition. */
  alone(partition: PartitionId, act: () => Promise<Delay | undefined>): Promise<Delay | undefined | "busy">;
  isStopped(): boolean;
}

export class VoicesByForce {
  readonly #node: Coordination;
  readonly #rebuilds: Rebuilds;
  readonly #vacating: Vacating;
  readonly #seatToRebuild: (partition: PartitionId) => number | undefined;
  readonly #withoutVacated: Set<string> = new Set();
  /** A seat was vacated, or a promise ended: what may be lost is not, or not only, this node's. */
  #isOfOthers = false;
  #partitions = 0;

  constructor(
    node: Coordination,
    parts: { readonly rebuilds: Rebuilds; readonly vacating: Vacating },
    seatToRebuild: (partition: PartitionId) => number | undefined,
  ) {
    this.#node = node;
    this.#rebuilds = parts.rebuilds;
    this.#vacating = parts.vacating;
    this.#seatToRebuild = seatToRebuild;
  }

  /** What was taken since the start. */
  get taken(): ForcedVoices | undefined {
    if (this.#partitions === 0) return undefined;
    const { ring, self } = this.#node;
    const without = [...new Set([...this.#rebuilds.without, ...this.#withoutVacated])];
    const lost = this.#isOfOthers ? "those who were removed" : `${nameOf(ring(), self)}'s lost disk`;
    const mayBeLost = `writes that were acknowledged by ${[lost, ...without].join(" and ")} alone`;
    return { partitions: this.#partitions, without, mayBeLost };
  }

  /** Takes what it can; whose copies it could not have, nor do without. Rejects with `StorageError`. */
  async take(turns: PartitionTurns): Promise<readonly LeftOut[]> {
    const { seats, runtime } = this.#node;
    const { clock, log } = runtime;
    const pause = new Pause(clock);
    const before = this.#partitions;
    let left: ReadonlyMap<PartitionId, Delay> = new Map();
    let partitions = seats.partitions;
    for (let endsMs = clock.monotonicMs() + patienceMs; ; await pause.wait(retryMs)) {
      left = await this.#each(partitions, turns, left);
      if (left.size === 0 || turns.isStopped()) break;
      if (left.size < partitions.length) endsMs = clock.monotonicMs() + patienceMs;
      else if (clock.monotonicMs() >= endsMs) break;
      partitions = [...left.keys()];
    }
    if (this.#partitions > before) log.warn("voices are taken by force", { ...this.taken });
    const notHad = this.#notHad([...left.values()]);
    if (notHad.length > 0) log.warn("voices cannot be taken without those who are up", { notHad });
    return notHad;
  }

  /** Why not, in partitions in which something is left to do; `before` is what it was the last time. */
  async #each(
    partitions: readonly PartitionId[],
    turns: PartitionTurns,
    before: ReadonlyMap<PartitionId, Delay>,
  ): Promise<ReadonlyMap<PartitionId, Delay>> {
    const left = new Map<PartitionId, Delay>();
    for (const partition of partitions) {
      if (turns.isStopped()) break;
      const seat = this.#seatToRebuild(partition);
      if (seat === undefined && !this.#vacating.isToForce(partition) && this.#inVain(partition).length === 0) continue;
      const delay = await turns.alone(partition, () => this.#takeOne(partition, seat));
      if (delay === undefined) this.#partitions += 1;
      else left.set(partition, delay === "busy" ? (before.get(partition) ?? elsewhere) : delay);
    }
    return left;
  }

  async #takeOne(partition: PartitionId, seat: number | undefined): Promise<Delay | undefined> {
    const delay = await this.#forgetThoseGone(partition);
    if (delay !== undefined || (seat === undefined && !this.#vacating.isToForce(partition))) return delay;
    if (seat !== undefined) return this.#rebuilds.rebuild(partition, seat, true);
    const vacated = await this.#vacating.force(partition, (name) => this.#withoutVacated.add(name));
    if (vacated === undefined) this.#isOfOthers = true;
    return vacated;
  }

  /** What is promised to those who are gone: they may have spoken, and only an operator can say that this does not matter. */
  #inVain(partition: PartitionId): readonly Grant[] {
    const { seats, isGone } = this.#node;
    return promises(seats.record(partition)).filter(({ by }) => isGone(by));
  }

  async #forgetThoseGone(partition: PartitionId): Promise<Delay | undefined> {
    const { seats, ring } = this.#node;
    const gone = this.#inVain(partition);
    if (gone.length === 0) return undefined;
    const freed = await seats.change(partition, (record) => gone.reduce(releaseGrant, record));
    if (freed === undefined) return { peer: undefined, why: "this node cannot store it" };
    for (const { by } of gone) this.#withoutVacated.add(nameOf(ring(), by));
    this.#isOfOthers = true;
    return undefined;
  }

  #notHad(delays: readonly Delay[]): readonly LeftOut[] {
    const { ring, self } = this.#node;
    const told = new Map<string, LeftOut & { readonly partitions: number }>();
    for (const { peer, why } of delays) {
      const name = nameOf(ring(), peer ?? self);
      const partitions = (told.get(`${name} ${why}`)?.partitions ?? 0) + 1;
      told.set(`${name} ${why}`, { name, why, partitions });
    }
    return [...told.values()].map(({ name, why, partitions }) => {
      return { name, why: `force does not go without one that is up, in ${partitions} partitions: ${why}` };
    });
  }
}
