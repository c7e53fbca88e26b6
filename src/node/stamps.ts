/**
 * This node's stamp, and those that others have shown it (`core/membership/stamp.ts`): how a directory is found out
 * that is an older copy of itself.
 *
 * The naive way is to have every node spread with gossip that it is written to. Then some record is always new in a
 * large cluster, and each node hears of each other every half minute for no purpose. Here a node shows its stamp with the
 * questions of gossip, so within a minute some sixty others have seen the newest one, in a small cluster all; a copy that
 * starts asks every member, and one that has seen more is enough.
 *
 * Invariant: nobody is shown a stamp that is not on this node's disk.
 */

import type { NodeId } from "../core/ids.ts";
import { isForgotten, laterStamp, type Stamp } from "../core/membership/stamp.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { TaskGroup } from "../runtime/task-group.ts";
import { isDiskFull, StorageError } from "../storage/engine.ts";
import type { MetaStore } from "../storage/meta-store.ts";
import type { Membership } from "./membership.ts";
import { asJson, readJson, stampName } from "./membership-store.ts";

export class Stamps {
  readonly #membership: Membership;
  readonly #meta: MetaStore;
  readonly #clock: Clock;
  readonly #tasks: TaskGroup;
  /** What the disk says, as far as somebody asked; this node's own among them. */
  readonly #stamps: Map<NodeId, Stamp | undefined> = new Map();

  constructor(membership: Membership, meta: MetaStore, { clock, log }: Runtime) {
    this.#membership = membership;
    this.#meta = meta;
    this.#clock = clock;
    this.#tasks = new TaskGroup(log);
  }

  /** What this node shows. It is the directory's, whichever of its incarnations came to be in force. */
  get own(): Stamp {
    const { self: node, incarnation } = this.#membership;
    return { node, incarnation, stamp: this.#stampOf(node)?.stamp ?? 0 };
  }

  /** Raises it: every copy of this directory that was made before is an older one. Rejects with `StorageError`. */
  async raise(): Promise<void> {
    const { own } = this;
    const raised: Stamp = { ...own, stamp: Math.max(own.stamp + 1, this.#clock.wallMs()) };
    await this.#meta.put([asJson(stampName(raised.node), raised)]);
    this.#stamps.set(raised.node, raised);
  }

  /** A node shows its stamp. The greater one that it has shown before, if there is one: it has forgotten that. */
  see(shown: Stamp): number | undefined {
    const { node } = shown;
    const { ring, self } = this.#membership;
    // A process on a copy of this very directory: who is the older one is found out by others.
    if (node === self || !ring.members.has(node)) return undefined;
    const before = this.#stampOf(node);
    if (before !== undefined && isForgotten(shown, before)) return before.stamp;
    const later = before === undefined ? shown : laterStamp(shown, before);
    if (later.stamp === before?.stamp && later.incarnation === before.incarnation) return undefined;
    this.#stamps.set(node, later);
    // What is lost with a crash is one witness of many.
    this.#tasks.run("keeping a stamp", () => this.#keep(later));
    return undefined;
  }

  /** Resolves when nothing is being stored any more. */
  stop(): Promise<void> {
    return this.#tasks.close();
  }

  #stampOf(node: NodeId): Stamp | undefined {
    if (!this.#stamps.has(node)) this.#stamps.set(node, this.#read(node));
    return this.#stamps.get(node);
  }

  /** A damaged one is none: others have seen this node's own, and of theirs there are other witnesses. */
  #read(node: NodeId): Stamp | undefined {
    try {
      return readJson(this.#meta, stampName(node)) as Stamp | undefined;
    } catch (error) {
      if (error instanceof StorageError && error.code === "corrupt") return undefined;
      throw error;
    }
  }

  async #keep(stamp: Stamp): Promise<void> {
    try {
      await this.#meta.put([asJson(stampName(stamp.node), stamp)]);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }
}
