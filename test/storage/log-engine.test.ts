/**
 * The log engine's own law: after any crash, torn write, failed sync, flipped bit or full disk every batch that was
 * acknowledged is there, no half of another is, and nothing damaged is taken for whole. And the trial itself against
 * copies of the engine with planted bugs, each of which it must catch.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { crc32 } from "../../src/core/hash/crc32.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { LossyDisk } from "../../src/sim/lossy-disk.ts";
import { Prng } from "../../src/sim/prng.ts";
import type { StorageEngine } from "../../src/storage/engine.ts";
import { openLogEngine } from "../../src/storage/log/log-engine.ts";
import { type PlantedLine, plantedCopy } from "../planted-copy.ts";
import { type HistoryTraits, type LogProduct, noCounts, playHistory, TurnClock } from "./log-history.ts";

const crashes: HistoryTraits = { flips: 0, fullDisks: 0, failedSyncs: 0 };
const fullDisks: HistoryTraits = { flips: 0, fullDisks: 0.1, failedSyncs: 0 };
const flips: HistoryTraits = { flips: 0.5, fullDisks: 0.05, failedSyncs: 0 };
const failedSyncs: HistoryTraits = { flips: 0, fullDisks: 0.05, failedSyncs: 0.5 };

describe("the log engine, over random histories with", () => {
  for (const [what, traits, seeds] of [
    ["crashes", crashes, 60],
    ["full disks", fullDisks, 40],
    ["flipped bits", flips, 100],
    ["failed syncs", failedSyncs, 40],
  ] as const) {
    test(`${what}, keeps what it acknowledged`, async () => {
      const counts = noCounts();
      for (let seed = 1; seed <= seeds; seed++) await playHistory({ openLogEngine, LossyDisk }, seed, traits, counts);
      // A trial in which nothing happens shows nothing.
      assert.ok(counts.compactions > 2 * seeds && counts.checkpoints > 2 * seeds && counts.powerLosses > seeds);
      if (traits.fullDisks > 0) assert.ok(counts.refused > seeds);
      if (traits.flips > 0) assert.ok(counts.damagedValues > 5 && counts.damagedStores > 2 && counts.flips > 50);
      if (traits.failedSyncs > 0) assert.ok(counts.failedSyncs > seeds);
    });
  }
});

test("the log is at most four times what is stored while keys are overwritten, and about twice at rest", async () => {
  const prng = new Prng(1, "overwriting");
  const segmentBytes = 16 * 1024;
  const clock = new TurnClock();
  const disk = new LossyDisk({ prng }).open();
  const engine = await openLogEngine({ disk, clock, random: prng, checksum: crc32, log: silentLog, segmentBytes });
  const overwrite = async (): Promise<void> => {
    for (let i = 0; i < 500; i++) {
      const key = Uint8Array.of(2, prng.below(60));
      await engine.write([{ key, value: prng.bytes(1000) }]);
      const { segmentBytes: bytes, wantedBytes } = engine.figures();
      assert.ok(bytes <= 4 * wantedBytes + 8 * segmentBytes, `${bytes} bytes for ${wantedBytes}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, overwrite));
  for (let i = 0; i < 3000; i++) await new Promise((resolve) => setImmediate(resolve));
  const { segmentBytes: bytes, wantedBytes, copiedBytes } = engine.figures();
  assert.ok(bytes <= 2 * wantedBytes + 3 * segmentBytes, `${bytes} bytes for ${wantedBytes} at rest`);
  assert.ok(copiedBytes < 4000 * 1000, `${copiedBytes} bytes were copied for 4,000,000 that were written`);
  await engine.close();
});

test("a write that was torn does not come back when the next one is torn so that both make it whole", async () => {
  const prng = new Prng(1, "torn twice");
  const disk = new LossyDisk({ prng });
  const name = "00000001.segment";
  const key = Uint8Array.of(2, 1);
  // They differ at their beginning only.
  const [first, second] = [1, 2].map((i) => new Uint8Array(600).fill(i, 0, 4)) as [Uint8Array, Uint8Array];
  const lives = async (act: (engine: StorageEngine) => Promise<void>): Promise<void> => {
    const clock = new TurnClock();
    const options = { disk: disk.open(), clock, random: prng, checksum: crc32, log: silentLog };
    await act(await openLogEngine(options));
    clock.isDead = true;
    disk.kill();
  };
  await lives(async (engine) => {
    await engine.write([{ key, value: first }]);
    await engine.write([{ key, value: second }]);
  });
  const size = disk.files().get(name) as number;
  const file = await disk.open().open(name);
  const tail = new Uint8Array(100);
  file.readNow(tail, size - 100);
  disk.damage(name, size - 100);
  await lives(async (engine) => assert.deepEqual(engine.get(key), first));
  await (await disk.open().open(name)).write(tail, size - 100);
  await lives(async (engine) => assert.deepEqual(engine.get(key), first));
});

interface PlantedLogBug extends PlantedLine {
  readonly traits: HistoryTraits;
}

const planted: readonly PlantedLogBug[] = [
  {
    name: "a log that answers before its group is on disk",
    file: "storage/log/group-commit",
    find: "await this.#sync(segment.file);",
    replace: "",
    traits: crashes,
  },
  {
    name: "a log that tells its directory, and so a checkpoint, of a group before that is on disk",
    file: "storage/log/group-commit",
    find: "await this.#sync(segment.file);",
    replace: "",
    and: { find: "this.#groups++;", replace: "this.#groups++; await this.#sync(segment.file);" },
    traits: crashes,
  },
  {
    name: "a log that goes on after a failed sync",
    file: "storage/log/group-commit",
    find: "this.#failure ??= error;",
    replace: "",
    traits: failedSyncs,
  },
  {
    name: "a log that writes to a segment whose name may be lost",
    file: "storage/log/segments",
    find: "await this.#disk.syncNames();",
    replace: "",
    traits: crashes,
  },
  {
    name: "a log that does not check the values of its last group",
    file: "storage/log/log-walk",
    find: "if (await this.#reader(place.segment)?.hasGoodValues(held))",
    replace: "if (true)",
    traits: crashes,
  },
  {
    name: "a log that does not check the heads of its groups",
    file: "storage/log/group-format",
    find: "if (headChecksum(checksum, place, heads) !== readU32(heads, 28))",
    replace: "if (false)",
    traits: flips,
  },
  {
    name: "a log that takes damage in its middle for its end",
    file: "storage/log/log-walk",
    find: "await this.#mustBeTheEnd(at);",
    replace: "",
    traits: flips,
  },
  {
    name: "a log that serves what only the machine's memory holds",
    file: "storage/log/recovery",
    find: "await writeAgain(newest.file",
    replace: "void (newest.file",
    traits: crashes,
  },
  {
    name: "a log that removes what its last group does not need before that group is sure to stay",
    file: "storage/log/recovery",
    find: "const newest = segments.newest;",
    replace: "const newest = segments.newest; await removeLeftovers(options, found, segments);",
    traits: crashes,
  },
  {
    name: "a log that syncs what an earlier sync failed to write, and leaves it at that",
    file: "storage/log/recovery",
    find: "if (bytes.length > 0)",
    replace: "if (false)",
    traits: failedSyncs,
  },
  {
    name: "a log that does not replay deletes",
    file: "storage/log/recovery",
    find: "directory.remove(key);",
    replace: ";",
    traits: crashes,
  },
  {
    name: "a checkpoint that is believed without its checksum",
    file: "storage/log/checkpoint",
    find: "this.#checksum(block) !== readU32(this.#bytes, 4)",
    replace: "false",
    traits: flips,
  },
  {
    name: "a checkpoint that skips a key between two blocks",
    file: "storage/log/checkpoint",
    find: "const blockKeys = 512;",
    replace: "const blockKeys = 3;",
    and: {
      find: "from = keyAfter(directory.keyView(last));",
      replace: "from = Uint8Array.of(2, directory.keyView(last)[1] + 14);",
    },
    traits: crashes,
  },
  {
    name: "a compaction whose copies overwrite what is newer",
    file: "storage/log/group-commit",
    find: "const batches = [copies, ...writes.map(({ operations }) => operations)];",
    replace: "const batches = [...writes.map(({ operations }) => operations), copies];",
    traits: crashes,
  },
  {
    name: "a compaction that copies what was replaced or deleted meanwhile",
    file: "storage/log/group-commit",
    find: ".filter((copy) => directory.isAt(copy.key, copy.segment, copy.offset))",
    replace: "",
    traits: crashes,
  },
  {
    name: "a compaction that removes a segment before the log says that it begins later",
    file: "storage/log/compaction",
    find: "await commit.mark();",
    replace: "",
    traits: crashes,
  },
  {
    name: "a compaction that drops what it cannot find by groups",
    file: "storage/log/compaction",
    find: "await this.#copyByDirectory(oldest);",
    replace: ";",
    traits: flips,
  },
  {
    name: "a log that begins where an old checkpoint says, though deletes behind it are gone",
    file: "storage/log/recovery",
    find: "if (place.segment < ((await walk.firstNeeded(place)) ?? place.firstSegment))",
    replace: "if (false)",
    traits: crashes,
  },
];

async function productAt(root: string): Promise<LogProduct> {
  const module = (path: string): Promise<unknown> => import(pathToFileURL(join(root, "src", path)).href);
  const engine = (await module("storage/log/log-engine.js")) as Pick<LogProduct, "openLogEngine">;
  const disk = (await module("sim/lossy-disk.js")) as Pick<LogProduct, "LossyDisk">;
  return { openLogEngine: engine.openLogEngine, LossyDisk: disk.LossyDisk };
}

describe("the histories catch", () => {
  for (const bug of planted) {
    test(bug.name, async () => {
      const product = await productAt(plantedCopy(bug));
      let caught: unknown;
      for (let seed = 1; seed <= 600 && caught === undefined; seed++) {
        await playHistory(product, seed, bug.traits, noCounts()).catch((error: unknown) => {
          caught = error;
        });
      }
      assert.notEqual(caught, undefined);
    });
  }
});
