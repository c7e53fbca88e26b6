/**
 * What a sync of this disk takes by itself, in the same minutes as a run: without it, nobody can tell a slow store from
 * a slow disk.
 */

import { closeSync, fdatasync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Histogram } from "./histogram.ts";

/** One group's worth: a few values. */
const writeBytes = 4096;
const mostSyncs = 300;
const mostMs = 2000;

/** Appends and syncs, one after the other, for at most two seconds. */
export async function syncLatency(directory: string): Promise<Histogram> {
  const path = join(directory, `cartwheel-sync-${process.pid}`);
  const file = openSync(path, "wx");
  const histogram = new Histogram();
  const bytes = Buffer.alloc(writeBytes, 1);
  const endsMs = performance.now() + mostMs;
  try {
    for (let i = 0; i < mostSyncs && performance.now() < endsMs; i++) {
      const beganMs = performance.now();
      writeSync(file, bytes);
      await new Promise<void>((resolve, reject) => {
        fdatasync(file, (error) => (error === null ? resolve() : reject(error)));
      });
      histogram.record((performance.now() - beganMs) * 1000);
    }
  } finally {
    closeSync(file);
    rmSync(path);
  }
  return histogram;
}
