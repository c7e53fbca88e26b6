/**
 * Opens a node's store, or, where it is damaged, sets it aside and lets the node take its place again with an empty one,
 * which the other owners fill (`node/rebuild.ts`).
 *
 * LMDB has no checksums over its pages (the log engine has, and says so at opening). Some damage it meets with an error,
 * at opening or later; on other damage it ends the process, and a supervisor would start it into the same end for ever. So a note in the directory says that
 * a store was opened and not yet read through, and whoever finds it has another process read the store first. A clean
 * restart pays nothing for that; one after a crash within the first scan pays a scan.
 *
 * Nothing is thrown away: who wants to look at the damaged store finds it beside the new one.
 */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Log } from "../runtime/log.ts";
import { type StorageEngine, StorageError } from "../storage/engine.ts";
import { type DataDirectory, DataDirectoryError } from "./data-directory.ts";

/** What a process dies of that reads where there is nothing to read; not what somebody who kills it sends. */
const deaths: ReadonlySet<string> = new Set(["SIGABRT", "SIGSEGV", "SIGBUS", "SIGILL", "SIGTRAP"]);
/** The exit status of `store-check.ts` where the engine says that the store is damaged. */
export const damagedStatus = 3;

/** `join`: members the operator named. Rejects with `DataDirectoryError` or `StorageError`. */
export async function openStore(directory: DataDirectory, join: readonly string[], log: Log): Promise<StorageEngine> {
  const found = directory.damage ?? (directory.wasLeftUnread ? await damageOf(directory) : undefined);
  if (found !== undefined) return beginAnew(directory, join, log, found);
  try {
    return await directory.openEngine();
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== "corrupt" || directory.member === undefined) throw error;
    return beginAnew(directory, join, log, error.message);
  }
}

async function beginAnew(
  directory: DataDirectory,
  join: readonly string[],
  log: Log,
  why: string,
): Promise<StorageEngine> {
  if (join.length === 0 && (directory.member?.peers ?? []).length === 0) {
    const remedy = "name other members of its cluster with --join, and it is set aside and filled again from them";
    throw new DataDirectoryError("damaged", `the store in ${directory.path} is damaged (${why}): ${remedy}`);
  }
  const setAside = await directory.setStoreAside();
  const detail = "the store is damaged: it is set aside, and this node takes its place again as with a lost disk";
  log.error(detail, { why, setAside, directory: directory.path });
  return directory.openEngine();
}

/** Reads the whole store in a process of its own. Undefined: nothing is wrong with it, or nobody can say. */
function damageOf({ store, storage }: DataDirectory): Promise<string | undefined> {
  if (storage !== "lmdb") return Promise.resolve(undefined);
  const script = fileURLToPath(new URL("./store-check.js", import.meta.url));
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, store], { stdio: ["ignore", "pipe", "ignore"] });
    let said = "";
    child.stdout.on("data", (text) => {
      said += String(text);
    });
    child.on("error", () => resolve(undefined));
    child.on("close", (status, signal) => {
      if (signal !== null && deaths.has(signal)) resolve(`a process that reads it ends with ${signal}`);
      else resolve(status === damagedStatus ? said.trim() : undefined);
    });
  });
}
