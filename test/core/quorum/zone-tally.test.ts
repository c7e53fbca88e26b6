/** Zones are counted by who answers with a voice or a copy, and by nobody else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../../src/core/ids.ts";
import { ZoneTally } from "../../../src/core/quorum/zone-tally.ts";
import { plainRecord } from "../../plain-record.ts";

const node = (i: number): NodeId => i.toString(16).padStart(16, "0") as NodeId;

/** By definition, from what became of each node. */
class Twin {
  readonly state: Map<number, "owner" | "stand-in" | "counts" | "nothing"> = new Map();
  isHurried = false;
  readonly zones: readonly number[];

  constructor(zones: readonly number[], owners: number) {
    this.zones = zones;
    for (let i = 0; i < owners; i++) this.state.set(i, "owner");
  }

  count(...kinds: readonly string[]): number {
    const those = [...this.state].filter(([, state]) => kinds.includes(state));
    return new Set(those.map(([i]) => this.zones[i])).size;
  }
}

test("what came, what is missing, and whether it can still come are as defined, after every step", () => {
  const steps = fc.array(
    plainRecord({ at: fc.nat(8), how: fc.constantFrom("stand-in", "voice", "nothing", "failed", "hurry") }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 9, maxLength: 9 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      steps,
      (zones, needed, owners, changes) => {
        const twin = new Twin(zones, owners);
        const zoneOf = (id: NodeId): string => `z${zones[Number.parseInt(id, 16)]}`;
        const first = Array.from({ length: owners }, (_, i) => node(i));
        const tally = new ZoneTally(needed, first, zoneOf);
        for (const { at, how } of changes) {
          if (how === "hurry") {
            twin.isHurried = true;
            tally.hurry();
          } else if (how === "stand-in") {
            // An owner stands in for nobody; one that answered with nothing may be asked again.
            if (at < owners && twin.state.get(at) === "owner") continue;
            if (twin.state.get(at) === "counts") continue;
            twin.state.set(at, "stand-in");
            tally.standInAsked(node(at));
          } else {
            const state = twin.state.get(at);
            if (state !== "owner" && state !== "stand-in") continue;
            twin.state.set(at, how === "voice" ? "counts" : "nothing");
            if (how === "failed") tally.failed(node(at));
            else tally.heard(node(at), how === "voice" ? { seat: 0, epoch: 1 } : undefined, false);
          }
          assert.equal(tally.received, twin.count("counts"));
          assert.equal(tally.isMet, twin.count("counts") >= needed);
          assert.equal(tally.isLost, twin.count("counts", "owner", "stand-in") < needed);
          const awaited = twin.isHurried ? ["counts", "stand-in"] : ["counts", "stand-in", "owner"];
          assert.equal(tally.missing, needed - twin.count(...awaited));
          const others = zones.map((_, i) => i).filter((i) => i >= owners && !twin.state.has(i));
          const wanted = tally.wanted(others.map(node)).map((id) => Number.parseInt(id, 16));
          for (const i of wanted) twin.state.set(i, "stand-in");
          assert.ok(wanted.length <= Math.max(0, tally.missing));
          assert.equal(twin.count(...awaited), needed - tally.missing + wanted.length, "each brings a zone");
          for (const i of wanted) twin.state.delete(i);
        }
      },
    ),
  );
});

test("a voice that turns out to be outdated counts for its zone no more, and the seat's new owner is waited for", () => {
  const zoneOf = (id: NodeId): string => (id === node(1) ? "a" : "b");
  const tally = new ZoneTally(2, [node(0), node(1)], zoneOf);
  tally.heard(node(0), { seat: 0, epoch: 1 }, true);
  tally.heard(node(1), { seat: 1, epoch: 1 }, true);
  assert.equal(tally.isMet, true);
  tally.follow(({ seat, epoch }) => seat === 0 && epoch < 2);
  assert.equal(tally.received, 1);
  assert.equal(tally.isLost, true, "nobody else is asked yet");
  tally.ownerAsked(node(2));
  assert.equal(tally.isLost, false);
  tally.heard(node(2), { seat: 0, epoch: 2 }, false);
  assert.equal(tally.isMet, true);
});

test("one that nobody knows as a member counts for no zone: it may be in one that counts already", () => {
  const tally = new ZoneTally(2, [node(0), node(1)], (id) => (id === node(0) ? "a" : undefined));
  tally.heard(node(0), { seat: 0, epoch: 1 }, true);
  tally.heard(node(1), { seat: 1, epoch: 1 }, true);
  assert.equal(tally.received, 1);
  assert.equal(tally.isMet, false);
  assert.deepEqual(tally.wanted([node(2)]), []);
});
