/**
 * What was done to the machines that may cost data by the book: the checkers excuse exactly so much.
 *
 * A write that was acknowledged by w copies on disk survives every crash, and the loss of w-1 disks. One that was
 * acknowledged by copies in memory survives while one of their machines has neither crashed nor failed to write.
 */

export interface Loss {
  readonly member: string;
  /** Virtual ms: what the machine held in memory (or on disk) may be gone from here on ... */
  readonly from: number;
  /** ... and what it took before this is not safe either. */
  readonly to: number;
  readonly kind: "memory" | "disk";
}

export class Damage {
  readonly losses: Loss[] = [];

  /** How many machines may have lost, from `from` to `to`, what they held on disk, or (if not `synced`) in memory. */
  machinesHit(from: number, to: number, synced: boolean): number {
    const hit = new Set<string>();
    for (const loss of this.losses) {
      if (loss.to >= from && loss.from <= to && (loss.kind === "disk" || !synced)) hit.add(loss.member);
    }
    return hit.size;
  }

  isWiped(member: string): boolean {
    return this.losses.some((loss) => loss.kind === "disk" && loss.member === member);
  }

  /** How many machines came back with an empty disk, and so without a voice. */
  get wiped(): number {
    return new Set(this.losses.filter(({ kind }) => kind === "disk").map(({ member }) => member)).size;
  }
}
