/** What the disks of simulated machines hold, and writes in bulk: for scenarios that compare copies without reading them. */

import assert from "node:assert/strict";
import { keyDigest } from "../../src/core/merkle/key-digest.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import type { RepairRun } from "../../src/node/api.ts";
import { parseDataKey } from "../../src/storage/store-key.ts";
import { decodeRecord } from "../../src/wire/record.ts";
import type { World } from "../membership/world.ts";

/** The digest of every key on the machine's disk, by bucket and key; those of `bucket` alone where it is given. */
export function copiesOn(world: World, machine: string, bucket?: string): ReadonlyMap<string, string> {
  const copies = new Map<string, string>();
  for (const { key: bytes, value } of world.machine(machine).disk.contents().values()) {
    if (bytes[0] !== 2) continue;
    const parts = parseDataKey(bytes);
    if (bucket !== undefined && parts.bucket !== bucket) continue;
    const { state } = decodeRecord(value, bytes, machineChecksum);
    const { hi, lo } = keyDigest(parts.bucket, parts.key, state);
    copies.set(`${parts.bucket}/${parts.key}`, `${hi} ${lo} ${state.siblings.length}`);
  }
  return new Map([...copies].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Fails unless the machines hold the same of the bucket, and so many keys. */
export function assertSame(world: World, machines: readonly string[], keys: number, bucket?: string): void {
  const [first, ...rest] = machines.map((machine) => copiesOn(world, machine, bucket));
  assert.equal(first?.size, keys);
  for (const [i, copies] of rest.entries()) assert.deepEqual(copies, first, `${machines[0]} and ${machines[i + 1]}`);
}

/** Puts all keys from `from` to `to` - 1, or deletes them where there is no value, through one node, at w=1. */
export async function writeMany(
  world: World,
  on: string,
  keys: { readonly from: number; readonly to: number; readonly bucket?: string },
  value: string | undefined,
): Promise<void> {
  await world.inside(on, async (node) => {
    const bytes = value === undefined ? undefined : new TextEncoder().encode(value);
    const all = Array.from({ length: keys.to - keys.from }, async (_, i) => {
      const target = { bucket: keys.bucket ?? "carts", key: `key-${keys.from + i}` };
      if (bytes !== undefined) return node.put({ ...target, value: bytes, contentType: "text/plain", w: 1 });
      const found = await node.get({ ...target, r: 1 });
      assert.ok(found.kind === "found" && found.context !== undefined);
      return node.delete({ ...target, context: found.context, w: 1 });
    });
    for (const outcome of await Promise.all(all)) assert.equal(outcome.kind, "written", JSON.stringify(outcome));
  });
}

/** Has the node compare all it has with everybody, waits, and answers with what that did. */
export async function repair(world: World, on: string): Promise<RepairRun> {
  const node = world.nodes.get(on);
  assert.ok(node);
  await world.inside(on, async () => node.startRepair());
  const isOver = await world.simulation.runUntil(() => node.repair().running === false, 120_000);
  const { lastRun } = node.repair();
  assert.ok(isOver && lastRun?.finishedMs !== undefined);
  return lastRun;
}

/** What all exchanges of the machines that run cost since they were started, those that nobody asked for included. */
export function spent(world: World): { readonly keysRepaired: number; readonly bytes: number } {
  const sum = (name: string, labels?: Readonly<Record<string, string>>): number =>
    [...world.nodes.keys()].reduce((total, on) => total + metric(world, on, name, labels), 0);
  const [sent, received] = [{ to: "peer" }, { to: "here" }].map((to) => sum("exchange_bytes_total", to));
  return { keysRepaired: sum("exchange_repairs_total"), bytes: (sent ?? 0) + (received ?? 0) };
}

/** One of the node's metrics. */
export function metric(world: World, on: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const samples = world.nodes.get(on)?.metrics() ?? [];
  const found = samples.find((sample) => {
    return sample.name === `cartwheel_${name}` && Object.entries(labels).every(([k, v]) => sample.labels[k] === v);
  });
  assert.ok(found, name);
  return found.value;
}
