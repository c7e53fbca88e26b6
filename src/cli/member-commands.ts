/**
 * `cartwheel leave`, `stay`, `remove`, `capacity` and `zone`: changes of membership. Each shows what it would move, asks, has any
 * node write it down, and shows how far the cluster is with it.
 *
 * The cluster goes on without this command: it may be broken off, or started again, at any time.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Plan } from "../core/ring/plan.ts";
import type { ClusterView, HintsView, MemberView, TransfersView } from "../node/api.ts";
import { confirm } from "./confirm.ts";
import { type Answered, ask, askJson, refused } from "./http-client.ts";
import { type PlanOptions, planQuery, planText } from "./plan-command.ts";
import { CommandFailed, exitStatus } from "./usage-error.ts";

/** How often the cluster is asked, in ms, and for how long in vain before the command gives up. */
const everyMs = 500;
const patienceMs = 30_000;
/** Why it waits is told after so long without any progress, in ms. */
const reasonsAfterMs = 3000;
/** Who leaves is told by each member, some of which hear of it later: a leave was taken back when so long none says it. */
const undoneAfterMs = 5000;

/** What these commands need to know. */
export interface MemberOptions {
  readonly change: "leave" | "stay" | "remove" | "capacity" | "zone";
  readonly name: string;
  /** The new capacity or zone. */
  readonly value: string | undefined;
  readonly url: string;
  readonly json: boolean;
  readonly force: boolean;
  readonly isSure: boolean;
  readonly waits: boolean;
}

/** Does it; resolves once it is done, or written down where nobody is to wait. */
export async function memberCommand(options: MemberOptions): Promise<number> {
  const { change, url, waits } = options;
  if (change !== "stay") await planned(options);
  const before = (await askJson(url, "/cluster")) as ClusterView;
  const answer = await ask(requestOf(options));
  if (answer.status !== 202) throw refused(answer);
  if (!waits) return done(options, `${sentences[change].begun(options)}: cartwheel transfers shows how far that is`);
  await untilDone(options, before);
  return done(options, sentences[change].done(options));
}

/** Shows what it would move, and asks. */
async function planned(options: MemberOptions): Promise<void> {
  const { change, name, value, url, json, isSure } = options;
  const query: PlanOptions = { change, name, value, zone: undefined, capacity: undefined, url, json };
  const answer = await ask({ url, method: "GET", path: `/cluster/plan?${planQuery(query)}` });
  if (isSoAlready(answer)) return;
  if (answer.status !== 200) throw refused(answer);
  if (!json) process.stdout.write(planText(JSON.parse(answer.body.toString()) as Omit<Plan, "kind">));
  if (!isSure) await confirm(questionOf(options), change);
}

function done({ change, name, json }: MemberOptions, sentence: string): number {
  process.stdout.write(json ? `${JSON.stringify({ member: name, change })}\n` : `${sentence}\n`);
  return exitStatus.done;
}

type Sentence = (options: MemberOptions) => string;

const sentences: {
  readonly [Change in MemberOptions["change"]]: { readonly begun: Sentence; readonly done: Sentence };
} = {
  leave: {
    begun: ({ name }) => `${name} is leaving`,
    done: ({ name }) => `${name} has left the cluster; its directory can be deleted`,
  },
  stay: {
    begun: ({ name }) => `${name} stays, and gets its share back`,
    done: ({ name }) => `${name} stays, and every seat is where it shall be`,
  },
  remove: {
    begun: ({ name }) => `${name} is removed, and others rebuild what it held`,
    done: ({ name }) => `${name} is removed; others hold what it held`,
  },
  capacity: {
    begun: ({ name, value }) => `${name} has capacity ${value}, and seats move`,
    done: ({ name, value }) => `${name} has capacity ${value}, and every seat is where it shall be`,
  },
  zone: {
    begun: ({ name, value }) => `${name} is in ${zone(value)}, and seats move`,
    done: ({ name, value }) => `${name} is in ${zone(value)}, and every seat is where it shall be`,
  },
};

function zone(value: string | undefined): string {
  return value ? `zone ${value}` : "no zone";
}

function questionOf({ change, name, value }: MemberOptions): string {
  switch (change) {
    case "leave":
      return `${name} hands its data over, then leaves. Go on?`;
    case "remove":
      return `${name} is lost: the others re-replicate without it, and it can never come back. Go on?`;
    case "zone":
      return `${name} gets ${zone(value)}. Go on?`;
    default:
      return `${name} gets ${change} ${value}. Go on?`;
  }
}

/** Whether nothing would change because it is so, or under way, already. */
function isSoAlready({ status, body }: Answered): boolean {
  return status === 409 && /already: nothing would change/.test(body.toString());
}

