/**
 * Runs the tests: every `test/**\/*.test.ts`, as compiled. What Node finds by itself differs from version to version,
 * so the list is made here, from the sources, since the build leaves behind what was deleted.
 *
 * node scripts/test.mjs [part of a file's path ...] [--node-option ...]
 */

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const options = args.filter((argument) => argument.startsWith("-"));
const filters = args.filter((argument) => !argument.startsWith("-"));

const files = readdirSync(join(root, "test"), { recursive: true })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("dist", "test", name.replace(/\.ts$/, ".js")))
  .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
  .sort();

if (files.length === 0) {
  process.stderr.write(
    `${filters.length === 0 ? "there are no tests" : `no test file has ${filters.join(" or ")} in its path`}\n`,
  );
  process.exit(1);
}

// A test that hangs is a test that fails.
const flags = ["--enable-source-maps", "--test", "--test-reporter=spec", `--test-timeout=${10 * 60_000}`];
const seeded = ["--import", pathToFileURL(join(root, "dist", "test", "property-seed.js")).href];

let isStopped = false;

/** Runs the files, so many at a time. Resolves to the status. */
function run(tests, atOnce) {
  process.stderr.write(`running ${tests.length} test files on Node ${process.versions.node} ...\n`);
  const all = [...flags, `--test-concurrency=${atOnce}`, ...seeded, ...options, ...tests];
  const child = spawn(process.execPath, all, { cwd: root, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      isStopped = true;
      child.kill(signal);
    });
  }
  return new Promise((resolve) => child.on("close", (code) => resolve(code ?? 1)));
}

// Clusters of real processes mostly wait, for each other and for their own silences, and go side by side; those that have
// a bound on what may fail under load, or on when all must agree, have the machine for themselves.
const isCluster = (name) => name.includes(join("test", "cluster"));
const isBounded = (name) => name.includes(join("test", "cluster", "under-load"));
const parts = [
  { tests: files.filter((name) => !isCluster(name)), atOnce: availableParallelism() },
  { tests: files.filter((name) => isCluster(name) && !isBounded(name)), atOnce: 2 },
  { tests: files.filter(isBounded), atOnce: 1 },
];
for (const { tests, atOnce } of parts) {
  if (tests.length > 0 && !isStopped) process.exitCode = Math.max(process.exitCode ?? 0, await run(tests, atOnce));
}
