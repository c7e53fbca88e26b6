/** `cartwheel demo`: a cluster of real processes on this machine, with a shop in it to look at, until Ctrl-C. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterView } from "../../node/api.ts";
import { askJson } from "../http-client.ts";
import type { OptionValues } from "../options.ts";
import { table } from "../table.ts";
import { CommandFailed, exitStatus } from "../usage-error.ts";
import { NodeProcess } from "./node-process.ts";
import { type DemoPlan, planDemo } from "./plan.ts";
import { cartsBucket, loadShop, undecided } from "./shop.ts";

/** How long nodes may take to hear of each other once all are up. */
const acquaintanceMs = 30_000;

/** How often it is looked whether npm is still there. */
const parentCheckMs = 500;

/** Runs the demo; resolves with the exit status once every process has stopped. */
export async function demoCommand(options: Partial<OptionValues>): Promise<number> {
  const isKept = options.data !== undefined;
  const directory =
    options.data === undefined ? await mkdtemp(join(tmpdir(), "cartwheel-demo-")) : resolve(options.data);
  const stop = stopRequest();
  const processes: NodeProcess[] = [];
  try {
    const plan = await planDemo(directory, { nodes: options.nodes, zones: options.zones });
    const isUp = await Promise.race([bringUp(plan, processes).then(() => true), stop.then(() => false)]);
    if (isUp) await stayUp(plan, processes, stop, isKept);
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
  // Only here: after a failure the logs are what one wants to see.
  if (!isKept) await rm(directory, { recursive: true, force: true });
  say(isKept ? `stopped; the data is in ${directory}` : "stopped; the data is removed");
  return exitStatus.done;
}

async function bringUp(plan: DemoPlan, processes: NodeProcess[]): Promise<void> {
  const zones = new Set(plan.nodes.map((node) => node.zone)).size;
  const again = plan.isOld ? " again" : "";
  say(`starting${again} ${plan.nodes.length} nodes in ${zones} zones, data and logs in ${plan.directory}`);
  const [first] = plan.nodes;
  if (first === undefined) return;
  for (const node of plan.nodes) processes.push(new NodeProcess(plan, node, node === first ? [] : [first]));
  let up = 0;
  await Promise.all(
    processes.map(async (process) => {
      await process.ready;
      up += 1;
      const { name, zone } = process.node;
      say(`  ${name} in zone ${zone} is up (${up} of ${plan.nodes.length}), process ${process.pid}`);
    }),
  );
  await everyoneSeesEveryone(plan);
  if (plan.isOld) return;
  say("loading a shop's carts ...");
  const carts = await loadShop(plan.nodes.map(urlOf));
  say(`  ${carts} carts, ${undecided.length} of them with siblings`);
}

/** Waits until each node has heard from all the others: word of a new member takes a round of gossip or two. */
async function everyoneSeesEveryone(plan: DemoPlan): Promise<void> {
  const endsMs = performance.now() + acquaintanceMs;
  for (const node of plan.nodes) {
    for (;;) {
      const view = (await askJson(urlOf(node), "/cluster")) as ClusterView;
      if (view.members.filter((member) => member.status !== "down").length === plan.nodes.length) break;
      if (performance.now() > endsMs) {
        const missing = view.members.filter((member) => member.status === "down").map((member) => member.name);
        throw new CommandFailed(`${node.name} has not heard from ${missing.join(", ") || "all the others"}`);
      }
      await sleep(50);
    }
  }
}

/** Tells what there is, and waits for the request to stop, or for every node to be gone. */
async function stayUp(
  plan: DemoPlan,
  processes: readonly NodeProcess[],
  stop: Promise<void>,
  isKept: boolean,
): Promise<void> {
  say("");
  say(table(plan.nodes.map((node) => [`  ${node.name}`, node.zone, urlOf(node)])).trimEnd());
  say("");
  say("Try, in another terminal:");
  for (const line of commandsToTry(plan, processes)) say(`  ${line}`);
  say("");
  say(`Ctrl-C stops all of it${isKept ? "" : " and removes its data"}.`);
  let isStopping = false;
  const ends = processes.map(async (process) => {
    const how = await process.ended;
    if (!isStopping) say(`${process.node.name} ended (${how}); its log is ${process.logFile}`);
  });
  await Promise.race([stop, Promise.all(ends)]);
  isStopping = true;
  say("stopping ...");
}

function commandsToTry(plan: DemoPlan, processes: readonly NodeProcess[]): readonly string[] {
  const nodes = plan.nodes;
  const last = processes.at(-1);
  const url = (turn: number): string => {
    const node = nodes[turn % nodes.length];
    return node === undefined ? "" : urlOf(node);
  };
  const kill = nodes.length > 1 ? `kill -9 ${last?.pid} && ` : "";
  return [
    `curl -i ${url(0)}/kv/${cartsBucket}/zoe                # a cart, and its context`,
    `curl -i ${url(1)}/kv/${cartsBucket}/${undecided[0]}                # two siblings: both writes are kept`,
    `${kill}curl -i ${url(0)}/kv/${cartsBucket}/mary   # lose a node, keep every cart`,
  ];
}

function urlOf(node: { readonly httpPort: number }): string {
  return `http://127.0.0.1:${node.httpPort}`;
}

/** Resolves at the first request to stop: a signal, or the end of the process that started this one. */
function stopRequest(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
    process.on("disconnect", () => resolve());
    // npm passes signals on, but a `kill -9` of npm reaches nobody: then this process has another parent.
    const parent = process.ppid;
    if (process.env["npm_lifecycle_event"] === undefined) return;
    const watch = setInterval(() => {
      if (process.ppid !== parent) resolve();
    }, parentCheckMs);
    watch.unref();
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
