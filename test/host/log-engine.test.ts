/**
 * What the lossy disk cannot show of the log engine: that on a real one it waits for the device, and what a kill, a full
 * disk, a failing device and files that are not what it wrote do to it.
 */

import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openEngine } from "../../src/host/engines.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { StorageEngine } from "../../src/storage/engine.ts";
import {
  killAfter,
  onSmallDisk,
  skipWithoutMount,
  skipWithoutStrace,
  textAt,
  tracedBatches,
  traceOf,
  writeFailing,
} from "./real-disk.ts";

const encoder = new TextEncoder();
const skip = skipWithoutStrace();
const noSmallDisk = skipWithoutMount();
let scratch = "";

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "cartwheel-log-"));
});
after(() => rm(scratch, { recursive: true }));

const open = (directory: string): Promise<StorageEngine> => openEngine("log", directory, silentLog);

function flip(file: string, byte: number): void {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Uint8Array.of((readFileSync(file)[byte] as number) ^ 4), 0, 1, byte);
  closeSync(descriptor);
}

/** A store of so many keys, each in a group of its own, closed in good order; answers its segment. */
async function stored(name: string, keys: number): Promise<{ readonly directory: string; readonly segment: string }> {
  const directory = join(scratch, name);
  const engine = await open(directory);
  for (let i = 0; i < keys; i++)
    await engine.write([{ key: encoder.encode(`key ${i}`), value: new Uint8Array(100).fill(i) }]);
  await engine.close();
  return { directory, segment: join(directory, "00000001.segment") };
}

