/**
 * What the conformance suite cannot see of the LMDB engine: that it waits for the device, what a kill, a full disk and a
 * failing device do to it, and what it makes of files that are not what it wrote.
 */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openLmdbEngine } from "../../src/host/lmdb-engine.ts";
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
  scratch = await mkdtemp(join(tmpdir(), "cartwheel-engine-"));
});
after(() => rm(scratch, { recursive: true }));

describe("the LMDB engine", () => {
  for (const round of [1, 2, 3]) {
    test(`has every acknowledged batch, and no half of another, after kill -9 (${round})`, async () => {
      const directory = join(scratch, `killed-${round}`);
      const { asked, acknowledged } = await killAfter({ directory, engine: "lmdb" }, 100 * round);
      const engine = openLmdbEngine(directory);
      for (const batch of asked) {
        const found = ["a", "b", "c"].map((part) => textAt(engine, `${part} ${batch}`));
        const whole = acknowledged.has(batch) || found[0] !== undefined ? String(batch) : undefined;
        assert.deepEqual(found, [whole, whole, whole]);
      }
      assert.ok(acknowledged.size >= 100 * round);
      await engine.close();
    });
  }

  test("acknowledges a batch only once the device has it", { skip }, () => {
    const { steps, batches } = traceOf({ directory: join(scratch, "traced"), engine: "lmdb" }, [
      "write",
      "writev",
      "pwrite64",
      "pwritev",
      "fdatasync",
      "openat",
    ]);
    const rootFile = steps.find((step) => step.includes("data.mdb") && step.includes("O_DSYNC"));
    const rootDescriptor = /= (\d+)</.exec(rootFile ?? "")?.[1];
    assert.ok(rootDescriptor !== undefined, "the root is written through a descriptor that waits for the device");
    for (const [batch, { calls }] of batches.entries()) {
      const pages = calls.findIndex((step) => /\bp?writev?(64)?\(/.test(step) && step.includes("data.mdb"));
      const sync = calls.findIndex((step) => step.includes("fdatasync(") && step.includes("data.mdb"));
      const root = calls.findLastIndex((step) => step.includes(`pwrite64(${rootDescriptor}<`));
      assert.ok(
        0 <= pages && pages < sync && sync < root,
        `batch ${batch}: pages ${pages}, sync ${sync}, root ${root}`,
      );
    }
  });

  for (const [what, call] of [
    ["a sync", "fdatasync"],
    ["the writing of the root", "pwrite64"],
  ] as const) {
    test(`fails every write after ${what} failed`, { skip }, () => {
      const said = writeFailing({ directory: join(scratch, `failing-${call}`), engine: "lmdb" }, call);
      const told = said.filter((line) => line.startsWith("ack") || line.startsWith("failed"));
      const firstFailure = told.findIndex((line) => line.startsWith("failed"));
      assert.ok(firstFailure > 0);
      assert.ok(told.slice(firstFailure).every((line) => /^failed \d+ io$/.test(line)));
      assert.equal(told.length, tracedBatches);
      assert.equal(said.at(-1), "closed");
    });
  }

  test("says so when the disk is full, keeps what it had, and goes on when there is room", {
    skip: noSmallDisk,
  }, async () => {
    const disk = join(scratch, "disk");
    await onSmallDisk({ path: disk, megabytes: 4 }, async () => {
      const engine = openLmdbEngine(join(disk, "store"));
      const value = new Uint8Array(100_000).fill(7);
      const stored: string[] = [];
      let failure: unknown;
      while (failure === undefined && stored.length < 200) {
        const names = [0, 1, 2].map((i) => `key ${stored.length + i}`);
        failure = await engine
          .write(names.map((name) => ({ key: encoder.encode(name), value })))
          .then(() => void stored.push(...names))
          .catch((error: unknown) => error);
      }
      assert.equal((failure as { code?: string }).code, "disk-full");
      for (const name of stored) assert.equal(engine.get(encoder.encode(name))?.length, value.length);
      for (let i = 0; i < 3; i++) assert.equal(engine.get(encoder.encode(`key ${stored.length + i}`)), undefined);
      await assert.rejects(engine.write([{ key: encoder.encode("large"), value: new Uint8Array(4e6) }]), {
        code: "disk-full",
      });
      // Each of these ended the process at times: the package's message of a failure is longer than its buffer.
      writeFileSync(join(disk, "ballast"), new Uint8Array(statfsSync(disk).bavail * statfsSync(disk).bsize));
      for (let i = 0; i < 100; i++) {
        const one = { key: encoder.encode(`one ${i}`), value: new Uint8Array(12_000 + i) };
        await assert.rejects(engine.write([one]), { code: "disk-full" });
      }
      await engine.write(stored.slice(9, 12).map((name) => ({ key: encoder.encode(name), value: undefined })));
      rmSync(join(disk, "ballast"));
      await engine.write(stored.slice(0, 9).map((name) => ({ key: encoder.encode(name), value: undefined })));
      await engine.write([{ key: encoder.encode("more"), value }]);
      await engine.close();
      const again = openLmdbEngine(join(disk, "store"));
      assert.equal(again.get(encoder.encode("more"))?.length, value.length);
      assert.equal(again.get(encoder.encode(stored.at(-1) as string))?.length, value.length);
      await again.close();
    });
  });

  test("refuses a file that is not a store", async () => {
    const files: readonly Uint8Array[] = [
      new Uint8Array(10),
      new Uint8Array(20_000),
      new Uint8Array(20_000).fill(9),
      encoder.encode("a text ".repeat(5000)),
    ];
    for (const [i, file] of files.entries()) {
      const directory = join(scratch, `not-a-store-${i}`);
      await mkdir(directory);
      writeFileSync(join(directory, "data.mdb"), file);
      assert.throws(() => openLmdbEngine(directory), { name: "StorageError", code: "corrupt" });
    }
  });

  test("refuses a store that was cut off, or the keys it lost, and gives no other key another's value", async () => {
    const whole = join(scratch, "whole");
    const engine = openLmdbEngine(whole);
    const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`);
    for (const [i, key] of keys.entries()) {
      await engine.write([{ key: encoder.encode(key), value: new Uint8Array(50 + i * 20).fill(i) }]);
    }
    await engine.close();
    const file = readFileSync(join(whole, "data.mdb"));
    let refused = 0;
    for (let cut = 8192; cut < file.length; cut += 65_536) {
      const directory = join(scratch, `cut-off-${cut}`);
      await mkdir(directory);
      writeFileSync(join(directory, "data.mdb"), file.subarray(0, cut));
      let left: StorageEngine;
      try {
        left = openLmdbEngine(directory);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "corrupt");
        refused++;
        continue;
      }
      for (const [i, key] of keys.entries()) {
        try {
          const value = left.get(encoder.encode(key));
          assert.equal(value?.length, 50 + i * 20);
          assert.ok(
            value.every((byte) => byte === i || byte === 0),
            "its own bytes, or zeros for what is gone",
          );
        } catch (error) {
          assert.equal((error as { code?: string }).code, "corrupt");
          refused++;
        }
      }
      await left.close();
    }
    assert.ok(refused > 0);
  });

  test("refuses a key that LMDB cannot hold, and has nothing under it", async () => {
    const engine = openLmdbEngine(join(scratch, "keys"));
    for (const key of [new Uint8Array(0), new Uint8Array(1979)]) {
      await assert.rejects(engine.write([{ key, value: key }]), RangeError);
      assert.equal(engine.get(key), undefined);
    }
    await engine.write([{ key: new Uint8Array(1978), value: Uint8Array.of(1) }]);
    assert.deepEqual(engine.get(new Uint8Array(1978)), Uint8Array.of(1));
    assert.ok(existsSync(join(scratch, "keys", "data.mdb")));
    await engine.close();
  });

  test("a directory that is removed under an open store is told with the system's own reason", async () => {
    const directory = join(scratch, "removed");
    const engine = openLmdbEngine(directory);
    rmSync(directory, { recursive: true });
    const write = engine.write([{ key: encoder.encode("k"), value: encoder.encode("v") }]);
    await assert.rejects(write, { name: "StorageError", code: "io", message: /removed failed: ENOENT/ });
    await engine.close();
  });
});
