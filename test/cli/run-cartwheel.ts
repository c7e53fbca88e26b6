/** The executable as a user runs it, to its end: one that goes on where it should have ended is killed, and says so. */

import { spawn } from "node:child_process";

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

const longestMs = 120_000;

/** Runs `cartwheel` with these words; `environment` is added to one without any of its own variables. */
export function runCartwheel(
  words: readonly string[],
  { environment = {}, input }: { environment?: Record<string, string>; input?: string } = {},
): Promise<Ran> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("CARTWHEEL_"));
  const child = spawn(process.execPath, ["bin/cartwheel.js", ...words], {
    env: { ...Object.fromEntries(inherited), ...environment },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    const kill = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`cartwheel ${words.join(" ")} has not ended within ${longestMs} ms: ${out}${err}`));
    }, longestMs);
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(kill);
      resolve({ status, out, err });
    });
  });
}
