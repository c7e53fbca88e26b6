/** `cartwheel repair`: has a node compare its partitions with all their owners, and shows how far it is. */

import { setTimeout as sleep } from "node:timers/promises";
import type { RebuildView, RepairView } from "../node/api.ts";
import type { ViewOptions } from "./cluster-commands.ts";
import { ask, askJson, refused } from "./http-client.ts";
import { exitStatus } from "./usage-error.ts";

/** How often the node is asked, in ms. */
const everyMs = 200;
const path = "/cluster/repair";

/** As `/cluster/repair` has it. */
type Progress = Pick<RepairView, "running" | "leftOut" | "damaged"> & {
  readonly rebuild: Omit<RebuildView, "forced"> & { readonly forced: RebuildView["forced"] | null };
  readonly lastRun: (Omit<NonNullable<RepairView["lastRun"]>, "finishedMs"> & { readonly finished: unknown }) | null;
};

/**
 * Starts a repair, or joins the one that runs, and waits until it is over. Fails where it left something as it was: an
 * owner that could not be had, a damaged key, a voice that is still missing.
 */
export async function repairCommand({ url, json, force }: ViewOptions & { readonly force: boolean }): Promise<number> {
  const started = await ask({ url, method: "POST", path: force ? `${path}?force=true` : path });
  if (started.status !== 202) throw refused(started);
  let progress = JSON.parse(started.body.toString()) as Progress;
  let shown = "";
  while (progress.running) {
    await sleep(everyMs);
    progress = (await askJson(url, path)) as Progress;
    const line = lineOf(progress);
    if (progress.running && line !== shown && process.stderr.isTTY) process.stderr.write(`${line}\n`);
    shown = line;
  }
  const said = [lineOf(progress), ...leftLines(progress), ...rebuildLines(progress)].join("\n");
  process.stdout.write(`${json ? JSON.stringify(progress, undefined, 2) : said}\n`);
  const { leftOut, damaged, rebuild } = progress;
  const isWhole = leftOut.length === 0 && damaged.waiting === 0 && !rebuild.running;
  return isWhole ? exitStatus.done : exitStatus.failed;
}

/** What the run could not do. */
export function leftLines({ leftOut, damaged }: Pick<Progress, "leftOut" | "damaged">): readonly string[] {
  const lines = leftOut.map(({ name, why }) => `not compared with ${name}: ${why}`);
  if (damaged.waiting > 0) {
    const keys = damaged.waiting === 1 ? "1 damaged key is" : `${damaged.waiting} damaged keys are`;
    lines.push(`${keys} refused here until the other owners have said what they hold; the log names them`);
  }
  return lines;
}

/** What there is to say of a node whose disk was lost. */
function rebuildLines({ rebuild }: Progress): readonly string[] {
  const { seats, voices, running, waitingFor, forced } = rebuild;
  const lines = waitingFor.map(({ name, partitions, why }) => `  ${name}, for ${partitions} partitions: ${why}`);
  if (running) lines.unshift(`it speaks for ${voices} of its ${seats} seats, and waits for copies of:`);
  if (running)
    lines.push("where a copy cannot be had any more, repair --force goes on without it, and may lose writes");
  if (forced !== null && forced !== undefined) {
    lines.push(`voices in ${forced.partitions} partitions were taken by force; ${forced.mayBeLost} may be lost`);
  }
  return lines;
}

function lineOf({ running, lastRun }: Progress): string {
  if (lastRun === null) return "nothing compared";
  const { partitionsCompared, keysCompared, keysRepaired, bytesSent, bytesReceived } = lastRun;
  // Once for each owner that a partition was compared with: three times a partition of which there are four copies.
  const copies = partitionsCompared === 1 ? "1 other copy" : `${partitionsCompared} other copies`;
  const done = `compared with ${copies} of its partitions, ${keysCompared} keys looked at, ${keysRepaired} repaired`;
  return `${running ? "so far " : ""}${done}; ${bytesSent} bytes sent, ${bytesReceived} received`;
}
