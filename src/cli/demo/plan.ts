/**
 * Which nodes a demo has, where they listen and where their data is. Kept in the demo's directory, so that a demo
 * started again on it is the same cluster at the same addresses.
 */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandFailed, UsageError } from "../usage-error.ts";
import { freePorts, isFree } from "./free-ports.ts";

/** Where the ports of peers and of HTTP begin. A multiple of the most nodes apart, so that they never meet. */
const firstPorts = { peer: 7400, http: 7480 } as const;

export interface PlannedNode {
  readonly name: string;
  readonly zone: string;
  readonly peerPort: number;
  readonly httpPort: number;
}

export interface DemoPlan {
  readonly directory: string;
  readonly nodes: readonly PlannedNode[];
  /** Whether the directory held a demo already. */
  readonly isOld: boolean;
}

interface Wanted {
  /** Undefined: as the directory has it, or the default. */
  readonly nodes: number | undefined;
  readonly zones: number | undefined;
}

const planFile = "demo.json";
const defaults = { nodes: 6, zones: 3 } as const;

/** The directory's plan, or a new one, which is then written there. */
export async function planDemo(directory: string, wanted: Wanted): Promise<DemoPlan> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, planFile);
  const found = await readPlan(file);
  if (found !== undefined) {
    checkWanted(directory, found, wanted);
    await checkPorts(directory, found);
    return { directory, nodes: found, isOld: true };
  }
  const count = wanted.nodes ?? defaults.nodes;
  const zones = wanted.zones ?? defaults.zones;
  const peerPorts = await freePorts(firstPorts.peer, count);
  const httpPorts = await freePorts(firstPorts.http, count);
  const nodes = Array.from({ length: count }, (_, i) => ({
    name: `n${i + 1}`,
    zone: `z${(i % zones) + 1}`,
    peerPort: peerPorts[i] ?? 0,
    httpPort: httpPorts[i] ?? 0,
  }));
  await writeFile(file, `${JSON.stringify(nodes, undefined, 2)}\n`);
  return { directory, nodes, isOld: false };
}

async function readPlan(file: string): Promise<readonly PlannedNode[] | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CommandFailed(`cannot read ${file}: ${(error as Error).message}`);
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.length > 0 && parsed.every(isPlannedNode)) return parsed;
  } catch {
    // The same sentence serves both.
  }
  throw new CommandFailed(`${file} is not a demo's plan`);
}

function isPlannedNode(value: unknown): value is PlannedNode {
  if (typeof value !== "object" || value === null) return false;
  const { name, zone, peerPort, httpPort } = value as Record<string, unknown>;
  const isNamed = typeof name === "string" && typeof zone === "string" && /^n\d+$/.test(name);
  return isNamed && Number.isInteger(peerPort) && Number.isInteger(httpPort);
}

function checkWanted(directory: string, nodes: readonly PlannedNode[], wanted: Wanted): void {
  const zones = new Set(nodes.map((node) => node.zone)).size;
  if (wanted.nodes !== undefined && wanted.nodes !== nodes.length) {
    throw new UsageError(`--nodes is ${wanted.nodes}, and the demo in ${directory} has ${nodes.length} nodes`);
  }
  if (wanted.zones !== undefined && Math.min(wanted.zones, nodes.length) !== zones) {
    throw new UsageError(`--zones is ${wanted.zones}, and the demo in ${directory} has ${zones} zones`);
  }
}

async function checkPorts(directory: string, nodes: readonly PlannedNode[]): Promise<void> {
  for (const port of nodes.flatMap((node) => [node.peerPort, node.httpPort])) {
    if (await isFree(port)) continue;
    throw new CommandFailed(`port ${port} of the demo in ${directory} is in use: is that demo running already?`);
  }
}
