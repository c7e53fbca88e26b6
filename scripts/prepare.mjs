/**
 * Makes a checkout ready to run: installs what package-lock.json names if it is not what is installed, and builds if
 * a source changed. Runs before `npm start` and `npm test`, so it needs nothing but Node itself.
 *
 * Two at once are safe: one works, the other waits and then finds nothing left to do. What is installed is judged by
 * npm's own list in node_modules, which npm writes last, so an interrupted install is seen and done again.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const quiet = process.argv.includes("--quiet");
const stampFile = join(root, "dist", ".built");
const lockFile = join(root, "dist", ".preparing");

const oldestNode = [20, 19];

function say(text) {
  process.stderr.write(`${text}\n`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  say(`cartwheel needs Node ${oldestNode.join(".")} or newer, this is ${process.versions.node}`);
  process.exit(1);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** The first package that is not installed as the lock says, or undefined. Other platforms' packages may be missing. */
function missingPackage() {
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
  const installed = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  if (installed === undefined) return "node_modules";
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const there = installed[path];
    if (there === undefined && (entry.optional || entry.peer)) continue;
    if (there?.version !== entry.version) return path.replace(/^.*node_modules\//, "");
  }
  return undefined;
}

/** A digest that changes when any file the build reads is added, removed or changed. */
function sourceDigest() {
  const hash = createHash("sha256");
  hash.update(process.versions.node.split(".")[0]);
  const walk = (path) => {
    const stat = statSync(join(root, path), { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (stat.isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) walk(join(path, name));
    } else if (/\.(ts|json)$/.test(path)) {
      hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`);
    }
  };
  for (const path of ["src", "test", "tools", "bench", "tsconfig.json", "tsconfig.base.json", "package-lock.json"])
    walk(path);
  return hash.digest("hex");
}

function isBuilt(digest) {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === digest;
}

/** Runs a command with its output on our stderr; ends with this process, and ends this process if it fails. */
async function run(command, args, what) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  const stop = (signal) => child.kill(signal);
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const [code, signal] = await new Promise((resolve) => {
    child.on("error", (error) => {
      say(`cannot run ${command}: ${error.message}`);
      resolve([1, null]);
    });
    child.on("close", (...ended) => resolve(ended));
  });
  process.off("SIGINT", stop).off("SIGTERM", stop);
  if (code === 0) return;
  say(`${what} failed${signal ? ` (${signal})` : ""}`);
  rmSync(lockFile, { force: true });
  process.exit(code || 1);
}

/** npm as it was started, or the one on the path. */
function npmCommand() {
  const script = process.env.npm_execpath;
  return script?.endsWith(".js") ? [process.execPath, script] : ["npm"];
}

/** The process a lock file names, or undefined if there is no such process or file. */
function holderOf(file) {
  let pid;
  try {
    pid = Number(readFileSync(file, "utf8"));
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return error.code === "EPERM" ? pid : undefined;
  }
}

/** Removes the lock of a process that is gone; puts it back if another process took it meanwhile. */
function breakLock() {
  const aside = `${lockFile}.${process.pid}.old`;
  try {
    renameSync(lockFile, aside);
  } catch {
    return;
  }
  if (holderOf(aside) !== undefined) linkSync(aside, lockFile);
  rmSync(aside);
}

/** Waits until this process alone may install and build. */
async function takeLock() {
  mkdirSync(dirname(lockFile), { recursive: true });
  const own = `${lockFile}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    for (let told = false; ; ) {
      try {
        linkSync(own, lockFile);
        return;
      } catch (error) {
        if (error.code !== "EEXIST") throw error;
      }
      const holder = holderOf(lockFile);
      if (holder === undefined) {
        breakLock();
        continue;
      }
      if (!told) say(`process ${holder} is installing or building here, waiting for it ...`);
      told = true;
      await sleep(100);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

async function prepare() {
  checkNode();
  if (missingPackage() === undefined && isBuilt(sourceDigest())) {
    if (!quiet) say("installed and built already");
    return;
  }
  await takeLock();
  try {
    const missing = missingPackage();
    if (missing !== undefined) {
      say(`installing packages (${missing} is missing or has another version) ...`);
      const [command, ...first] = npmCommand();
      await run(command, [...first, "ci", "--include=dev", "--no-audit", "--no-fund"], "npm ci");
    }
    const digest = sourceDigest();
    if (!isBuilt(digest)) {
      say("building ...");
      const began = performance.now();
      await run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-b"], "the build");
      writeFileSync(stampFile, digest);
      say(`built in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    }
  } finally {
    rmSync(lockFile, { force: true });
  }
}

await prepare();
