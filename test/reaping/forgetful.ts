/** Clusters on virtual time whose owners forget within seconds, and what their disks remember. */

import assert from "node:assert/strict";
import { compactState } from "../../src/core/causality/compaction.ts";
import type { SiblingSet } from "../../src/core/causality/sibling-set.ts";
import type { Limits } from "../../src/core/limits.ts";
import { ownersOf, preferenceOrder } from "../../src/core/ring/preference-list.ts";
import { foldHistory, type Ring } from "../../src/core/ring/ring.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { type KeyPlace, placeOf } from "../../src/node/key-place.ts";
import { decodeRecord, encodeRecord, type KeyRecord } from "../../src/wire/record.ts";
import { metric } from "../anti-entropy/copies.ts";
import { type StartOptions, World } from "../membership/world.ts";

export const graceMs = 18_000;
export const forgetful: Partial<Limits> = {
  messageLifeMs: 1000,
  longestTimeoutMs: 2000,
  requestTimeoutMs: 1000,
  reapGraceMs: graceMs,
  // A read is to meet all owners, and to repair them.
  readsPerWholeRead: 1,
};
/** By then what may be forgotten is: the grace time, and some rounds. */
export const forgottenMs: number = graceMs + 6000;

export const key = "a";

/** A cluster of `size` nodes that forget. */
export async function forgetfulCluster(size: number, options: StartOptions = {}, seed = 1): Promise<World> {
  const world = new World(seed);
  await world.cluster(size, { ...options, limits: { ...forgetful, ...options.limits } });
  return world;
}

export function ringOf(world: World): Ring {
  const [node] = world.nodes.values();
  return foldHistory(node?.history() ?? []);
}

export function placeIn(world: World, name: string = key): KeyPlace {
  return placeOf("carts", name, ringOf(world).settings.partitions);
}

/** The machines in the key's order of preference: its owners, the one that leads first, then the others. */
export function machinesOf(world: World, name: string = key): readonly string[] {
  const ring = ringOf(world);
  return preferenceOrder(ring, placeIn(world, name).partition).map((id) => ring.members.get(id)?.name ?? "");
}

export function ownersAmong(world: World, name: string = key): number {
  return ownersOf(ringOf(world), placeIn(world, name).partition, 3).length;
}

/** What lies under the key on the machine's disk. */
export function recordOn(world: World, machine: string, name: string = key): KeyRecord | undefined {
  const { storeKey } = placeIn(world, name);
  for (const { key: bytes, value } of world.machine(machine).disk.contents().values()) {
    if (Buffer.compare(bytes, storeKey.bytes) === 0) return decodeRecord(value, bytes, machineChecksum);
  }
  return undefined;
}

/** Puts a record under a stored key of a machine that does not run. */
export function putOnDisk(world: World, machine: string, storeKey: Uint8Array, state: SiblingSet): void {
  const { disk } = world.machine(machine);
  const value = encodeRecord({ mint: undefined, state }, storeKey, machineChecksum);
  const contents = new Map(disk.contents());
  contents.set(Buffer.from(storeKey).toString("latin1"), { key: storeKey, value });
  disk.replace(contents);
}

export async function remove(world: World, on: string, name: string = key, w?: number): Promise<void> {
  const quorum = w === undefined ? {} : { w };
  const found = await world.inside(on, (node) => node.get({ bucket: "carts", key: name }));
  assert.ok(found.kind !== "failure" && found.context !== undefined, JSON.stringify(found));
  const { context } = found;
  const outcome = await world.inside(on, (node) => node.delete({ bucket: "carts", key: name, context, ...quorum }));
  assert.equal(outcome.kind, "written", JSON.stringify(outcome));
}

/** How many of all machines that run forgot a tombstone, or made a context shorter. */
export function forgotten(world: World): { readonly reaped: number; readonly compacted: number } {
  const sum = (name: string): number => [...world.nodes.keys()].reduce((all, on) => all + metric(world, on, name), 0);
  return { reaped: sum("reaper_reaped_total"), compacted: sum("reaper_compacted_total") };
}

/** Lets time pass until every owner has forgotten what it can of the key. */
export async function untilForgotten(world: World, name: string = key, withinMs: number = forgottenMs): Promise<void> {
  const owners = machinesOf(world, name).slice(0, ownersAmong(world, name));
  const isForgotten = (): boolean =>
    owners.every((machine) => {
      const state = recordOn(world, machine, name)?.state;
      return state === undefined || compactState(state).context.length === state.context.length;
    });
  assert.ok(await world.simulation.runUntil(isForgotten, withinMs), `not forgotten within ${withinMs} ms`);
}
