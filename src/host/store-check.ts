/**
 * A process that reads a store from end to end, writes to it, and says whether it could; `damaged-store.ts` starts it.
 *
 * A page in the wrong place may read like a sound one with less in it, so what was found is held against the number
 * of keys that the engine keeps. Only a write makes LMDB look at its list of free pages, and at what it replaces.
 */

import { type StorageEngine, StorageError } from "../storage/engine.ts";
import { keyAfter } from "../storage/store-key.ts";
import { damagedStatus } from "./damaged-store.ts";
import { openLmdbEngine } from "./lmdb-engine.ts";

const pageEntries = 256;
/** Behind all that is ever stored, and gone again at the end. */
const probe = Uint8Array.of(0xff, 0xff);

try {
  const engine = openLmdbEngine(process.argv[2] ?? "");
  const { keys } = engine.usage();
  const read = readThrough(engine);
  if (read !== keys) throw new StorageError("corrupt", `${read} of its ${keys} keys can be found`);
  await write(engine);
  await engine.close();
} catch (error) {
  const isDamaged = error instanceof StorageError && error.code === "corrupt";
  process.stdout.write(String((error as Error).message));
  process.exitCode = isDamaged ? damagedStatus : 1;
}

/** The number of keys found. */
function readThrough(engine: StorageEngine): number {
  let from: Uint8Array = Uint8Array.of(0);
  for (let read = 0; ; ) {
    const page = engine.scan({ from, to: Uint8Array.of(0xff) }, pageEntries);
    const last = page[page.length - 1];
    if (last === undefined) return read;
    read += page.length;
    from = keyAfter(last.key);
  }
}

/** Replaces what a node writes to first by itself, its own records, and takes room as for a large value. */
async function write(engine: StorageEngine): Promise<void> {
  const first = engine.scan({ from: Uint8Array.of(0), to: Uint8Array.of(0xff) }, pageEntries);
  await engine.write([...first, { key: probe, value: new Uint8Array(100_000) }]);
  await engine.write([{ key: probe, value: undefined }]);
}
