/**
 * The trees of a store against those a scan of all of it would make, at every moment at which they claim to be worth
 * comparing: through writes, merges, removals, commits that fail and may have happened, and scans in between.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { emptyDotSet } from "../../src/core/causality/dot-set.ts";
import type { SiblingSet } from "../../src/core/causality/sibling-set.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import { HashTree, leafCount, leafLevel } from "../../src/core/merkle/hash-tree.ts";
import { keyDigest, leafOf } from "../../src/core/merkle/key-digest.ts";
import { foldHistory } from "../../src/core/ring/ring.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { newCounters } from "../../src/node/counters.ts";
import { placeOf } from "../../src/node/key-place.ts";
import { Replica } from "../../src/node/replica.ts";
import { Trees } from "../../src/node/trees.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { Prng } from "../../src/sim/prng.ts";
import { type StorageEngine, StorageError, type WriteOperation } from "../../src/storage/engine.ts";
import { MemoryEngine } from "../../src/storage/memory-engine.ts";
import { dataRange, parseDataKey } from "../../src/storage/store-key.ts";
import { type DurableListener, WriteBuffer } from "../../src/storage/write-buffer.ts";
import { decodeRecord } from "../../src/wire/record.ts";
import { anyState } from "../core/causality-arbitraries.ts";
import { plainRecord } from "../plain-record.ts";
import { foundEvent } from "./histories.ts";

const partitions = 4;

/** A store whose clock stands still and whose commits do what the test says. */
class Store {
  readonly engine: MemoryEngine = new MemoryEngine();
  damaged = 0;
  readonly buffer: WriteBuffer;
  readonly trees: Trees;
  readonly replica: Replica;
  readonly counters = newCounters();
  ring = foldHistory(foundEvent({ partitions, n: 3 }, { wide: { n: 5 } }));
  #turn: (() => void)[] = [];
  readonly #timers: Set<() => void> = new Set();
  /** How the next commits end; none means well. */
  failures: ("lost" | "kept")[] = [];

  constructor() {
    const clock: Clock = {
      wallMs: () => 1_700_000_000_000,
      monotonicMs: () => 0,
      // No timer fires but in `idle`: until then pages are scanned when the test says so.
      setTimer: (_, fire) => {
        this.#timers.add(fire);
        return { cancel: () => void this.#timers.delete(fire) };
      },
      endOfTurn: (fire) => void this.#turn.push(fire),
    };
    const failing = Object.create(this.engine, {
      write: { value: (operations: readonly WriteOperation[]) => this.#write(operations) },
      get: { value: (key: Uint8Array) => this.engine.get(key) },
      scan: { value: (...args: Parameters<StorageEngine["scan"]>) => this.engine.scan(...args) },
    }) as StorageEngine;
    this.buffer = new WriteBuffer({
      engine: failing,
      clock,
      limitBytes: 1e9,
      onCommitFailed: (_, keys) => this.trees.mayHaveReverted(keys),
    });
    const { buffer, counters } = this;
    const ring = () => this.ring;
    const onDamaged = (): void => {
      this.damaged += 1;
    };
    this.trees = new Trees({ clock, log: silentLog, checksum: machineChecksum, buffer, onDamaged, ring });
    const network = {} as never;
    const runtime = { clock, random: new Prng(1, "replica"), log: silentLog, checksum: machineChecksum, network };
    this.replica = new Replica({ runtime, buffer, limits: defaultLimits, counters, states: this.trees });
  }

  async #write(operations: readonly WriteOperation[]): Promise<void> {
    const failure = this.failures.shift();
    if (failure !== "lost") await this.engine.write(operations);
    if (failure !== undefined) throw new StorageError("disk-full", "full");
  }

  /** Starts the commit that is due, if one is. */
  turn(): void {
    for (const fire of this.#turn.splice(0)) fire();
  }

  async idle(): Promise<void> {
    for (let i = 0; i < 100 && (this.buffer.queuedBytes > 0 || this.#turn.length > 0); i++) {
      this.turn();
      for (const fire of this.#timers) {
        this.#timers.delete(fire);
        fire();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(this.buffer.queuedBytes, 0);
  }

  /** The trees as one look at everything makes them. */
  naive(): Map<string, HashTree> {
    const trees = new Map<string, HashTree>();
    for (const { key: storeKey, value } of this.buffer.scan(dataRange(), 1e6)) {
      const { partition, bucket, key } = parseDataKey(storeKey);
      const name = `${partition} ${bucket === "wide" ? 5 : 3}`;
      const tree = trees.get(name) ?? new HashTree();
      trees.set(name, tree);
      const { hi, lo } = keyDigest(bucket, key, decodeRecord(value, storeKey, machineChecksum).state);
      tree.apply(leafOf(bucket, key), hi, lo);
    }
    return trees;
  }

  check(): void {
    const naive = this.naive();
    for (let partition = 0; partition < partitions; partition++) {
      for (const n of [3, 5]) {
        const own = this.trees.tree({ partition: partition as never, n });
        const wanted = naive.get(`${partition} ${n}`) ?? new HashTree();
        assert.deepEqual(own?.hash(0, 0) ?? { hi: 0, lo: 0 }, wanted.hash(0, 0), `tree ${partition} ${n}`);
        for (let leaf = 0; leaf < leafCount; leaf += 1) {
          const found = own?.hash(leafLevel, leaf) ?? { hi: 0, lo: 0 };
          const { hi, lo } = wanted.hash(leafLevel, leaf);
          if (found.hi !== hi || found.lo !== lo) assert.fail(`tree ${partition} ${n}, leaf ${leaf}`);
        }
      }
    }
  }
}

type Step =
  | {
      readonly kind: "write" | "delete" | "merge";
      readonly bucket: string;
      readonly key: string;
      readonly state: SiblingSet;
      /** Whether anybody waits for it to be on disk: else the buffer keeps it when a commit fails. */
      readonly isWaitedFor?: boolean;
    }
  | { readonly kind: "turn" | "settle" | "advance" }
  | { readonly kind: "fail"; readonly how: "lost" | "kept" };

const anyKeyStep: fc.Arbitrary<Step> = plainRecord({
  kind: fc.constantFrom("write" as const, "delete" as const, "merge" as const),
  bucket: fc.constantFrom("narrow", "wide", "last"),
  key: fc.nat(40).map((i) => `k${i}`),
  isWaitedFor: fc.boolean(),
  // The values of these states have no checksum of their own.
  state: anyState.map((state) => ({
    ...state,
    siblings: state.siblings.map((sibling) => ({ ...sibling, checksum: machineChecksum(sibling.value) })),
  })),
});
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: anyKeyStep },
  {
    weight: 4,
    arbitrary: plainRecord({ kind: fc.constantFrom("turn" as const, "settle" as const, "advance" as const) }),
  },
  {
    weight: 1,
    arbitrary: plainRecord({
      kind: fc.constant("fail" as const),
      how: fc.constantFrom("lost" as const, "kept" as const),
    }),
  },
);

async function take(store: Store, step: Step): Promise<void> {
  switch (step.kind) {
    case "turn":
      return store.turn();
    case "settle":
      return void (await new Promise((resolve) => setImmediate(resolve)));
    case "advance":
      return void store.trees.advance();
    case "fail":
      return void store.failures.push(step.how);
    case "merge":
      return void store.replica.merge(placeIn(step), step.state, step.bucket === "last", listenerOf(step));
    case "write":
    case "delete": {
      const value = Uint8Array.of(1, 2, 3);
      const version = { value, checksum: machineChecksum(value), contentType: "a/b" };
      const seen = step.state.siblings.length > 0 ? step.state.context : emptyDotSet;
      const intent = { seen, lastWriteWins: step.bucket === "last", ...(step.kind === "write" && { version }) };
      store.replica.write(placeIn(step), intent, listenerOf(step));
    }
  }
}

function listenerOf({ isWaitedFor }: { readonly isWaitedFor?: boolean }): DurableListener | undefined {
  return isWaitedFor === true ? { onDurable: () => {}, onFailed: () => {} } : undefined;
}

function placeIn(step: { readonly bucket: string; readonly key: string }): ReturnType<typeof placeOf> {
  return placeOf(step.bucket, step.key, partitions);
}

test("whenever the trees are built they are those a scan would make", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyKeyStep, { maxLength: 120 }),
      fc.array(anyStep, { minLength: 5, maxLength: 80 }),
      async (earlier, steps) => {
        const store = new Store();
        // What an earlier process left behind.
        for (const step of earlier) await take(store, step);
        await store.idle();
        for (const step of steps) {
          await take(store, step);
          if (!store.trees.areBuilt) continue;
          store.check();
          compared++;
        }
        await store.idle();
        for (let pages = 0; pages < 50 && store.trees.advance(); pages++);
        assert.ok(store.trees.areBuilt);
        store.check();
      },
    ),
    { numRuns: 60 },
  );
  assert.ok(compared > 100, `${compared}`);
});

