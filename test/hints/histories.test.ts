/**
 * Random histories of one node that keeps hints: writes minted and merged, deliveries whose answers come late or never,
 * crashes, full and slow disks. Two laws: a dot is minted once, ever; and what was kept durably is kept, or was taken.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dot } from "../../src/core/causality/dot.ts";
import { holds } from "../../src/core/causality/dot-set.ts";
import { emptySiblingSet, mergeStates, type SiblingSet } from "../../src/core/causality/sibling-set.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Hint } from "../../src/node/hints.ts";
import { Prng } from "../../src/sim/prng.ts";
import { HintStore, intentOf, ownerA, ownerB, place, Told, textsOf } from "./hint-store.ts";

const keys = ["k1", "k2", "k3"];

class History {
  readonly chance: Prng;
  readonly store: HintStore;
  /** What each dot was minted for. */
  readonly minted: Map<string, string> = new Map();
  /** Dots that were kept durably, by key. */
  readonly promised: { readonly key: string; readonly dot: Dot; readonly told: Told }[] = [];
  /** What owners have on their disks, by key: what they took and what was sent elsewhere is merged. */
  readonly taken: Map<string, SiblingSet> = new Map();
  readonly underWay: Hint[] = [];
  writes = 0;
  crashes = 0;

  constructor(seed: number) {
    this.chance = new Prng(seed, "histories");
    this.store = new HintStore({}, seed);
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const roll = this.chance.below(20);
      if (roll < 9) this.#write();
      else if (roll < 12) this.#send();
      else if (roll < 16) this.#answer();
      else if (roll === 16) this.#crash();
      else if (roll === 17) this.store.disk.isFull = !this.store.disk.isFull;
      else await this.store.world.simulation.run(this.chance.below(8));
    }
    this.store.disk.isFull = false;
    await this.store.world.simulation.run(5000);
    this.#crash();
    await this.store.settled();
    this.#assertNothingLost();
  }

  #write(): void {
    const key = this.#any(keys);
    const text = `write ${++this.writes}`;
    const told = new Told();
    const listener = this.chance.below(3) === 0 ? undefined : told;
    const written = this.store.hints.write(this.#any([ownerA, ownerB]), place(key), intentOf(text), listener);
    if (written.kind === "refused") return;
    const name = `${written.dot.actor}:${written.dot.counter}`;
    assert.equal(this.minted.get(name), undefined, `${name} for ${text}`);
    this.minted.set(name, text);
    assert.ok(textsOf(written.state).includes(text));
    this.promised.push({ key, dot: written.dot, told });
  }

  #send(): void {
    const owner: NodeId = this.#any([ownerA, ownerB]);
    this.underWay.push(...this.store.hints.page(owner, undefined, 10).hints);
  }

  /** An owner has what was sent, and says so, or is not heard. */
  #answer(): void {
    const [hint] = this.underWay.splice(this.chance.below(Math.max(1, this.underWay.length)), 1);
    if (hint === undefined) return;
    const { key } = hint.place;
    this.taken.set(key, mergeStates(this.taken.get(key) ?? emptySiblingSet, hint.state));
    if (this.chance.below(4) > 0) this.store.hints.takeOut(hint);
  }

  /** What was under way may still be answered, to the next process too: its hints have to be what was sent. */
  #crash(): void {
    this.crashes += 1;
    this.store.crash();
    this.store.disk.isFull = false;
    this.store.start();
  }

  #assertNothingLost(): void {
    for (const { key, dot, told } of this.promised) {
      if (told.told !== "durable") continue;
      const found = this.store.hints.read(place(key));
      assert.ok(found.kind === "state");
      const states = [found.state, this.taken.get(key)];
      const isKnown = states.some((state) => state !== undefined && holds(state.context, dot));
      assert.ok(isKnown, `${dot.actor}:${dot.counter} of ${key} was kept durably, and is gone`);
    }
  }

  #any<T>(values: readonly T[]): T {
    return values[this.chance.below(values.length)] as T;
  }
}

test("no dot is minted twice, and nothing that was kept durably is lost", async (t) => {
  let writes = 0;
  let durable = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const history = new History(seed);
    await history.run(150);
    writes += history.minted.size;
    durable += history.promised.filter(({ told }) => told.told === "durable").length;
  }
  t.diagnostic(`${writes} writes, ${durable} of them known to be durable`);
  assert.ok(durable > 1000, String(durable));
});
