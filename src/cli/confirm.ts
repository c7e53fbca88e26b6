/** Asks a person before something is done that cannot simply be undone. */

import { createInterface } from "node:readline/promises";
import { CommandFailed, UsageError } from "./usage-error.ts";

/** Resolves if the answer on the terminal is yes. Throws otherwise, and where nobody can be asked. */
export async function confirm(question: string, what: string): Promise<void> {
  if (!process.stdin.isTTY) throw new UsageError(`${what} asks before it changes the cluster; here it needs --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailed("nothing was changed");
  } finally {
    terminal.close();
  }
}
