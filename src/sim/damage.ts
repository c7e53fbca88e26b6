/**
 * What was done to the machines that may cost data by the book: the checkers excuse exactly so much.
 *
 * A write that was acknowledged by w copies on disk survives every crash, and the loss of w-1 disks. One that was
 * acknowledged by copies in memory survives while one of their machines has neither crashed nor failed to write.
 *
 * Of each partition disks are lost one at a time: the next one when the last has copied what the other owners hold. So
 * what two voices held survives any number of them; a copy at a stand-in may not have been there to be copied. A member
 * that was removed counts as a disk that is lost, whatever it still holds.
 *
 * A bucket that was told to keep one copy has each key in one seat before long, and the others drop it: it may go with that
 * one disk, however many voices a write was acknowledged by before.
 */

import type { KeyJournal, WriteEntry } from "./journal.ts";

export interface Loss {
  readonly member: string;
  /** Virtual ms: what the machine held in memory (or on disk) may be gone from here on ... */
  readonly from: number;
  /** ... and what it took before this is not safe either. */
  readonly to: number;
  readonly kind: "memory" | "disk";
}

/** A member that was removed, and from when to when its process ran all the same, in virtual ms. */
export interface Removal {
  readonly from: number;
  readonly until: number;
}

/** An operator told a bucket to keep so many copies, at that virtual ms; nodes hear of it some time later. */
export interface Told {
  readonly bucket: string;
  readonly copies: number;
  readonly at: number;
}

export class Damage {
  readonly losses: Loss[] = [];
  readonly removals: Removal[] = [];
  readonly told: Told[] = [];

  /** How many machines may have lost, from `from` to `to`, what they held on disk, or (if not `synced`) in memory. */
  machinesHit(from: number, to: number, synced: boolean): number {
    const hit = new Set<string>();
    for (const loss of this.losses) {
      if (loss.to >= from && loss.from <= to && (loss.kind === "disk" || !synced)) hit.add(loss.member);
    }
    return hit.size;
  }

  /** Whether a node that was removed may have answered then, alone: nothing tells it, nor whoever asks only it. */
  mayHaveSpokenAlone(from: number, to: number): boolean {
    return this.removals.some((removal) => removal.from <= to && removal.until >= from);
  }

  /** Whether, by the book, an acknowledged write of the key may be gone by then. */
  mayHaveCost({ bucket }: Pick<KeyJournal, "bucket">, write: WriteEntry, until: number): boolean {
    const { began, copies, voices, synced } = write;
    const single = this.told.find((told) => told.bucket === bucket && told.copies === 1 && told.at <= until);
    // Whoever drops his copy has seen that the other is on a disk.
    if (single !== undefined && this.machinesHit(Math.max(began, single.at), until, true) > 0) return true;
    if (synced && voices > 1) return false;
    return this.machinesHit(began, until, synced) >= copies;
  }
}
