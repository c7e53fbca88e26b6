/**
 * What gossip costs as a cluster grows: `npm run bench:gossip -- [nodes ...]`, by default 10, 100 and 1,000.
 *
 * The nodes of `gossip-fleet.ts` rest, are all written to, hear of one change (a bucket is set, a node joins, one node
 * moves to another address) and at last of a change of every node at once. The table says how long it takes until
 * every node knows, what that and rest cost each node in bytes a second, and what a node holds in memory.
 */

import { newestClaim } from "../src/core/membership/check-events.ts";
import type { EventDraft } from "../src/core/membership/event.ts";
import { Membership } from "../src/node/membership.ts";
import { directoryOf, Fleet, type FleetNode, idOf, metaOf } from "./gossip-fleet.ts";
import { nodeSurroundings } from "./surroundings.ts";

const longestMs = 600_000;
const restMs = 20_000;
/** Each node is written to so often, in ms; its stamp is raised twice in the time that is measured. */
const writtenEveryMs = 10_000;
const writtenMs = 60_000;
/** Of more nodes than these it would take ten times as long to simulate that all of them say something at once. */
const mostAtOnce = 1000;
/** Nodes whose memory is measured, of which nothing is shared. */
const measuredNodes = 3;

function heapBytes(): number {
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

/** What one node takes, that has read its own directory and shares nothing. */
async function memoryOf(size: number): Promise<number> {
  const directory = directoryOf(size);
  const { simulation } = new Fleet(1);
  const metas = await Promise.all(Array.from({ length: measuredNodes }, (_, i) => metaOf(i, directory)));
  const runtime = { ...nodeSurroundings, random: simulation.prng("none") } as never;
  const before = heapBytes();
  const nodes = metas.map((meta, i) => new Membership(runtime, meta, { name: `n${i}`, settings: {}, software: "" }));
  for (const node of nodes) await node.open();
  const bytes = heapBytes() - before;
  return nodes.every(({ isMember }) => isMember) ? bytes / measuredNodes : Number.NaN;
}

interface Spread {
  readonly seconds: number;
  /** Of a node, in a second. */
  readonly bytes: number;
}

/** What the change costs until it holds everywhere. */
async function spread(fleet: Fleet, change: () => Promise<unknown>, isKnown: () => boolean): Promise<Spread> {
  const mark = fleet.bytes;
  const from = fleet.simulation.now;
  await fleet.simulation.settle(change(), 1000, "a change");
  while (!isKnown()) {
    if (fleet.simulation.now - from > longestMs) throw new Error("it never came about");
    await fleet.simulation.run(100);
  }
  const seconds = (fleet.simulation.now - from) / 1000;
  return { seconds, bytes: (fleet.bytes - mark) / fleet.nodes.size / seconds };
}

/** What an event costs until every node knows it. */
function spreadEvent(fleet: Fleet, sponsor: FleetNode, draft: EventDraft): Promise<Spread> {
  const nodes = [...fleet.nodes.values()];
  const events = sponsor.membership.history.length;
  const isKnown = (): boolean => nodes.every(({ membership }) => membership.history.length > events);
  return spread(fleet, () => sponsor.membership.append(draft), isKnown);
}

/** Of a node, in a second. */
async function bytesAtRest(fleet: Fleet): Promise<number> {
  const mark = fleet.bytes;
  await fleet.simulation.run(restMs);
  return (fleet.bytes - mark) / fleet.nodes.size / (restMs / 1000);
}

/** The same while every node is written to. */
async function bytesWrittenTo(fleet: Fleet): Promise<number> {
  const { simulation, nodes } = fleet;
  const mark = fleet.bytes;
  for (const [i, node] of [...nodes.values()].entries()) {
    for (let ms = (i / nodes.size) * writtenEveryMs; ms < writtenMs; ms += writtenEveryMs) {
      simulation.schedule(ms, undefined, () => node.write());
    }
  }
  await simulation.run(writtenMs);
  return (fleet.bytes - mark) / nodes.size / (writtenMs / 1000);
}

async function measure(size: number): Promise<void> {
  const memory = await memoryOf(size);
  const fleet = new Fleet(1);
  await fleet.start(size);
  await spread(
    fleet,
    async () => {},
    () => fleet.isAgreed,
  );
  const atRest = await bytesAtRest(fleet);
  const writtenTo = await bytesWrittenTo(fleet);

  const nodes = [...fleet.nodes.values()];
  const sponsor = nodes[Math.floor(size / 2)] as FleetNode;
  const bucket = await spreadEvent(fleet, sponsor, { kind: "bucket", bucket: "carts", change: { r: 1 } });
  const node = idOf(size + 1);
  const place = { zone: "", capacity: 1, claim: newestClaim } as const;
  const join = await spreadEvent(fleet, sponsor, { kind: "join", node, directory: node, name: "new", ...place });
  await fleet.simulation.run(restMs);
  const moved = await spread(
    fleet,
    () => sponsor.move(1),
    () => fleet.isAgreed,
  );
  const all = (): Promise<unknown> => Promise.all(nodes.map((each) => each.move(2)));
  const allMoved = size > mostAtOnce ? undefined : await spread(fleet, all, () => fleet.isAgreed);
  const spreads = [bucket, join, moved, allMoved].flatMap((each) => {
    return each === undefined ? ["", ""] : [each.seconds.toFixed(1), each.bytes.toFixed(0)];
  });
  const cells = [size, atRest.toFixed(0), writtenTo.toFixed(0), ...spreads, (memory / 1024).toFixed(0)];
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}

// What the first fleet loads and compiles is no node's memory.
await new Fleet(1).start(8);
await memoryOf(8);
const sizes = process.argv.slice(2).map(Number);
const ofChange = ["bucket", "join", "one moved", "all moved"].flatMap((name) => [`${name}, s`, "B/s"]);
const columns = ["nodes", "at rest, B/s", "written to, B/s", ...ofChange, "memory, KiB"];
process.stdout.write(`| ${columns.join(" | ")} |\n|${"---|".repeat(columns.length)}\n`);
for (const size of sizes.length === 0 ? [10, 100, 1000] : sizes) await measure(size);
