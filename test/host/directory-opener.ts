/**
 * A process that opens a data directory at a word from its test, and keeps it until it is killed.
 *
 *   node directory-opener.js DIRECTORY
 *
 * Answers `ready` with `ready`, and `go` with `opened` or the code of the refusal.
 */

import { createInterface } from "node:readline";
import { DataDirectoryError, openDataDirectory } from "../../src/host/data-directory.ts";

const [path = ""] = process.argv.slice(2);

for await (const word of createInterface(process.stdin)) {
  if (word === "ready") {
    console.log("ready");
    continue;
  }
  try {
    await openDataDirectory(path);
    console.log("opened");
  } catch (error) {
    console.log(error instanceof DataDirectoryError ? error.code : String(error));
  }
}
