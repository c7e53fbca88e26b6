/** `cartwheel hints`: what a node keeps for members that it could not reach, how much and how old. */

import type { HintsView } from "../node/api.ts";
import type { ViewOptions } from "./cluster-commands.ts";
import { askJson } from "./http-client.ts";
import { table } from "./table.ts";
import { exitStatus } from "./usage-error.ts";

/** Asks the node and prints a line for every member that something waits for. */
export async function hintsCommand({ url, json }: ViewOptions): Promise<number> {
  const view = (await askJson(url, "/cluster/hints")) as HintsView;
  process.stdout.write(json ? `${JSON.stringify(view, undefined, 2)}\n` : hintsText(view));
  return exitStatus.done;
}

/** The view as people read it. */
export function hintsText({ areCounted, waiting }: HintsView): string {
  const counting = areCounted ? "" : "the node is still counting: there may be more\n";
  if (waiting.length === 0) return areCounted ? "no hints: nothing waits here for another member\n" : counting;
  const rows = waiting.map(({ owner, status, hints, bytes, oldestMs }) => [
    owner,
    status,
    String(hints),
    inBytes(bytes),
    inTime(oldestMs),
  ]);
  return table([["WAITS FOR", "STATUS", "KEYS", "SIZE", "OLDEST"], ...rows], [2, 3, 4]) + counting;
}

/** A size in the unit that suits it. */
export function inBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let amount = bytes;
  let unit = 0;
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024;
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`;
}

/** A time in the unit that suits it. */
export function inTime(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}
