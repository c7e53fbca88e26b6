/**
 * What every storage engine must do: the port's laws (`engine.ts`) as cases for any test runner, and for the simulator.
 *
 *     for (const { name, run } of engineConformance(openHarness)) test(name, run);
 *
 * Each case opens a harness of its own, throws an `EngineNonconformity` that says what was expected, and disposes of
 * the harness. What an engine cannot do (reopen, crash, fail on demand) its harness leaves out, and the cases that
 * need it are left out, too.
 */

import { compareBytes } from "../core/bytes/order.ts";
import {
  bytesOf,
  expect,
  expectBytes,
  expectEntries,
  expectFailure,
  LawModel,
  Lottery,
  put,
} from "./conformance-model.ts";
import type { KeyRange, StorageEngine, StoredEntry, WriteOperation } from "./engine.ts";
import { keyAfter } from "./store-key.ts";

/** One engine to try, and what its maker can do to it. */
export interface EngineHarness {
  /** Opened on nothing. */
  readonly engine: StorageEngine;
  /** Opens the same store again, after `engine` was closed. Absent for an engine that forgets. */
  readonly reopen?: () => Promise<StorageEngine>;
  /** Takes away the power, writes under way included, then opens the same store again. */
  readonly crash?: () => Promise<StorageEngine>;
  /** From here on writes fail (true), or work again (false). */
  readonly failWrites?: (isFailing: boolean) => Promise<void>;
  /** Removes whatever is left, open or closed. */
  dispose(): Promise<void>;
}

/** One law's trial. `run` rejects where the engine breaks it. */
export interface ConformanceCase {
  readonly name: string;
  run(): Promise<void>;
}

export interface ConformanceOptions {
  /** What the random cases draw from; equal seeds, equal operations. */
  readonly seed?: number;
  /** How many random operations the model case does. */
  readonly operations?: number;
}

const everything: KeyRange = { from: Uint8Array.of(0), to: Uint8Array.of(0xff, 0xff, 0xff, 0xff) };
const mebibyte: number = 1024 * 1024;

/** The cases that an engine's harness allows. Opens one harness to see which. */
export async function engineConformance(
  open: () => Promise<EngineHarness>,
  options: ConformanceOptions = {},
): Promise<readonly ConformanceCase[]> {
  const probe = await open();
  await probe.dispose();
  const cases: ConformanceCase[] = [];
  const add = (name: string, trial: (harness: EngineHarness) => Promise<void>): void => {
    cases.push({ name, run: () => tried(open, trial) });
  };
  addReading(add);
  addBatches(add);
  addScans(add);
  addDrops(add);
  addClosing(add);
  if (probe.reopen !== undefined) {
    addReopening(add);
    addRoomTakenAndGivenBack(add);
  }
  if (probe.crash !== undefined) addCrashes(add);
  if (probe.failWrites !== undefined) addFailures(add);
  add("agrees with a sorted list over random operations", (harness) =>
    randomOperations(harness, new Lottery(options.seed ?? 1), options.operations ?? 300),
  );
  return cases;
}

type Add = (name: string, trial: (harness: EngineHarness) => Promise<void>) => void;

async function tried(
  open: () => Promise<EngineHarness>,
  trial: (harness: EngineHarness) => Promise<void>,
): Promise<void> {
  const harness = await open();
  try {
    await trial(harness);
  } finally {
    await harness.dispose();
  }
}

