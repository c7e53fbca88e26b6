/** Every engine of the product against the port's laws, and the suite itself against engines with planted bugs. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { machineChecksum } from "../../src/host/checksum.ts";
import { machineClock } from "../../src/host/clock.ts";
import { folderDisk } from "../../src/host/folder-disk.ts";
import { openLmdbEngine } from "../../src/host/lmdb-engine.ts";
import { machineRandom } from "../../src/host/random.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { LossyDisk } from "../../src/sim/lossy-disk.ts";
import { Prng } from "../../src/sim/prng.ts";
import { type EngineHarness, engineConformance } from "../../src/storage/conformance.ts";
import type { KeyRange, StorageEngine, StoredEntry, WriteOperation } from "../../src/storage/engine.ts";
import { openLogEngine } from "../../src/storage/log/log-engine.ts";
import { MemoryEngine } from "../../src/storage/memory-engine.ts";

async function memory(): Promise<EngineHarness> {
  const engine = new MemoryEngine();
  return { engine, dispose: () => engine.close() };
}

async function lmdb(): Promise<EngineHarness> {
  const directory = await mkdtemp(join(tmpdir(), "cartwheel-lmdb-"));
  let engine = openLmdbEngine(directory);
  return {
    engine,
    reopen: async () => {
      engine = openLmdbEngine(directory);
      return engine;
    },
    dispose: async () => {
      await engine.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function log(): Promise<EngineHarness> {
  const directory = await mkdtemp(join(tmpdir(), "cartwheel-log-"));
  const opened = async (): Promise<StorageEngine> =>
    openLogEngine({
      disk: await folderDisk(directory),
      clock: machineClock,
      random: machineRandom(),
      checksum: machineChecksum,
      log: silentLog,
    });
  let engine = await opened();
  return {
    engine,
    reopen: async () => {
      engine = await opened();
      return engine;
    },
    dispose: async () => {
      await engine.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** The log engine on the disk that loses what it may, with segments so small that there are many. */
async function lossyLog(): Promise<EngineHarness> {
  const prng = new Prng(1, "conformance");
  const disk = new LossyDisk({ prng });
  const opened = (): Promise<StorageEngine> =>
    openLogEngine({
      disk: disk.open(),
      clock: machineClock,
      random: prng,
      checksum: machineChecksum,
      log: silentLog,
      segmentBytes: 4096,
      checkpointBytes: 16384,
    });
  let engine = await opened();
  return {
    engine,
    reopen: async () => {
      engine = await opened();
      return engine;
    },
    crash: async () => {
      disk.losePower();
      engine = await opened();
      return engine;
    },
    failWrites: async (isFailing) => {
      disk.isFull = isFailing;
    },
    dispose: () => engine.close(),
  };
}

for (const [name, open] of Object.entries({ memory, lmdb, log, "lossy log": lossyLog })) {
  const cases = await engineConformance(open);
  describe(`the ${name} engine`, () => {
    for (const { name, run } of cases) test(name, run);
  });
}

/** A memory engine of which a test spoils a part. */
class Spoiled implements StorageEngine {
  readonly name = "spoiled";
  protected readonly whole: MemoryEngine = new MemoryEngine();
  get(key: Uint8Array): Uint8Array | undefined {
    return this.whole.get(key);
  }
  write(operations: readonly WriteOperation[]): Promise<void> {
    return this.whole.write(operations);
  }
  scan(range: KeyRange, limit: number): readonly StoredEntry[] {
    return this.whole.scan(range, limit);
  }
  drop(range: KeyRange): Promise<void> {
    return this.whole.drop(range);
  }
  usage(): { keys: number; bytes: number } {
    return this.whole.usage();
  }
  close(): Promise<void> {
    return this.whole.close();
  }
}

const signed = (bytes: Uint8Array): string => String.fromCharCode(...bytes.map((byte) => byte ^ 0x80));

const planted: Record<string, () => StorageEngine> = {
  "acknowledges before it has written": () =>
    new (class extends Spoiled {
      override async write(operations: readonly WriteOperation[]): Promise<void> {
        setImmediate(() => void this.whole.write(operations).catch(() => {}));
      }
    })(),
  "loses empty values": () =>
    new (class extends Spoiled {
      override get(key: Uint8Array): Uint8Array | undefined {
        const value = this.whole.get(key);
        return value?.length === 0 ? undefined : value;
      }
    })(),
  "gives the same buffer again and again": () =>
    new (class extends Spoiled {
      readonly #shared = new Uint8Array(6 * 1024 * 1024);
      override get(key: Uint8Array): Uint8Array | undefined {
        const value = this.whole.get(key);
        if (value === undefined) return undefined;
        this.#shared.set(value);
        return this.#shared.subarray(0, value.length);
      }
    })(),
  "gives Buffers": () =>
    new (class extends Spoiled {
      override get(key: Uint8Array): Uint8Array | undefined {
        const value = this.whole.get(key);
        return value && Buffer.from(value);
      }
    })(),
  "applies a batch backwards": () =>
    new (class extends Spoiled {
      override write(operations: readonly WriteOperation[]): Promise<void> {
        return this.whole.write([...operations].reverse());
      }
    })(),
  "applies a batch in two steps": () =>
    new (class extends Spoiled {
      override async write(operations: readonly WriteOperation[]): Promise<void> {
        await this.whole.write(operations.slice(0, 1));
        await this.whole.write(operations.slice(1));
      }
    })(),
  "orders bytes as signed numbers": () =>
    new (class extends Spoiled {
      override scan(range: KeyRange, limit: number): readonly StoredEntry[] {
        const found = this.whole.scan(range, 1e9);
        return [...found].sort((a, b) => (signed(a.key) < signed(b.key) ? -1 : 1)).slice(0, limit);
      }
    })(),
  "includes the end of a range": () =>
    new (class extends Spoiled {
      override scan({ from, to }: KeyRange, limit: number): readonly StoredEntry[] {
        return this.whole.scan({ from, to: Uint8Array.of(...to, 0) }, limit);
      }
    })(),
  "drops the rest of the store as well": () =>
    new (class extends Spoiled {
      override drop({ from }: KeyRange): Promise<void> {
        return this.whole.drop({ from, to: Uint8Array.of(0xff, 0xff, 0xff) });
      }
    })(),
  "drops no more than a thousand keys": () =>
    new (class extends Spoiled {
      override drop(range: KeyRange): Promise<void> {
        return this.whole.write(this.whole.scan(range, 1000).map(({ key }) => ({ key, value: undefined })));
      }
    })(),
  "answers after its close": () =>
    new (class extends Spoiled {
      override async close(): Promise<void> {}
    })(),
};

describe("the suite catches an engine that", () => {
  for (const [bug, spoiled] of Object.entries(planted)) {
    test(bug, async () => {
      const cases = await engineConformance(async () => {
        const engine = spoiled();
        return { engine, dispose: () => engine.close() };
      });
      const caught: string[] = [];
      for (const { name, run } of cases) await run().catch(() => caught.push(name));
      assert.notEqual(caught.length, 0);
    });
  }
});
