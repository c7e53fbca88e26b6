/**
 * A process that reads a store from end to end, writes to it, and says whether it could; `damaged-store.ts` starts it.
 * Only a write makes LMDB look at its list of free pages, which may be what is damaged.
 */

import { StorageError } from "../storage/engine.ts";
import { keyAfter } from "../storage/store-key.ts";
import { damagedStatus } from "./damaged-store.ts";
import { openLmdbEngine } from "./lmdb-engine.ts";

const pageEntries = 256;
/** Behind all that is ever stored, and gone again at the end. */
const probe = Uint8Array.of(0xff, 0xff);

try {
  const engine = openLmdbEngine(process.argv[2] ?? "");
  let from: Uint8Array = Uint8Array.of(0);
  for (;;) {
    const page = engine.scan({ from, to: Uint8Array.of(0xff) }, pageEntries);
    const last = page[page.length - 1];
    if (last === undefined) break;
    from = keyAfter(last.key);
  }
  await engine.write([{ key: probe, value: new Uint8Array(100_000) }]);
  await engine.write([{ key: probe, value: undefined }]);
  await engine.close();
} catch (error) {
  const isDamaged = error instanceof StorageError && error.code === "corrupt";
  process.stdout.write(String((error as Error).message));
  process.exitCode = isDamaged ? damagedStatus : 1;
}