function requestOf({ change, name, value, url, force }: MemberOptions): Parameters<typeof ask>[0] {
  const path = `/cluster/members/${name}`;
  const query = force ? "?force=true" : "";
  switch (change) {
    case "leave":
      return { url, method: "POST", path: `${path}/leave${query}` };
    case "stay":
      return { url, method: "DELETE", path: `${path}/leave` };
    case "remove":
      return { url, method: "DELETE", path: `${path}${query}` };
    case "capacity":
      return { url, method: "PUT", path, body: Buffer.from(JSON.stringify({ capacity: Number(value) })) };
    case "zone":
      return { url, method: "PUT", path, body: Buffer.from(JSON.stringify({ zone: value })) };
  }
}

/** Waits, and tells a person how far it is. Whoever of the members answers is asked: the one that leaves will not. */
async function untilDone({ change, name, url, json }: MemberOptions, before: ClusterView): Promise<void> {
  const others = before.members.filter((member) => member.http !== "" && member.name !== before.name);
  const urls = [...new Set([url, ...others.map(({ http }) => `http://${http}`)])];
  if (before.name === name && change === "leave") urls.push(...urls.splice(0, 1));
  const progress = new Progress(!json);
  let staysMs = 0;
  for (let failedMs = 0; ; ) {
    const view = await firstOf<ClusterView>(urls, "/cluster");
    failedMs = view === undefined ? failedMs + everyMs : 0;
    if (failedMs > patienceMs) {
      throw new CommandFailed("no member answers any more; what was asked for goes on where they are");
    }
    if (view !== undefined) {
      const member = view.members.find((member) => member.name === name);
      const isMember = member !== undefined;
      const isOver = change === "leave" ? !isMember : view.pendingTransfers === 0 && (change !== "remove" || !isMember);
      staysMs = change === "leave" && member !== undefined && stays(member) ? staysMs + everyMs : 0;
      const isUndone = staysMs > undoneAfterMs || (!isMember && change !== "leave" && change !== "remove");
      if (isOver || isUndone) progress.end();
      if (isUndone)
        throw new CommandFailed(
          isMember ? `${name} does not leave: that was taken back, or another has joined under its name` : gone(name),
        );
      if (isOver) return;
      const seats =
        view.pendingTransfers === 1 ? "1 seat is on its way" : `${view.pendingTransfers} seats are on their way`;
      await progress.tell(seats, () => reasons(urls, view));
    }
    await sleep(everyMs);
  }
}

/** Whether it has a share of the ring, which one that leaves has not, nor is it said to be up. */
function stays({ status, partitions }: MemberView): boolean {
  return status === "up" || status === "joining" || (status === "down" && partitions > 0);
}

function gone(name: string): string {
  return `${name} is no member any more: it has left, or was removed; cartwheel history says who asked for it`;
}

async function firstOf<View>(urls: readonly string[], path: string): Promise<View | undefined> {
  for (const url of urls) {
    const view = await askJson(url, path).catch(() => undefined);
    if (view !== undefined) return view as View;
  }
  return undefined;
}

/** What the members wait for, as each of them says; one that is down says nothing, and may be to take a seat. */
async function reasons(urls: readonly string[], { members }: ClusterView): Promise<readonly string[]> {
  const down = members.filter(({ status }) => status === "down").map(({ name }) => `${name} is down`);
  const told = urls.map(async (url) => {
    const transfers = (await askJson(url, "/cluster/transfers").catch(() => undefined)) as TransfersView | undefined;
    const hints = (await askJson(url, "/cluster/hints").catch(() => undefined)) as HintsView | undefined;
    const seats = (transfers?.transfers ?? []).flatMap(({ running, why, waitsFor }) => {
      return running || why === "" ? [] : [waitsFor === "" ? why : `${waitsFor} ${why}`];
    });
    const kept = (hints?.waiting ?? []).map(({ owner, status, hints: keys }) => {
      return `${keys} keys wait for ${owner}, which is ${status}`;
    });
    return [...seats, ...kept];
  });
  return [...new Set([...down, ...(await Promise.all(told)).flat()])];
}

/** Lines of progress on stderr: over each other on a terminal, else only what is new. */
class Progress {
  readonly #isShown: boolean;
  #line = "";
  #sinceMs = performance.now();
  #told = "";

  constructor(isShown: boolean) {
    this.#isShown = isShown;
  }

  async tell(line: string, why: () => Promise<readonly string[]>): Promise<void> {
    if (line !== this.#line) this.#sinceMs = performance.now();
    this.#line = line;
    const isStuck = performance.now() - this.#sinceMs > reasonsAfterMs;
    const known = isStuck ? (await why()).join("; ") : "";
    this.#show(known === "" ? line : `${line}: ${known}`);
  }

  end(): void {
    if (this.#told !== "" && process.stderr.isTTY) process.stderr.write("\n");
  }

  #show(text: string): void {
    if (!this.#isShown || text === this.#told) return;
    this.#told = text;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  }
}
