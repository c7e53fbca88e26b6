/**
 * Gossip as a cluster grows (§4.8.1): what a node sends does not depend on how many others there are, and whatever
 * somebody missed reaches him in the end. Bytes are counted, on virtual time; `docs/gossip-at-size.md` has larger clusters.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Fleet, type FleetNode } from "../../tools/gossip-fleet.ts";
import { plantedCopy } from "../planted-copy.ts";

/** Nodes are written to for so long, in ms: each raises its stamp twice. */
const writtenMs = 65_000;
const restMs = 20_000;

const perNodeSecond = (fleet: Fleet, bytes: number, ms: number): number => bytes / fleet.nodes.size / (ms / 1000);

async function agreed(fleet: Fleet): Promise<void> {
  assert.ok(await fleet.simulation.runUntil(() => fleet.isAgreed, 120_000), "the nodes never came to know the same");
}

async function bytesIn(fleet: Fleet, ms: number): Promise<number> {
  const before = fleet.bytes;
  await fleet.simulation.run(ms);
  return perNodeSecond(fleet, fleet.bytes - before, ms);
}

async function costs(nodes: number): Promise<{ readonly atRest: number; readonly writtenTo: number }> {
  const fleet = new Fleet(nodes);
  await fleet.start(nodes);
  await agreed(fleet);
  const compared = fleet.bytesOf("gossip-digest");
  const atRest = await bytesIn(fleet, restMs);
  for (const node of fleet.nodes.values()) {
    for (let ms = 0; ms < writtenMs; ms += 5000) fleet.simulation.schedule(ms, undefined, () => node.write());
  }
  const writtenTo = await bytesIn(fleet, writtenMs);
  assert.equal(fleet.bytesOf("gossip-digest"), compared, "a summary differed while there was nothing to tell");
  assert.equal(fleet.isAgreed, true);
  return { atRest, writtenTo };
}

test("at rest and while all are written to, a node of 64 sends as little as one of 8", async () => {
  const [few, many] = [await costs(8), await costs(64)];
  assert.ok(many.atRest < 150 && many.writtenTo < 150, JSON.stringify(many));
  assert.ok(many.atRest < 1.1 * few.atRest && many.writtenTo < 1.1 * few.writtenTo, JSON.stringify({ few, many }));
});

test("when every node says something at once, no message grows with their number", async () => {
  const largest: number[] = [];
  for (const nodes of [64, 192]) {
    const fleet = new Fleet(nodes);
    await fleet.start(nodes);
    await agreed(fleet);
    await Promise.all([...fleet.nodes.values()].map((node) => node.move(1)));
    await agreed(fleet);
    largest.push(fleet.largest);
  }
  const [few = 0, many = 0] = largest;
  assert.ok(many < 12_000 && many < 1.5 * few, `the largest was of ${few} bytes, then of ${many}`);
});

test("one change of one node costs the others a few short messages each, and no list of all", async () => {
  const fleet = new Fleet(3);
  await fleet.start(128);
  await agreed(fleet);
  await (fleet.nodes.values().next().value as FleetNode).move(1);
  await agreed(fleet);
  assert.ok(fleet.largest < 1500, `the largest message was of ${fleet.largest} bytes`);
});

/** One node is cut off while two others move, half a minute apart; nobody says anything any more when it is back. */
async function afterCut(FleetOf: typeof Fleet): Promise<boolean> {
  const fleet = new FleetOf(5);
  await fleet.start(40);
  const [first, second, third] = fleet.nodes.values();
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await fleet.simulation.runUntil(() => fleet.isAgreed, 60_000);
  first.isCutOff = true;
  await second.move(1);
  await fleet.simulation.run(30_000);
  await third.move(1);
  await fleet.simulation.run(30_000);
  assert.equal(fleet.isAgreed, true);
  first.isCutOff = false;
  return fleet.simulation.runUntil(() => fleet.isAgreed, 60_000);
}

test("what a node missed long ago it learns when it is back, though nobody says it anew", async () => {
  assert.equal(await afterCut(Fleet), true);
});

test("gossip that never sends an old record is caught by that", async () => {
  const newest = "Math.max(...[...this.records.values()].map((known) => known.version))";
  const root = plantedCopy({
    name: "gossip that never sends an old record",
    file: "core/membership/record-table",
    find: ".filter((record) => isNews(record, known.get(record.node)))",
    replace: `.filter((record) => isNews(record, known.get(record.node)) && record.version > ${newest} - 10_000)`,
    and: { find: "versions.filter((version) => this.isNews(version))", replace: "[]" },
  });
  const planted = (await import(pathToFileURL(join(root, "tools/gossip-fleet.js")).href)) as { Fleet: typeof Fleet };
  assert.equal(await afterCut(planted.Fleet), false);
});