function addReading(add: Add): void {
  add("has nothing under a key nobody wrote", async ({ engine }) => {
    expect(engine.get(bytesOf("nobody")) === undefined, "a value under an unwritten key");
  });
  add("reads back what was written, once the write has resolved", async ({ engine }) => {
    for (let i = 0; i < 20; i++) {
      await engine.write([put("k", `value ${i}`)]);
      expectBytes(engine.get(bytesOf("k")), bytesOf(`value ${i}`));
    }
  });
  add("tells an empty value from none", async ({ engine }) => {
    await engine.write([put("empty", "")]);
    expectBytes(engine.get(bytesOf("empty")), new Uint8Array(0));
    expectEntries(engine.scan(everything, 10), [{ key: bytesOf("empty"), value: new Uint8Array(0) }]);
  });
  add("keeps values of megabytes and keys of over a kilobyte", async ({ engine }) => {
    const key = new Uint8Array(1156).fill(0xfe);
    const value = new Uint8Array(5 * mebibyte).map((_, i) => i * 31 + (i >> 8));
    await engine.write([{ key, value }, put("small", "next to it")]);
    expectBytes(engine.get(key), value);
    expectEntries(engine.scan({ from: Uint8Array.of(0xf0), to: Uint8Array.of(0xff) }, 2), [{ key, value }]);
  });
  add("leaves what it gave out as it was, while more is read", async ({ engine }) => {
    const sizes = [0, 1, 40, 5000, 70_000, 300_000, 3, 20];
    await engine.write(sizes.map((size, i) => ({ key: bytesOf(`k${i}`), value: new Uint8Array(size).fill(i + 1) })));
    const read = sizes.map((_, i) => engine.get(bytesOf(`k${i}`)));
    const scanned = engine.scan(everything, 100);
    for (const [i, size] of sizes.entries()) {
      expectBytes(read[i], new Uint8Array(size).fill(i + 1));
      expectBytes(scanned[i]?.value, new Uint8Array(size).fill(i + 1));
    }
  });
  add("keeps nothing of its caller's once a write has resolved", async ({ engine }) => {
    const key = bytesOf("key");
    const value = bytesOf("value");
    await engine.write([{ key, value }]);
    key.fill(0);
    value.fill(0);
    expectBytes(engine.get(bytesOf("key")), bytesOf("value"));
    expectEntries(engine.scan(everything, 10), [{ key: bytesOf("key"), value: bytesOf("value") }]);
  });
  add("gives plain byte arrays, whose slice is a copy", async ({ engine }) => {
    await engine.write([put("k", "value")]);
    const found = [engine.get(bytesOf("k")), ...engine.scan(everything, 1).flatMap(({ key, value }) => [key, value])];
    for (const bytes of found) {
      expect(
        bytes !== undefined && Object.getPrototypeOf(bytes) === Uint8Array.prototype,
        "a plain Uint8Array, not one of its heirs",
      );
    }
  });
}

function addBatches(add: Add): void {
  add("applies a batch in its order", async ({ engine }) => {
    await engine.write([put("a", "1"), put("b", "1"), put("a", "2"), del("b"), del("c"), put("c", "1")]);
    expectBytes(engine.get(bytesOf("a")), bytesOf("2"));
    expect(engine.get(bytesOf("b")) === undefined, "b deleted by the later operation");
    expectBytes(engine.get(bytesOf("c")), bytesOf("1"));
  });
  add("takes an empty batch, and the deletion of what is not there", async ({ engine }) => {
    await engine.write([]);
    await engine.write([del("nobody")]);
    expectEntries(engine.scan(everything, 10), []);
  });
  add("never shows half a batch", async ({ engine }) => {
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 50; i++) {
      const operations = [put("first", `${i}`), ...fill(20, i), put("last", `${i}`)];
      writes.push(engine.write(operations).then(() => expectPair(engine)));
    }
    const outcomes = await Promise.allSettled(writes);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    expectBytes(engine.get(bytesOf("last")), bytesOf("49"));
  });
  add("applies writes that overlap in the order they were asked for", async ({ engine }) => {
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 200; i++) writes.push(engine.write([put("same", `${i}`), put(`own ${i}`, `${i}`)]));
    await Promise.all(writes);
    expectBytes(engine.get(bytesOf("same")), bytesOf("199"));
    for (let i = 0; i < 200; i++) expectBytes(engine.get(bytesOf(`own ${i}`)), bytesOf(`${i}`));
  });
  add("takes a batch of thousands", async ({ engine }) => {
    const operations = Array.from({ length: 5000 }, (_, i) => put(`key ${i}`, `value ${i}`));
    await engine.write(operations);
    for (const { key, value } of operations) expectBytes(engine.get(key), value);
    const { keys, bytes } = engine.usage();
    expect(keys > 0 && bytes > 0, `a usage of some keys and bytes, not ${keys} and ${bytes}`);
  });
}

const trickyKeys: readonly Uint8Array[] = [
  [0],
  [0, 0],
  [0, 0xff],
  [1],
  [1, 0],
  [1, 0, 0],
  [1, 2],
  [0x7f],
  [0x7f, 0xff],
  [0x80],
  [0x80, 0],
  [0xc3, 0xa9],
  [0xfe, 0xff],
  [0xff],
].map((bytes) => Uint8Array.from(bytes));

