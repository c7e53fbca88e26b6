/** `cartwheel transfers`: the seats that a node takes or gives away, how far that is, and what it waits for. */

import type { TransfersView, TransferView } from "../node/api.ts";
import type { ViewOptions } from "./cluster-commands.ts";
import { inBytes, inTime } from "./hints-command.ts";
import { askJson } from "./http-client.ts";
import { table } from "./table.ts";
import { exitStatus } from "./usage-error.ts";

/** Asks the node and prints a line for each kind of transfer and reason to wait. */
export async function transfersCommand({ url, json }: ViewOptions): Promise<number> {
  const view = (await askJson(url, "/cluster/transfers")) as TransfersView;
  process.stdout.write(json ? `${JSON.stringify(view, undefined, 2)}\n` : transfersText(view));
  return exitStatus.done;
}

/** The view as people read it: partitions that wait for the same are one line. */
export function transfersText({ pending, transfers }: TransfersView): string {
  const whole = `${pending} seats of the cluster are not where they shall be\n`;
  if (transfers.length === 0) return `no transfers: this node has nothing to take or to give away\n${whole}`;
  const groups = new Map<string, TransferView[]>();
  for (const transfer of transfers) {
    const name = `${transfer.kind} ${reasonOf(transfer)}`;
    groups.set(name, [...(groups.get(name) ?? []), transfer]);
  }
  const rows = [...groups.values()].map((group) => {
    const [first] = group as [TransferView];
    const sum = (of: (transfer: TransferView) => number): number => group.reduce((all, one) => all + of(one), 0);
    const ageMs = Math.max(...group.map((one) => one.ageMs));
    const bytes = sum((one) => one.bytesReceived);
    const rate = ageMs === 0 ? "-" : `${inBytes(Math.round((bytes * 1000) / ageMs))}/s`;
    const copied = `${sum((one) => one.keysCopied)} of ${sum((one) => one.keysCompared)}`;
    return [first.kind, String(group.length), copied, inBytes(bytes), rate, inTime(ageMs), reasonOf(first)];
  });
  return (
    table([["WHAT", "PARTITIONS", "KEYS", "SIZE", "RATE", "SINCE", "WAITS FOR"], ...rows], [1, 2, 3, 4, 5]) + whole
  );
}

function reasonOf({ running, why, waitsFor }: TransferView): string {
  if (running || why === "") return "-";
  return waitsFor === "" ? why : `${waitsFor}: ${why}`;
}
