import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ActorSource, type MintRecord } from "../../src/core/causality/minting.ts";
import { parseActorId } from "../../src/core/ids.ts";

const bits = (...bytes: readonly number[]): Uint8Array => Uint8Array.from({ length: 8 }, (_, i) => bytes[i] ?? 0);

describe("minting", () => {
  test("goes on under the record's actor, from 1, within a run", () => {
    const source = new ActorSource(bits(1));
    const first = source.mint(undefined);
    assert.equal(first.dot.counter, 1);
    const second = source.mint(first.record);
    assert.deepEqual(second.dot, { actor: first.dot.actor, counter: 2 });
    assert.deepEqual(second.record, second.dot);
  });
  test("without a record begins a new actor, each time another", () => {
    const source = new ActorSource(bits(1));
    const made = Array.from({ length: 100 }, () => source.mint(undefined).dot.actor);
    assert.equal(new Set(made).size, 100);
    for (const actor of made) assert.equal(parseActorId(actor), actor);
  });
  test("a record of another run is void", () => {
    const record = new ActorSource(bits(1)).mint(undefined).record;
    const { dot } = new ActorSource(bits(2)).mint(record);
    assert.notEqual(dot.actor, record.actor);
    assert.equal(dot.counter, 1);
  });
  test("once the run is renewed, every older record is void, and new actors are new", () => {
    const source = new ActorSource(bits(1));
    const old: MintRecord[] = Array.from({ length: 5 }, () => source.mint(undefined).record);
    source.renewRun(bits(9));
    for (const record of old) assert.ok(!old.some(({ actor }) => actor === source.mint(record).dot.actor));
  });
  test("a run is named by eight bytes, and nothing else", () => {
    assert.throws(() => new ActorSource(new Uint8Array(7)), RangeError);
    assert.match(
      new ActorSource(bits(255, 255, 255, 255, 255, 255, 255, 255)).mint(undefined).dot.actor,
      /^[\w-]{11}\.0$/,
    );
  });
});
