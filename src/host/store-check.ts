/** A process that reads a store from end to end and says whether it could; `damaged-store.ts` starts it. */

import { StorageError } from "../storage/engine.ts";
import { keyAfter } from "../storage/store-key.ts";
import { damagedStatus } from "./damaged-store.ts";
import { openLmdbEngine } from "./lmdb-engine.ts";

const pageEntries = 256;

try {
  const engine = openLmdbEngine(process.argv[2] ?? "");
  let from: Uint8Array = Uint8Array.of(0);
  for (;;) {
    const page = engine.scan({ from, to: Uint8Array.of(0xff) }, pageEntries);
    const last = page[page.length - 1];
    if (last === undefined) break;
    from = keyAfter(last.key);
  }
  await engine.close();
} catch (error) {
  const isDamaged = error instanceof StorageError && error.code === "corrupt";
  process.stdout.write(String((error as Error).message));
  process.exitCode = isDamaged ? damagedStatus : 1;
}
