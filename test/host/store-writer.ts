/**
 * A process that writes to a store and says so: a test kills it, or traces it.
 *
 *   node store-writer.js DIRECTORY BATCHES IN-FLIGHT [ENGINE]
 *
 * Writes `asked N` before a batch and `acknowledged N`, or `failed N CODE`, after it, each in one system call.
 */

import { writeSync } from "node:fs";
import { openEngine, storageNames } from "../../src/host/engines.ts";
import { silentLog } from "../../src/runtime/log.ts";
import { StorageError } from "../../src/storage/engine.ts";

const [directory = "", batches = "0", inFlight = "1", storage = "lmdb"] = process.argv.slice(2);

const encoder = new TextEncoder();
const engine = await openEngine(storageNames.find((name) => name === storage) ?? "memory", directory, silentLog);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** Batch N writes N under three keys of its own and one that all batches share. */
async function write(batch: number): Promise<void> {
  const value = encoder.encode(String(batch));
  say(`asked ${batch}`);
  try {
    await engine.write(
      ["a", "b", "c", "last"].map((part) => ({
        key: encoder.encode(part === "last" ? part : `${part} ${batch}`),
        value,
      })),
    );
    say(`acknowledged ${batch}`);
  } catch (error) {
    say(`failed ${batch} ${error instanceof StorageError ? error.code : String(error)}`);
  }
}

let next = 0;
async function writer(): Promise<void> {
  while (next < Number(batches)) await write(next++);
}

await Promise.all(Array.from({ length: Number(inFlight) }, writer));
await engine.close();
say("closed");
