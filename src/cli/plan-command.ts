/** `cartwheel plan`: who would gain and lose how many partitions by a change of membership. Changes nothing. */

import type { Plan } from "../core/ring/plan.ts";
import type { ViewOptions } from "./cluster-commands.ts";
import { askJson } from "./http-client.ts";
import type { OptionOf } from "./option-shapes.ts";
import { options as cliOptions } from "./options.ts";
import { table } from "./table.ts";
import { exitStatus, UsageError } from "./usage-error.ts";

/** The change, as the command line has it: `value` is the new capacity or zone of a member. */
export interface PlanOptions extends ViewOptions {
  readonly change: string;
  readonly name: string;
  readonly value: string | undefined;
  readonly zone: string | undefined;
  readonly capacity: number | undefined;
}

const forms =
  "join NAME [--zone ZONE] [--capacity WEIGHT], leave NAME, remove NAME, capacity NAME WEIGHT, zone NAME ZONE";

/** Asks a node for the plan and shows it. */
export async function planCommand(options: PlanOptions): Promise<number> {
  const plan = (await askJson(options.url, `/cluster/plan?${planQuery(options)}`)) as Omit<Plan, "kind">;
  process.stdout.write(options.json ? `${JSON.stringify(plan, undefined, 2)}\n` : planText(plan));
  return exitStatus.done;
}

/** The query of `/cluster/plan`. Throws a `UsageError`. */
export function planQuery({ change, name, value, zone, capacity }: PlanOptions): string {
  const takesValue = change === "capacity" || change === "zone";
  const isKnown = takesValue || change === "join" || change === "leave" || change === "remove";
  if (!isKnown || (value !== undefined) !== takesValue) {
    throw new UsageError(`plan does not know "${[change, name, value ?? ""].join(" ").trim()}"; it takes ${forms}`);
  }
  check("NAME", name, cliOptions.name);
  if (change === "capacity") check("WEIGHT", value ?? "", cliOptions.capacity);
  if (change === "zone") check("ZONE", value ?? "", cliOptions.zone);
  const query = new URLSearchParams({ change, name });
  if (takesValue) query.set(change, value ?? "");
  // They may stand in the environment of a node's own machine, where they say nothing of other changes.
  if (change === "join" && zone !== undefined) query.set("zone", zone);
  if (change === "join" && capacity !== undefined) query.set("capacity", String(capacity));
  return query.toString().replaceAll("+", "%20");
}

/** A word may be what the option of the same meaning may be. */
function check(word: string, text: string, { allowed, parse }: Pick<OptionOf<unknown>, "allowed" | "parse">): void {
  if (parse(text) === undefined) throw new UsageError(`${word} is "${text.slice(0, 100)}", and must be ${allowed}`);
}

/** The plan for people: members whose part changes, and the sum. */
export function planText({ members, moves, fewest, copies, zones, efficiency }: Omit<Plan, "kind">): string {
  const rows = members.map((member) => [
    member.name,
    member.zone || "-",
    String(member.capacity),
    String(member.before),
    String(member.after),
    member.gains === 0 ? "" : `+${member.gains}`,
    member.loses === 0 ? "" : `-${member.loses}`,
  ]);
  const lines = [
    `${moves} copies of partitions would move, ${ofFewest(moves, fewest)}`,
    `each partition has ${from(copies)} copies, in at least ${from(zones)} ${zones.after === 1 ? "zone" : "zones"}`,
    `efficiency ${efficiency.before.toFixed(2)} before, ${efficiency.after.toFixed(2)} after: ${evenness(efficiency.after)}`,
  ];
  const head = ["MEMBER", "ZONE", "CAPACITY", "PARTITIONS", "THEN", "GAINS", "LOSES"];
  return `${table([head, ...rows], [2, 3, 4, 5, 6])}\n${lines.join("\n")}\n`;
}

function ofFewest(moves: number, fewest: number): string {
  return moves === fewest
    ? "the fewest that lead to these shares"
    : `${fewest} for the shares and ${moves - fewest} since copies must be on distinct nodes in distinct zones`;
}

function evenness(efficiency: number): string {
  if (efficiency > 0.995) return "everybody holds as much for its capacity";
  return "the mean load for a capacity, over the greatest; whole partitions on distinct nodes and zones allow no more";
}

function from({ before, after }: Plan["copies"]): string {
  return before === after ? String(after) : `${before}, then ${after}`;
}