test("a damaged record is left out of its tree, told of, and nothing else is", async () => {
  const store = new Store();
  for (let i = 0; i < 20; i++) await take(store, { kind: "merge", bucket: "narrow", key: `k${i}`, state: stateOf(i) });
  await store.idle();
  const damaged = placeOf("narrow", "k7", partitions).storeKey.bytes;
  const bytes = (store.engine.get(damaged) as Uint8Array).slice();
  bytes[12] = (bytes[12] ?? 0) ^ 1;
  await store.engine.write([{ key: damaged, value: bytes }]);
  while (store.trees.advance());
  assert.ok(store.trees.areBuilt);
  assert.equal(store.damaged, 1);
  await store.engine.write([{ key: damaged, value: undefined }]);
  store.check();
});

test("a scan of many pages takes what is written behind it and not twice what is written before it", async () => {
  const store = new Store();
  for (let i = 0; i < 500; i++) await take(store, { kind: "merge", bucket: "narrow", key: `k${i}`, state: stateOf(i) });
  await store.idle();
  let pages = 0;
  let isMore = true;
  while (isMore) {
    isMore = store.trees.advance();
    pages++;
    // Every key, so that the ones right at the scan's position are among them.
    for (let i = 0; i < 600; i++) {
      await take(store, { kind: "merge", bucket: "narrow", key: `k${i}`, state: stateOf(pages * 1000 + i) });
    }
  }
  assert.ok(pages > 5, `${pages}`);
  store.check();
});

test("a write that is the first to notice another number of copies is in its tree once", async () => {
  const store = new Store();
  store.trees.start();
  await store.idle();
  store.ring = foldHistory(foundEvent({ partitions, n: 3 }, { wide: { n: 5 }, narrow: { n: 3 }, other: { n: 2 } }));
  await take(store, { kind: "merge", bucket: "narrow", key: "k", state: stateOf(1) });
  await store.idle();
  while (store.trees.advance());
  store.check();
});

function stateOf(i: number): SiblingSet {
  return { context: [{ actor: "x" as never, from: i + 1, to: i + 1, time: 1 }], siblings: [] };
}
