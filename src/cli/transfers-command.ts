/**
 * `cartwheel transfers`: the seats that move in the whole cluster, how far that is, how long it will take, and what it
 * waits for. A node knows of its own transfers; so every member is asked, and those that do not answer are named.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterView, TransfersView } from "../node/api.ts";
import type { ViewOptions } from "./cluster-commands.ts";
import { askJson } from "./http-client.ts";
import { type ToldTransfers, transfersText } from "./transfers-text.ts";
import { CommandFailed, exitStatus } from "./usage-error.ts";

const watchEveryMs = 2000;
/** The asked node is waited for as ever; the others are not to hold up what is known. */
const patienceMs = 3000;

export interface TransfersOptions extends ViewOptions {
  /** Says it again and again, until nothing moves any more. */
  readonly watch: boolean;
  /** A line for each seat. */
  readonly each: boolean;
}

/** Asks all members and prints what they say. */
export async function transfersCommand(options: TransfersOptions): Promise<number> {
  for (;;) {
    const told = await askAll(options.url);
    const text = options.json ? `${JSON.stringify(told, undefined, 2)}\n` : transfersText(told, options.each);
    const isScreen = options.watch && process.stdout.isTTY === true;
    process.stdout.write(isScreen ? `\u001b[H\u001b[J${text}` : text);
    const isAtRest = told.pending === 0 && told.silent.length === 0;
    if (!options.watch || (isAtRest && told.members.every(({ transfers }) => transfers.length === 0))) break;
    await sleep(watchEveryMs);
    if (!isScreen) process.stdout.write("\n");
  }
  return exitStatus.done;
}

async function askAll(url: string): Promise<ToldTransfers> {
  const { name, members, pendingTransfers } = (await askJson(url, "/cluster")) as ClusterView;
  const told: ToldTransfers["members"][number][] = [];
  const silent: { name: string; why: string }[] = [];
  const others = members
    .filter((member) => member.name !== name)
    .map(({ name, http }) => ({ name, at: `http://${http}` }));
  await Promise.all(
    [{ name, at: url }, ...others].map(async (member) => {
      try {
        const view = (await askJson(member.at, "/cluster/transfers", patienceMs)) as TransfersView;
        told.push({ name: member.name, ...view });
      } catch (error) {
        if (!(error instanceof CommandFailed) || member.at === url) throw error;
        silent.push({ name: member.name, why: error.message });
      }
    }),
  );
  const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
    a.name.localeCompare(b.name, "en", { numeric: true });
  return { pending: pendingTransfers, members: told.sort(byName), silent: silent.sort(byName) };
}
