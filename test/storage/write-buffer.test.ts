/**
 * The write buffer against a naive account of what was asked, over an engine whose commits a test finishes or fails by
 * hand, in any order of events.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compareBytes } from "../../src/core/bytes/order.ts";
import type { PartitionId } from "../../src/core/ids.ts";
import type { Clock, Timer } from "../../src/runtime/clock.ts";
import {
  type EngineUsage,
  type KeyRange,
  type StorageEngine,
  StorageError,
  type StoredEntry,
  type WriteOperation,
} from "../../src/storage/engine.ts";
import { MemoryEngine } from "../../src/storage/memory-engine.ts";
import { dataKey, dataRange, partitionRange, type StoreKey } from "../../src/storage/store-key.ts";
import { type DurableListener, WriteBuffer } from "../../src/storage/write-buffer.ts";
import { plainRecord } from "../plain-record.ts";

/** Commits wait for `finish`. */
class HandEngine implements StorageEngine {
  readonly name = "hand";
  readonly stored: MemoryEngine = new MemoryEngine();
  underWay:
    | { readonly operations: readonly WriteOperation[]; settle(error: StorageError | undefined): void }
    | undefined;

  get(key: Uint8Array): Uint8Array | undefined {
    return this.stored.get(key);
  }
  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    return this.stored.scan(range, limit);
  }
  write(operations: readonly WriteOperation[]): Promise<void> {
    assert.equal(this.underWay, undefined, "one commit at a time");
    assert.notEqual(operations.length, 0, "no empty commit");
    return new Promise((resolve, reject) => {
      this.underWay = { operations, settle: (error) => (error === undefined ? resolve() : reject(error)) };
    });
  }
  /** The values that the commit under way writes. */
  values(): readonly (Uint8Array | undefined)[] {
    return this.underWay?.operations.map(({ value }) => value) ?? [];
  }
  /** The commit ends: well, or badly with nothing of it or all of it on disk. */
  async finish(how: "well" | "badly" | "badly, but written"): Promise<void> {
    const commit = this.underWay;
    if (commit === undefined) return;
    this.underWay = undefined;
    if (how !== "badly") await this.stored.write(commit.operations);
    commit.settle(how === "well" ? undefined : new StorageError("disk-full", "no room"));
    await microtasks();
  }
  drop(range: KeyRange): Promise<void> {
    return this.stored.drop(range);
  }
  usage(): EngineUsage {
    return this.stored.usage();
  }
  close(): Promise<void> {
    return this.stored.close();
  }
}

