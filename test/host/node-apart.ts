/** One node in a process of its own, which may end at any moment: says `serving` once it does, or why it cannot. */

import { startNode } from "../../src/host/index.ts";

const [name = "", data = ""] = process.argv.slice(2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  const onEnded = (error: Error): void => {
    say(error.message);
    // What it has to note in its directory is noted before it says so.
    process.exit(1);
  };
  const node = await startNode({ name, data, listen: "127.0.0.1:0", http: false, onEnded });
  process.once("SIGTERM", () => void node.stop().then(() => process.exit(0)));
  say("serving");
} catch (error) {
  say(String(error));
  process.exitCode = 1;
}
