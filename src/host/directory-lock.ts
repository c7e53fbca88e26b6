/**
 * One process a directory: a lock that dies with its holder.
 *
 * A lock file outlives a kill -9, and telling a stale one by its process id fails where ids are reused (in containers
 * everybody is process 1); Node has no flock. A listening Unix socket is closed by the kernel with its process, so
 * here to hold the lock is to listen. But a socket's *name* stays behind, and "remove the dead name and bind it
 * again" lets two starters remove each other's. So every starter listens under a name of its own, never used again,
 * and only then looks for others:
 *
 * 1. Listen, then appear in the directory as `lock-<16 random digits>.sock`: what can be seen listens or is dead.
 * 2. Ask every other such socket. Nobody listens: its holder is dead, the name is removed. Somebody does: it says
 *    whether it gives way.
 * 3. Nobody refused: the lock is held.
 *
 * Of two starters, the later to appear sees the earlier, so that at least one of them asks the other. Who is asked
 * decides at once and keeps to it: a holder refuses; a starter refuses a greater name and gives way to a smaller.
 * So no two ever hold it. A process that is stopped or hangs still listens, and refuses by its silence.
 *
 * It works between processes of one machine, over containers too, not between machines that share a file system.
 */

import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rename, rm, symlink, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What locks leave in a directory. */
export const lockLeavings: RegExp = /^lock-[0-9a-f]{16}\.(sock|new)$/;
const socketName: RegExp = /^lock-([0-9a-f]{16})\.sock$/;
const unseenName: RegExp = /^lock-[0-9a-f]{16}\.new$/;
/** The longest path of a socket that every system takes. */
const longestSocketPath = 100;
/** How long a listener may take to say who it is before it counts as one that refuses. */
const answerMs = 1000;
/** How often a listener is asked that closes in the middle, as a starter does that has just been refused itself. */
const attempts = 3;

/** Somebody else holds the lock. */
export class DirectoryInUse extends Error {
  override readonly name = "DirectoryInUse";
  /** The holder's process id in its own container, where it said so. */
  readonly holder: number | undefined;

  constructor(holder: number | undefined) {
    super(holder === undefined ? "in use by another process" : `in use by process ${holder}`);
    this.holder = holder;
  }
}

export interface DirectoryLock {
  release(): Promise<void>;
}

/** Takes the lock of the directory, or rejects with `DirectoryInUse` or the system's error. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const ownId = randomBytes(8).toString("hex");
  const door = await shortPathTo(directory);
  const claim = new Claim(directory, ownId);
  try {
    await claim.appear(door.path);
    for (const file of await readdir(directory)) {
      const otherId = socketName.exec(file)?.[1];
      if (otherId === undefined || otherId === ownId) continue;
      const answer = await ask(join(door.path, file), ownId);
      if (answer === "nobody") await rm(join(directory, file), { force: true });
      else if (answer.kind === "refused") throw new DirectoryInUse(answer.holder);
    }
    claim.hold();
    await sweep(directory);
    return { release: () => claim.close() };
  } catch (error) {
    await claim.close();
    throw error;
  } finally {
    await door.close();
  }
}

/** A process's own socket, and what it tells others: `no PID` or `yes`. */
class Claim {
  readonly #directory: string;
  readonly #id: string;
  readonly #server: Server;
  #state: "starting" | "holding" | "yielded" = "starting";

  constructor(directory: string, id: string) {
    this.#directory = directory;
    this.#id = id;
    this.#server = createServer((socket) => this.#answer(socket));
  }

  /**
   * A socket refuses between its binding and its listening, as a dead one does: so it gets its name in two steps.
   * `door` is the directory by a short path.
   */
  async appear(door: string): Promise<void> {
    const unseen = `lock-${this.#id}.new`;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(join(door, unseen), resolve);
    });
    try {
      await rename(join(this.#directory, unseen), this.#path());
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new DirectoryInUse(undefined);
      throw error;
    }
  }

  /** From here on the lock is held, and no longer keeps a process alive that has nothing else to do. */
  hold(): void {
    if (this.#state !== "starting") throw new DirectoryInUse(undefined);
    this.#state = "holding";
    this.#server.unref();
  }

  async close(): Promise<void> {
    this.#server.ref();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await rm(this.#path(), { force: true });
  }

  #path(): string {
    return join(this.#directory, `lock-${this.#id}.sock`);
  }

  #answer(socket: Socket): void {
    socket.unref();
    socket.on("error", () => socket.destroy());
    socket.setTimeout(answerMs, () => socket.destroy());
    let asked = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      asked += text;
      if (asked.length < this.#id.length) return;
      if (this.#state === "starting" && asked < this.#id) this.#state = "yielded";
      socket.end(this.#state === "yielded" ? "yes" : `no ${process.pid}`);
    });
  }
}

type Answer =
  | "nobody"
  | { readonly kind: "gave-way" }
  | { readonly kind: "refused"; readonly holder: number | undefined };

/** Asks the socket's listener to give way to `ownId`. */
async function ask(path: string, ownId: string): Promise<Answer> {
  for (let attempt = 1; attempt < attempts; attempt++) {
    const answer = await askOnce(path, ownId);
    if (answer !== "cut-off") return answer;
  }
  const answer = await askOnce(path, ownId);
  return answer === "cut-off" ? { kind: "refused", holder: undefined } : answer;
}

function askOnce(path: string, ownId: string): Promise<Answer | "cut-off"> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let said = "";
    socket.setEncoding("latin1");
    socket.setTimeout(answerMs, () => {
      socket.destroy();
      resolve({ kind: "refused", holder: undefined });
    });
    socket.on("connect", () => socket.write(ownId));
    socket.on("data", (text: string) => {
      said += text;
    });
    socket.on("end", () => {
      const holder = /^no (\d+)$/.exec(said)?.[1];
      if (holder !== undefined) resolve({ kind: "refused", holder: Number(holder) });
      else resolve(said === "yes" ? { kind: "gave-way" } : "cut-off");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const isNobody = error.code === "ECONNREFUSED" || error.code === "ENOENT";
      resolve(isNobody ? "nobody" : "cut-off");
    });
  });
}

/** Removes what starters left that died before they appeared; one that is alive finds its name gone and gives up. */
async function sweep(directory: string): Promise<void> {
  for (const file of await readdir(directory)) {
    if (unseenName.test(file)) await rm(join(directory, file), { force: true });
  }
}

/** The directory under a path short enough for sockets: itself, or a link to it that lasts until `close`. */
async function shortPathTo(directory: string): Promise<{ readonly path: string; close(): Promise<void> }> {
  if (join(directory, "lock-0123456789abcdef.sock").length <= longestSocketPath) {
    return { path: directory, close: async () => {} };
  }
  const made = await mkdtemp(join(tmpdir(), "cw-"));
  const path = join(made, "d");
  await symlink(directory, path);
  return {
    path,
    close: async () => {
      await unlink(path);
      await rm(made, { recursive: true });
    },
  };
}