class HandClock implements Clock {
  readonly #due: (() => void)[] = [];
  wallMs(): number {
    return 0;
  }
  monotonicMs(): number {
    return 0;
  }
  #timers: { fire(): void }[] = [];
  setTimer(_delayMs: number, fire: () => void): Timer {
    const timer = { fire };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }
  /** Time passes: every timer fires. */
  pass(): void {
    for (const { fire } of this.#timers.splice(0)) fire();
  }
  endOfTurn(fire: () => void): void {
    this.#due.push(fire);
  }
  turn(): void {
    for (const fire of this.#due.splice(0)) fire();
  }
}

/** Waits for a write, and does nothing with the news. */
const somebody: DurableListener = { onDurable: () => {}, onFailed: () => {} };

function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const keys: readonly StoreKey[] = ["a", "b", "c", "d", "e"].map((key, i) =>
  dataKey((i % 2) as PartitionId, "bucket", key),
);

/** One put as its caller remembers it. */
interface Asked {
  readonly key: StoreKey;
  readonly value: Uint8Array | undefined;
  state: "waiting" | "under way" | "durable" | "failed";
  /** Nobody waits for it, or it took over a value of which that is so: a full disk must not make it go. */
  isPromised: boolean;
  readonly isHeard: boolean;
  told: ("durable" | "failed")[];
}

type Step =
  | {
      readonly kind: "put";
      readonly key: number;
      readonly deletes: boolean;
      readonly size: number;
      readonly isHeard: boolean;
      readonly isLater: boolean;
    }
  | { readonly kind: "follow"; readonly key: number }
  | { readonly kind: "promise"; readonly key: number }
  | { readonly kind: "turn" }
  | { readonly kind: "pass" }
  | { readonly kind: "finish"; readonly how: "well" | "badly" | "badly, but written" };

const keyIndex: fc.Arbitrary<number> = fc.nat(keys.length - 1);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: plainRecord({
        kind: fc.constant("put" as const),
        key: keyIndex,
        deletes: fc.boolean(),
        size: fc.nat(2000),
        isHeard: fc.boolean(),
        isLater: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: plainRecord({ kind: fc.constant("follow" as const), key: keyIndex }) },
    { weight: 1, arbitrary: plainRecord({ kind: fc.constant("promise" as const), key: keyIndex }) },
    { weight: 3, arbitrary: plainRecord({ kind: fc.constant("turn" as const) }) },
    { weight: 1, arbitrary: plainRecord({ kind: fc.constant("pass" as const) }) },
    {
      weight: 3,
      arbitrary: plainRecord({
        kind: fc.constant("finish" as const),
        how: fc.constantFrom("well" as const, "well" as const, "badly" as const, "badly, but written" as const),
      }),
    },
  ),
  { maxLength: 60 },
);

/** Runs the steps and checks every law after each. */
async function play(script: readonly Step[], batchBytes: number): Promise<void> {
  const engine = new HandEngine();
  const clock = new HandClock();
  let failures = 0;
  const buffer = new WriteBuffer({
    engine,
    clock,
    limitBytes: 3000,
    batchBytes,
    onCommitFailed: () => failures++,
  });
  const asked: Asked[] = [];
  const followers: { readonly of: Asked; told: string[] }[] = [];
  let serial = 0;
  let failedCommits = 0;

  const newest = (key: StoreKey): Asked | undefined =>
    asked.findLast((put) => put.key === key && (put.state === "waiting" || put.state === "under way"));
  const expected = (key: StoreKey): Uint8Array | undefined => {
    const put = newest(key);
    return put === undefined ? engine.get(key.bytes) : put.value;
  };
  const takeNote = (): void => {
    const commit = engine.underWay;
    if (commit === undefined || asked.some((put) => put.state === "under way")) return;
    for (const { key, value } of commit.operations) {
      const waiting = asked.filter((put) => put.key.bytes === key && put.state === "waiting");
      assert.equal(waiting.at(-1)?.value, value, "a commit takes a key's newest value");
      for (const put of waiting) put.state = "under way";
    }
  };
  /** What a failed commit leaves waiting: the newest values of keys that hold a promise, where nothing newer waits. */
  const keptOf = (failed: readonly Asked[]): Asked[] =>
    keys.flatMap((key) => {
      const group = failed.filter((put) => put.key === key);
      const last = group.at(-1);
      if (last === undefined || !group.some((put) => put.isPromised)) return [];
      const newer = asked.filter((put) => put.key === key && put.state === "waiting");
      for (const put of newer) put.isPromised = true;
      return newer.length > 0 ? [] : [{ ...last, state: "waiting", isPromised: true, isHeard: false, told: [] }];
    });
  const check = (): void => {
    for (const key of keys) assert.deepEqual(buffer.get(key), expected(key));
    const naive = [...keys]
      .sort((a, b) => compareBytes(a.bytes, b.bytes))
      .flatMap((key) => {
        const value = expected(key);
        return value === undefined ? [] : [{ key: key.bytes, value }];
      });
    for (const limit of [0, 1, 2, 3, 10])
      assert.deepEqual(plain(buffer.scan(dataRange(), limit)), naive.slice(0, limit));
    const inOne = naive.filter(({ key }) => key[2] === 1);
    assert.deepEqual(plain(buffer.scan(partitionRange(1 as PartitionId), 2)), inOne.slice(0, 2));
    const waits = asked.some((put) => put.state === "waiting" || put.state === "under way");
    assert.equal(buffer.queuedBytes > 0, waits);
    assert.equal(buffer.isFull, buffer.queuedBytes >= 3000);
    for (const put of asked) {
      const told = put.isHeard && (put.state === "durable" || put.state === "failed") ? [put.state] : [];
      assert.deepEqual(put.told, told, "told once, and the truth");
    }
    for (const { of, told } of followers) assert.deepEqual(told, of.told);
    assert.equal(failures, failedCommits);
  };

  for (const step of script) {
    if (step.kind === "put") {
      const value = step.deletes ? undefined : new Uint8Array(4 + step.size).fill(serial++ % 256);
      const { isHeard } = step;
      const key = keys[step.key] as StoreKey;
      const put: Asked = { key, value, state: "waiting", isPromised: !isHeard, isHeard, told: [] };
      const listener = { onDurable: () => put.told.push("durable"), onFailed: () => put.told.push("failed") };
      const act = (): void => buffer.put(put.key, value, isHeard ? listener : undefined);
      if (step.isLater) buffer.later(act);
      else act();
      asked.push(put);
    } else if (step.kind === "follow") {
      const key = keys[step.key] as StoreKey;
      const of = newest(key);
      const told: string[] = [];
      if (of?.isHeard === false) continue;
      const follows = buffer.follow(key, {
        onDurable: () => told.push("durable"),
        onFailed: () => told.push("failed"),
      });
      assert.equal(follows, of !== undefined);
      if (of !== undefined) followers.push({ of, told });
    } else if (step.kind === "promise") {
      const key = keys[step.key] as StoreKey;
      const of = newest(key);
      buffer.promise(key);
      if (of !== undefined) of.isPromised = true;
    } else if (step.kind === "turn") {
      clock.turn();
      takeNote();
    } else if (step.kind === "pass") {
      clock.pass();
    } else {
      if (engine.underWay !== undefined && step.how !== "well") failedCommits++;
      const ended = asked.filter((put) => put.state === "under way");
      for (const put of ended) put.state = step.how === "well" ? "durable" : "failed";
      if (step.how !== "well") asked.push(...keptOf(ended));
      await engine.finish(step.how);
    }
    check();
  }

  // Whoever waits for all of it hurries it; it must come to its end without that, too.
  const idle = script.length % 2 === 0 ? buffer.idle() : undefined;
  for (let i = 0; i < 2 * asked.length && buffer.queuedBytes > 0; i++) {
    clock.pass();
    clock.turn();
    takeNote();
    for (const put of asked) if (put.state === "under way") put.state = "durable";
    await engine.finish("well");
    check();
  }
  await (idle ?? buffer.idle());
  assert.equal(buffer.queuedBytes, 0);
  for (const put of asked) assert.equal(put.told.length, put.isHeard ? 1 : 0);
}

function plain(entries: readonly StoredEntry[]): StoredEntry[] {
  return entries.map(({ key, value }) => ({ key, value }));
}

describe("the write buffer", () => {
  test("shows the newest of what is stored and what is on its way, and tells each writer once, whatever fails", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(1, 600, 3000, 1e9), (script, batchBytes) => play(script, batchBytes)),
      { numRuns: 300 },
    );
  });

  test("commits the writes of one turn together, and those that come meanwhile after them", async () => {
    const engine = new HandEngine();
    const clock = new HandClock();
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e6 });
    for (const key of keys) buffer.put(key, Uint8Array.of(1), somebody);
    assert.equal(engine.underWay, undefined);
    clock.turn();
    assert.equal(engine.values().length, keys.length);
    buffer.put(keys[0] as StoreKey, Uint8Array.of(2), somebody);
    buffer.put(keys[0] as StoreKey, Uint8Array.of(3), somebody);
    clock.turn();
    await engine.finish("well");
    clock.turn();
    assert.deepEqual(engine.values(), [Uint8Array.of(3)]);
    await engine.finish("well");
    assert.deepEqual(buffer.counts, { commits: 2, failedCommits: 0, writes: keys.length + 2 });
  });

  test("lets what is put later wait for a commit that others need, or for a while", async () => {
    const engine = new HandEngine();
    const clock = new HandClock();
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e6 });
    const [first, second, third] = keys as [StoreKey, StoreKey, StoreKey];
    buffer.later(() => buffer.put(first, Uint8Array.of(1)));
    assert.deepEqual(buffer.get(first), Uint8Array.of(1));
    clock.turn();
    assert.equal(engine.underWay, undefined, "it begins no commit");
    buffer.put(second, Uint8Array.of(2), somebody);
    clock.turn();
    assert.equal(engine.values().length, 2, "it goes with the next one");
    buffer.later(() => buffer.put(third, Uint8Array.of(3)));
    await engine.finish("well");
    clock.turn();
    assert.equal(engine.underWay, undefined, "the end of a commit begins none");
    clock.pass();
    clock.turn();
    assert.deepEqual(engine.values(), [Uint8Array.of(3)], "it does not wait for ever");
    await engine.finish("well");
    buffer.later(() => buffer.put(third, Uint8Array.of(4)));
    buffer.follow(third, somebody);
    clock.turn();
    assert.deepEqual(engine.values(), [Uint8Array.of(4)], "nor does one who waits for it");
    buffer.follow(third, somebody);
    await engine.finish("well");
    buffer.later(() => buffer.put(first, Uint8Array.of(5)));
    clock.pass();
    clock.turn();
    assert.deepEqual(engine.values(), [Uint8Array.of(5)], "nor after one who waits for what is under way already");
  });

  test("gathers what nobody waits for, for a while, until somebody waits, or until there is much of it", async () => {
    const engine = new HandEngine();
    const clock = new HandClock();
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e7 });
    const [first, second, third] = keys as [StoreKey, StoreKey, StoreKey];
    buffer.put(first, Uint8Array.of(1));
    clock.turn();
    buffer.put(second, Uint8Array.of(2));
    clock.turn();
    assert.equal(engine.underWay, undefined, "a turn's end is no reason");
    clock.pass();
    clock.turn();
    assert.equal(engine.values().length, 2, "but time is");
    await engine.finish("well");
    buffer.put(first, Uint8Array.of(3));
    buffer.put(second, Uint8Array.of(4), somebody);
    clock.turn();
    assert.equal(engine.values().length, 2, "and so is one who waits, for this key or another");
    buffer.put(third, Uint8Array.of(5));
    await engine.finish("well");
    clock.turn();
    assert.equal(engine.underWay, undefined, "the next one has time again");
    buffer.put(first, new Uint8Array(600_000));
    clock.turn();
    assert.equal(engine.values().length, 2, "there is much of it");
    await engine.finish("well");
    assert.equal(buffer.queuedBytes, 0);
  });

  test("shows the store's own value again once a commit has failed of which its writer hears", async () => {
    const engine = new HandEngine();
    const clock = new HandClock();
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e6 });
    const key = keys[0] as StoreKey;
    await engine.stored.write([{ key: key.bytes, value: Uint8Array.of(1) }]);
    buffer.put(key, Uint8Array.of(2), { onDurable: () => {}, onFailed: () => {} });
    clock.turn();
    assert.deepEqual(buffer.get(key), Uint8Array.of(2));
    await engine.finish("badly");
    assert.deepEqual(buffer.get(key), Uint8Array.of(1));
  });

  test("keeps a write that nobody waits for until the disk has room, and what was written over it in between", async () => {
    const engine = new HandEngine();
    const clock = new HandClock();
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e6 });
    const [promised, replaced] = keys as [StoreKey, StoreKey];
    buffer.put(promised, Uint8Array.of(1));
    buffer.put(replaced, Uint8Array.of(1));
    clock.pass();
    clock.turn();
    buffer.put(replaced, Uint8Array.of(2), { onDurable: () => {}, onFailed: () => {} });
    for (let i = 0; i < 3; i++) {
      await engine.finish("badly");
      assert.deepEqual([buffer.get(promised), buffer.get(replaced)], [Uint8Array.of(1), Uint8Array.of(2)]);
      clock.pass();
      clock.turn();
    }
    await engine.finish("well");
    assert.deepEqual([engine.get(promised.bytes), engine.get(replaced.bytes)], [Uint8Array.of(1), Uint8Array.of(2)]);
    assert.equal(buffer.queuedBytes, 0);
  });

  test("tells of the failure before it tells the writers", async () => {
    const engine = new HandEngine();
    const clock = new HandClock();
    const heard: string[] = [];
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e6, onCommitFailed: () => heard.push("buffer") });
    buffer.put(keys[0] as StoreKey, Uint8Array.of(2), {
      onDurable: () => heard.push("durable"),
      onFailed: ({ code }) => heard.push(code),
    });
    clock.turn();
    await engine.finish("badly");
    assert.deepEqual(heard, ["buffer", "disk-full"]);
  });

  test("takes no write once closed, and finishes those it has", async () => {
    const engine = new HandEngine();
    const clock = new HandClock();
    const buffer = new WriteBuffer({ engine, clock, limitBytes: 1e6 });
    buffer.put(keys[0] as StoreKey, Uint8Array.of(2));
    let isClosed = false;
    const closed = buffer.close().then(() => {
      isClosed = true;
    });
    assert.throws(() => buffer.put(keys[1] as StoreKey, Uint8Array.of(1)), { code: "closed" });
    clock.turn();
    await microtasks();
    assert.equal(isClosed, false);
    await engine.finish("well");
    await closed;
    assert.deepEqual(engine.get((keys[0] as StoreKey).bytes), Uint8Array.of(2));
  });
});
