/**
 * A real file system of a few megabytes for one node: a tmpfs in a mount namespace of its process, so that nobody else
 * sees it and nothing of it is left when the process ends, its data included.
 *
 * Needs root.
 */

import { execFileSync } from "node:child_process";
import { skipFor } from "../skip-for.ts";
import type { RealNode } from "./real-node.ts";

export class SmallDisk {
  /** What the node's process is started within. */
  readonly within: readonly string[];
  readonly #directory: string;

  /** Why tests that need one are skipped here, in one line; false where they are not. */
  static skip(): string | false {
    try {
      execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"], { stdio: "pipe" });
      return false;
    } catch {
      return skipFor("mounting a small disk needs root, unshare and mount");
    }
  }

  /** For a node whose data directory is in `directory`, which need not exist. */
  constructor(directory: string, bytes: number) {
    const mount = `mkdir -p "$0" && mount -t tmpfs -o size=${bytes} none "$0" && exec "$@"`;
    this.within = ["unshare", "--mount", "sh", "-c", mount, directory];
    this.#directory = directory;
  }

  /** Takes all that is left of it. */
  fill(node: RealNode): void {
    this.#inside(node, `! cat /dev/zero > "$0/ballast" 2> /dev/null`);
  }

  /** Gives back what `fill` took. */
  free(node: RealNode): void {
    this.#inside(node, `rm "$0/ballast"`);
  }

  #inside(node: RealNode, command: string): void {
    const words = ["--target", String(node.pid), "--mount", "sh", "-c", command, this.#directory];
    execFileSync("nsenter", words, { stdio: ["ignore", "inherit", "inherit"] });
  }

  /** Where the node's data is. */
  dataOf(name: string): string {
    return `${this.#directory}/${name}`;
  }
}
