/**
 * Runs the tests: every `test/**\/*.test.ts`, as compiled. What Node finds by itself differs from version to version,
 * so the list is made here, from the sources, since the build leaves behind what was deleted.
 *
 * node scripts/test.mjs [part of a file's path ...] [--node-option ...]
 */

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
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

process.stderr.write(`running ${files.length} test files on Node ${process.versions.node} ...\n`);
// A test that hangs is a test that fails.
const flags = ["--enable-source-maps", "--test", "--test-reporter=spec", `--test-timeout=${10 * 60_000}`];
const seeded = ["--import", pathToFileURL(join(root, "dist", "test", "property-seed.js")).href];
const child = spawn(process.execPath, [...flags, ...seeded, ...options, ...files], { cwd: root, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("close", (code) => process.exit(code ?? 1));