function addScans(add: Add): void {
  const entries: readonly StoredEntry[] = trickyKeys.map((key, i) => ({ key, value: Uint8Array.of(i) }));
  const filled = async (engine: StorageEngine): Promise<void> => {
    await engine.write([...entries].reverse());
  };
  add("orders keys byte by byte as unsigned numbers, a prefix first", async ({ engine }) => {
    await filled(engine);
    expectEntries(engine.scan(everything, 100), entries);
  });
  add("scans from the first key on, and stops before the last", async ({ engine }) => {
    await filled(engine);
    for (const from of trickyKeys) {
      for (const to of trickyKeys) {
        const within = entries.filter(({ key }) => compareBytes(key, from) >= 0 && compareBytes(key, to) < 0);
        expectEntries(engine.scan({ from, to }, 100), within);
      }
    }
  });
  add("scans between keys that are not there", async ({ engine }) => {
    await engine.write([put("b", "1"), put("d", "2"), put("f", "3")]);
    expectEntries(engine.scan({ from: bytesOf("c"), to: bytesOf("e") }, 9), [put("d", "2")]);
    expectEntries(engine.scan({ from: bytesOf("x"), to: bytesOf("z") }, 9), []);
    expectEntries(engine.scan({ from: bytesOf("z"), to: bytesOf("a") }, 9), []);
  });
  add("gives no more than it is asked for, and goes on after the last key", async ({ engine }) => {
    await filled(engine);
    expectEntries(engine.scan(everything, 0), []);
    for (const limit of [1, 2, 3, 5]) {
      const found: StoredEntry[] = [];
      for (let from = everything.from; ; ) {
        const page = engine.scan({ from, to: everything.to }, limit);
        expect(page.length <= limit, `at most ${limit} entries, not ${page.length}`);
        found.push(...page);
        const last = page[page.length - 1];
        if (last === undefined || page.length < limit) break;
        from = keyAfter(last.key);
      }
      expectEntries(found, entries);
    }
  });
}

function addDrops(add: Add): void {
  add("drops a range, and nothing beside it", async ({ engine }) => {
    const entries = trickyKeys.map((key) => ({ key, value: key }));
    await engine.write(entries);
    const range = { from: Uint8Array.of(1), to: Uint8Array.of(0x80) };
    await engine.drop(range);
    const left = entries.filter(({ key }) => compareBytes(key, range.from) < 0 || compareBytes(key, range.to) >= 0);
    expectEntries(engine.scan(everything, 100), left);
    await engine.drop(range);
    await engine.drop({ from: Uint8Array.of(3), to: Uint8Array.of(2) });
    expectEntries(engine.scan(everything, 100), left);
  });
  add("drops thousands of keys", async ({ engine }) => {
    const keys = Array.from({ length: 3500 }, (_, i) => Uint8Array.of(7, i >> 8, i & 0xff));
    await engine.write([...keys.map((key) => ({ key, value: key })), put("A", "before"), put("z", "after")]);
    await engine.drop({ from: Uint8Array.of(7), to: Uint8Array.of(8) });
    expectEntries(engine.scan(everything, 5000), [put("A", "before"), put("z", "after")]);
  });
}

function addClosing(add: Add): void {
  add("fails every call with `closed` once closed", async ({ engine }) => {
    await engine.write([put("k", "v")]);
    await engine.close();
    await expectFailure("closed", async () => engine.get(bytesOf("k")));
    await expectFailure("closed", async () => engine.scan(everything, 1));
    await expectFailure("closed", async () => engine.usage());
    await expectFailure("closed", () => engine.write([put("k", "w")]));
    await expectFailure("closed", () => engine.drop(everything));
    await engine.close();
  });
  add("finishes what was asked for before it closes", async ({ engine }) => {
    const writes = Array.from({ length: 20 }, (_, i) => engine.write([put(`k${i}`, "v")]));
    await engine.close();
    await Promise.all(writes);
  });
}

