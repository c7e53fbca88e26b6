/** `cartwheel status`, `members` and `ring`: the cluster as one node sees it. */

import type { ClusterView, RingView } from "../node/api.ts";
import { askJson } from "./http-client.ts";
import { table } from "./table.ts";
import { exitStatus } from "./usage-error.ts";

/** What these commands need to know. */
export interface ViewOptions {
  readonly url: string;
  readonly json: boolean;
}

/** Cluster, quorum and members. */
export async function statusCommand(options: ViewOptions): Promise<number> {
  const view = (await askJson(options.url, "/cluster")) as ClusterView;
  if (options.json) return printJson(view);
  const { n, r, w } = view.quorum;
  // Who joins or leaves is up, too: every other status is of a member that answers.
  const up = view.members.filter((member) => member.status !== "down").length;
  const rows = [
    ["asked", `${view.name} at ${options.url}, version ${view.version}`],
    ["cluster", view.cluster],
    ["ring", `version ${view.ringVersion}, ${view.partitions} partitions`],
    ["quorum", `n ${n}, r ${r}, w ${w}`],
    ["members", `${view.members.length}, of which ${up} up`],
    ["transfers", String(view.pendingTransfers)],
    ["hints", `${view.hints} held by ${view.name}`],
  ];
  process.stdout.write(`${table(rows)}\n${membersTable(view)}`);
  return exitStatus.done;
}

/** The members alone. */
export async function membersCommand(options: ViewOptions): Promise<number> {
  const view = (await askJson(options.url, "/cluster")) as ClusterView;
  if (options.json) return printJson(view.members);
  process.stdout.write(membersTable(view));
  return exitStatus.done;
}

/** Every partition with its preference list. */
export async function ringCommand(options: ViewOptions): Promise<number> {
  const view = (await askJson(options.url, "/cluster/ring")) as RingView;
  if (options.json) return printJson(view);
  const rows = view.partitions.map((partition) => [
    String(partition.id),
    partition.owner,
    partition.preferenceList.join(" "),
  ]);
  process.stdout.write(table([["PARTITION", "OWNER", "PREFERENCE LIST"], ...rows], [0]));
  return exitStatus.done;
}

function membersTable(view: ClusterView): string {
  const inOrder = view.members.toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const rows = inOrder.map((member) => [
    member.name,
    member.status,
    member.zone || "-",
    String(member.capacity),
    String(member.partitions),
    member.peer,
    member.http === "" ? "-" : `http://${member.http}`,
    member.id,
  ]);
  return table([["MEMBER", "STATUS", "ZONE", "CAPACITY", "PARTITIONS", "PEERS AT", "HTTP AT", "ID"], ...rows], [3, 4]);
}

function printJson(value: unknown): number {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  return exitStatus.done;
}
