/** `cartwheel history`: every change of the cluster, who accepted it, and when. */

import type { ViewOptions } from "./cluster-commands.ts";
import { askJson } from "./http-client.ts";
import { table } from "./table.ts";
import { exitStatus } from "./usage-error.ts";

/** As `/cluster/history` has it. */
interface ShownEvent {
  readonly at: string;
  readonly author: string;
  readonly kind: string;
  readonly member?: string;
  readonly [detail: string]: unknown;
}

/** Asks the node and prints a line an event, the oldest first. */
export async function historyCommand({ url, json }: ViewOptions): Promise<number> {
  const view = (await askJson(url, "/cluster/history")) as { readonly events: readonly ShownEvent[] };
  process.stdout.write(json ? `${JSON.stringify(view, undefined, 2)}\n` : historyText(view.events));
  return exitStatus.done;
}

/** The events as people read them. */
function historyText(events: readonly ShownEvent[]): string {
  const rows = events.map(({ name: _, at, author, kind, member, ...details }) => {
    const told = Object.entries(details).map(([what, value]) => {
      return `${what} ${typeof value === "string" ? value || "-" : JSON.stringify(value)}`;
    });
    return [at, author, kind, member ?? "-", told.join(", ")];
  });
  return table([["WHEN", "ACCEPTED BY", "WHAT", "MEMBER", "DETAILS"], ...rows]);
}