describe("the log engine", () => {
  for (const round of [1, 2, 3]) {
    test(`has every acknowledged batch, and no half of another, after kill -9 (${round})`, async () => {
      const directory = join(scratch, `killed-${round}`);
      const { asked, acknowledged } = await killAfter({ directory, engine: "log" }, 300 * round);
      const engine = await open(directory);
      for (const batch of asked) {
        const found = ["a", "b", "c"].map((part) => textAt(engine, `${part} ${batch}`));
        const whole = acknowledged.has(batch) || found[0] !== undefined ? String(batch) : undefined;
        assert.deepEqual(found, [whole, whole, whole]);
      }
      assert.ok(acknowledged.size >= 300 * round);
      await engine.close();
    });
  }

  test("acknowledges a batch only once the device has it", { skip }, () => {
    const { steps, batches } = traceOf({ directory: join(scratch, "traced"), engine: "log" }, [
      "write",
      "pwrite64",
      "fdatasync",
      "fsync",
      "openat",
    ]);
    const name = steps.findIndex((step) => /\bfsync\(.*traced>/.test(step));
    for (const [batch, { end, calls }] of batches.entries()) {
      const group = calls.findLastIndex((step) => step.includes("pwrite64(") && step.includes(".segment"));
      const sync = calls.findLastIndex((step) => step.includes("fdatasync(") && step.includes(".segment"));
      assert.ok(0 <= group && group < sync && 0 <= name && name < end, `batch ${batch}: group ${group}, sync ${sync}`);
    }
  });

  test("fails every write after a sync failed", { skip }, () => {
    const said = writeFailing({ directory: join(scratch, "failing"), engine: "log" }, "fdatasync");
    const told = said.filter((line) => line.startsWith("ack") || line.startsWith("failed"));
    const firstFailure = told.findIndex((line) => line.startsWith("failed"));
    assert.ok(firstFailure > 0);
    assert.ok(told.slice(firstFailure).every((line) => /^failed \d+ io$/.test(line)));
    assert.equal(told.length, tracedBatches);
    assert.equal(said.at(-1), "closed");
  });

  test("says so when the disk is full, keeps what it had, and makes room by deletes", {
    skip: noSmallDisk,
  }, async () => {
    const disk = join(scratch, "disk");
    await onSmallDisk({ path: disk, megabytes: 8 }, async () => {
      const engine = await open(join(disk, "store"));
      const value = new Uint8Array(20_000).fill(7);
      const names: string[] = [];
      let failure: unknown;
      while (failure === undefined && names.length < 1000) {
        const name = `key ${names.length}`;
        const write = engine.write([{ key: encoder.encode(name), value }]);
        failure = await write.then(() => void names.push(name)).catch((error: unknown) => error);
      }
      assert.equal((failure as { code?: string }).code, "disk-full");
      assert.ok(names.length > 250, `${names.length} values of 20 kB on a disk of 8 MiB`);
      for (const name of names) assert.equal(engine.get(encoder.encode(name))?.length, value.length);
      for (const name of names.slice(30)) await engine.write([{ key: encoder.encode(name), value: undefined }]);
      const more = { key: encoder.encode("more"), value };
      for (let hasRoom = false; !hasRoom; ) {
        hasRoom = await engine.write([more]).then(
          () => true,
          () => false,
        );
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await engine.close();
      const again = await open(join(disk, "store"));
      assert.equal(again.get(more.key)?.length, value.length);
      assert.equal(again.get(encoder.encode(names[29] ?? ""))?.length, value.length);
      assert.equal(again.usage().keys, 31);
      await again.close();
    });
  });

  test("gives a damaged value as it is, and leaves its key and all others where they are", async () => {
    const { directory, segment } = await stored("damaged-value", 50);
    const engine = await open(directory);
    const at = readFileSync(segment).indexOf(new Uint8Array(100).fill(20));
    flip(segment, at + 50);
    for (let i = 0; i < 50; i++) {
      const expected = new Uint8Array(100).fill(i);
      if (i === 20) expected[50] = 20 ^ 4;
      assert.deepEqual(engine.get(encoder.encode(`key ${i}`)), expected);
    }
    await engine.close();
    const again = await open(directory);
    assert.equal(again.usage().keys, 50);
    assert.equal(again.get(encoder.encode("key 20"))?.[50], 20 ^ 4);
    await again.close();
  });

  test("refuses as damaged a store whose keys cannot all be known", async () => {
    const damages: readonly ((segment: string) => void)[] = [
      (segment) => flip(segment, readFileSync(segment).indexOf(encoder.encode("key 20"))),
      (segment) => flip(segment, readFileSync(segment).indexOf(new Uint8Array(100).fill(20)) - 30),
      (segment) => writeFileSync(segment, readFileSync(segment).fill(0, 0, 4096)),
      (segment) => writeFileSync(segment, encoder.encode("a text ".repeat(5000))),
    ];
    for (const [i, damage] of damages.entries()) {
      const { directory, segment } = await stored(`damaged-${i}`, 50);
      damage(segment);
      await assert.rejects(open(directory), { name: "StorageError", code: "corrupt" });
    }
  });

  test("misses a segment that is gone", async () => {
    const directory = join(scratch, "gone");
    const engine = await open(directory);
    const value = new Uint8Array(1024 * 1024).fill(1);
    for (let i = 0; i < 40; i++) await engine.write([{ key: encoder.encode(`key ${i}`), value }]);
    await engine.close();
    const segments = readdirSync(directory).filter((name) => name.endsWith(".segment"));
    assert.ok(segments.length >= 3 && segments.every((name) => statSync(join(directory, name)).size >= 32));
    rmSync(join(directory, "00000002.segment"));
    await assert.rejects(open(directory), { name: "StorageError", code: "corrupt" });
  });

  test("refuses a file of a newer version with a sentence, and not as damage", async () => {
    const { directory, segment } = await stored("newer", 3);
    const bytes = readFileSync(segment);
    bytes.writeUInt32BE(2, 8);
    bytes.writeUInt32BE((await import("../../src/host/checksum.ts")).machineChecksum(bytes.subarray(0, 12)), 12);
    writeFileSync(segment, bytes);
    await assert.rejects(open(directory), {
      name: "StorageError",
      code: "io",
      message:
        /00000001\.segment has format 2, this version of the log engine knows formats up to 1: start a newer one/,
    });
  });

  test("refuses a key that it cannot hold, and has nothing under it", async () => {
    const engine = await open(join(scratch, "keys"));
    for (const key of [new Uint8Array(0), new Uint8Array(2049)]) {
      await assert.rejects(engine.write([{ key, value: key }]), RangeError);
      assert.equal(engine.get(key), undefined);
    }
    await engine.write([{ key: new Uint8Array(2048), value: Uint8Array.of(1) }]);
    assert.deepEqual(engine.get(new Uint8Array(2048)), Uint8Array.of(1));
    await engine.close();
  });
});
