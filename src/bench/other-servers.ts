/**
 * Processes that the benchmark did not start: nodes that tell of themselves over HTTP, and whatever else runs on this
 * machine, by its process id.
 */

import { readFile } from "node:fs/promises";
import type { ProcessUsage, Servers } from "./target.ts";

/** How long a node may take to tell what it used, in ms. */
const patienceMs = 5000;
/** What Linux counts CPU time in, for everybody who asks; and pages of memory, nearly everywhere. */
const ticksPerSecond = 100;

/** Nodes by the origins of their HTTP interfaces. */
export function nodesOverHttp(origins: readonly string[]): Servers {
  return { ...elsewhere, usage: () => Promise.all(origins.map(usageOverHttp)) };
}

/** Processes of this machine, as Linux sees them. */
export function processesHere(pids: readonly number[]): Servers {
  return { ...elsewhere, usage: () => Promise.all(pids.map(usageOfProcess)) };
}

const elsewhere: Pick<Servers, "diskBytes" | "stop"> = { diskBytes: async () => undefined, stop: async () => {} };

/** Where each member's HTTP interface is, as one of them knows. */
export async function memberOrigins(origin: string): Promise<readonly string[]> {
  const response = await fetch(`${origin}/cluster`, { signal: AbortSignal.timeout(patienceMs) });
  const { members } = (await response.json()) as { members: readonly { http: string; status: string }[] };
  return members.filter(({ http, status }) => http !== "" && status !== "down").map(({ http }) => `http://${http}`);
}

async function usageOverHttp(origin: string): Promise<ProcessUsage> {
  const response = await fetch(`${origin}/metrics`, { signal: AbortSignal.timeout(patienceMs) });
  const text = await response.text();
  return {
    name: new URL(origin).host,
    cpuUs: metricOf(text, "process_cpu_seconds_total") * 1e6,
    memoryBytes: metricOf(text, "process_resident_memory_bytes"),
  };
}

function metricOf(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

async function usageOfProcess(pid: number): Promise<ProcessUsage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8"),
  ]);
  return { name: `process ${pid}`, ...usageOfProc(stat, status) };
}

/** What `/proc/PID/stat` and `/proc/PID/status` tell. */
export function usageOfProc(stat: string, status: string): Omit<ProcessUsage, "name"> {
  // The second field is a name in parentheses, which may hold anything; user and kernel time are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const kib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
  return { cpuUs: (ticks * 1e6) / ticksPerSecond, memoryBytes: kib * 1024 };
}