function addReopening(add: Add): void {
  add("has everything again when it is opened again", async ({ engine, reopen }) => {
    const entries = Array.from({ length: 100 }, (_, i) => put(`k${i + 100}`, `value ${i}`));
    for (const entry of entries) await engine.write([entry]);
    const late = engine.write([put("late", "asked for before the close")]);
    await engine.close();
    await late;
    const again = await reopened(reopen);
    expectEntries(again.scan(everything, 1000), [...entries, put("late", "asked for before the close")]);
    await again.write([put("more", "v")]);
    expectBytes(again.get(bytesOf("more")), bytesOf("v"));
  });
}

function addRoomTakenAndGivenBack(add: Add): void {
  add("opens again after batches that took room and gave it back", async ({ engine, reopen }) => {
    const large = { key: bytesOf("large"), value: new Uint8Array(mebibyte).fill(1) };
    let open = engine;
    for (let i = 0; i < 4; i++) {
      await open.write([large, put(`k${i}`, "v"), del("large")]);
      await open.close();
      open = await reopened(reopen);
      const expected = Array.from({ length: i + 1 }, (_, at) => put(`k${at}`, "v"));
      expectEntries(open.scan(everything, 10), expected);
    }
  });
}

function addCrashes(add: Add): void {
  add("keeps what has resolved through a crash, and of the rest whole batches only", async ({ engine, crash }) => {
    let acknowledged = -1;
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 30; i++) {
      const write = engine.write([put("first", `${i}`), ...fill(20, i), put("last", `${i}`)]);
      writes.push(
        write.then(
          () => {
            acknowledged = Math.max(acknowledged, i);
          },
          () => {},
        ),
      );
      if (i % 3 === 0) await write;
    }
    const again = await reopened(crash);
    expectPair(again);
    const found = again.get(bytesOf("first"));
    const last = found === undefined ? -1 : Number(String.fromCharCode(...found));
    expect(last >= acknowledged, `at least the acknowledged batch ${acknowledged} after the crash, not ${last}`);
  });
}

function addFailures(add: Add): void {
  add("leaves all or nothing of a write that failed, and goes on when it can", async ({ engine, failWrites }) => {
    await engine.write([put("a", "old"), put("b", "old")]);
    await failWrites?.(true);
    const failure = await engine.write([put("a", "new"), put("b", "new")]).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure instanceof Error && failure.name === "StorageError", `a StorageError, not ${String(failure)}`);
    const a = engine.get(bytesOf("a"));
    expectBytes(a, engine.get(bytesOf("b")));
    await failWrites?.(false);
    expectBytes(engine.get(bytesOf("a")), a);
    await engine.write([put("a", "newer")]);
    expectBytes(engine.get(bytesOf("a")), bytesOf("newer"));
    await engine.close();
  });
}

async function randomOperations(harness: EngineHarness, lottery: Lottery, count: number): Promise<void> {
  const model = new LawModel();
  let engine = harness.engine;
  for (let i = 0; i < count; i++) {
    const kind = lottery.below(20);
    if (kind < 8) {
      const batches = Array.from({ length: 1 + lottery.below(3) }, () => lottery.batch());
      await Promise.all(batches.map((batch) => engine.write(batch)));
      for (const batch of batches) model.write(batch);
    } else if (kind < 12) {
      const key = lottery.key();
      expectBytes(engine.get(key), model.get(key));
    } else if (kind < 17) {
      const range = lottery.range();
      const limit = lottery.below(12);
      expectEntries(engine.scan(range, limit), model.scan(range, limit));
    } else if (kind < 18) {
      const range = lottery.range();
      await engine.drop(range);
      model.drop(range);
    } else if (kind < 19 && harness.reopen !== undefined) {
      await engine.close();
      engine = await harness.reopen();
    }
  }
  expectEntries(engine.scan(everything, 100_000), model.scan(everything, 100_000));
}

async function reopened(open: (() => Promise<StorageEngine>) | undefined): Promise<StorageEngine> {
  if (open === undefined) throw new Error("the harness cannot do this");
  return await open();
}

function expectPair(engine: StorageEngine): void {
  expectBytes(engine.get(bytesOf("first")), engine.get(bytesOf("last")));
}

function del(key: string): WriteOperation {
  return { key: bytesOf(key), value: undefined };
}

function fill(count: number, value: number): WriteOperation[] {
  return Array.from({ length: count }, (_, i) => put(`fill ${i}`, `${value}`));
}
