/**
 * A network of real Linux namespaces, for real splits: each node is a machine of its own to the kernel.
 *
 *   this process ──(web i)── namespace of node i ──(lan i)── switch: a namespace with one bridge for each side
 *
 * Nodes speak to each other over the switch alone, and this process speaks HTTP to each over a link of its own, which
 * no fault touches: so clients on both sides of a split go on. A split moves nodes to other bridges, and a one-way cut
 * gives one node a wrong hardware address for the other. Both are silent: no packet is refused, it is never seen again.
 *
 * Needs root and iproute2, and nothing of either is left behind but after a kill -9, which the next one clears up.
 */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { skipFor } from "../skip-for.ts";

export interface Home {
  readonly peer: { readonly host: string; readonly port: number };
  readonly http: { readonly host: string; readonly port: number };
  readonly within: readonly string[];
}

const prefix = "cartwheel-";
/** No machine has this address: the second bit says it is locally made. */
const nobody = "02:00:00:00:00:99";

export class NamespaceNetwork {
  readonly #size: number;
  readonly #name: string;
  readonly #subnet: string;

  /** Why tests that need one are skipped here, in one line; false where they are not. */
  static skip(): string | false {
    return skipFor(NamespaceNetwork.#whyNot());
  }

  static #whyNot(): string | undefined {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need root on Linux";
    try {
      const name = `${prefix}${process.pid}-probe`;
      ip("netns", "add", name);
      try {
        ip("-n", name, "link", "add", "probe", "type", "bridge");
        ip("-n", name, "link", "add", "one", "type", "veth", "peer", "name", "other");
      } finally {
        ip("netns", "del", name);
      }
      return undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message.split("\n").at(-1) : String(error);
      return `network namespaces need ip of iproute2, bridges and veth: ${why}`;
    }
  }

  constructor(size: number) {
    this.#size = size;
    this.#name = `${prefix}${process.pid}`;
    clearUp();
    this.#subnet = freeSubnet();
    ip("netns", "add", this.#switch);
    for (let side = 0; side < size; side++) {
      ip("-n", this.#switch, "link", "add", `side${side}`, "type", "bridge");
      ip("-n", this.#switch, "link", "set", `side${side}`, "up");
    }
    for (let i = 0; i < size; i++) this.#addMachine(i);
  }

  /** Where node `i` (from 0) lives. */
  homeOf(i: number): Home {
    return {
      peer: { host: lanAddress(i), port: 7400 },
      http: { host: this.#webAddress(i, 2), port: 7480 },
      within: ["ip", "netns", "exec", this.#machine(i)],
    };
  }

  /** From now on only nodes of one group reach each other. Nodes are counted from 0, each in one group. */
  split(...groups: readonly (readonly number[])[]): void {
    groups.forEach((nodes, side) => {
      for (const i of nodes) ip("-n", this.#switch, "link", "set", `port${i}`, "master", `side${side}`);
    });
  }

  /** From now on nothing that `from` sends reaches `to`, while what `to` sends arrives. */
  cut(from: number, to: number): void {
    const entry = [lanAddress(to), "lladdr", nobody, "nud", "permanent", "dev", "lan"];
    ip("-n", this.#machine(from), "neigh", "replace", ...entry);
  }

  /** All reach all again. */
  heal(): void {
    const all = Array.from({ length: this.#size }, (_, i) => i);
    this.split(all);
    for (const i of all) ip("-n", this.#machine(i), "neigh", "flush", "dev", "lan", "nud", "permanent");
  }

  [Symbol.dispose](): void {
    for (let i = 0; i < this.#size; i++) {
      ip("link", "del", this.#webLink(i));
      ip("netns", "del", this.#machine(i));
    }
    ip("netns", "del", this.#switch);
  }

  get #switch(): string {
    return `${this.#name}-switch`;
  }

  #machine(i: number): string {
    return `${this.#name}-n${i + 1}`;
  }

  #webLink(i: number): string {
    return `cw${process.pid}w${i}`;
  }

  #webAddress(i: number, end: 1 | 2): string {
    return `${this.#subnet}.${i * 4 + end}`;
  }

  #addMachine(i: number): void {
    const machine = this.#machine(i);
    const here = this.#webLink(i);
    ip("netns", "add", machine);
    ip("-n", machine, "link", "set", "lo", "up");
    ip("link", "add", here, "type", "veth", "peer", "name", "web", "netns", machine);
    ip("address", "add", `${this.#webAddress(i, 1)}/30`, "dev", here);
    ip("link", "set", here, "up");
    ip("-n", machine, "address", "add", `${this.#webAddress(i, 2)}/30`, "dev", "web");
    ip("-n", machine, "link", "set", "web", "up");
    ip("-n", this.#switch, "link", "add", `port${i}`, "type", "veth", "peer", "name", "lan", "netns", machine);
    ip("-n", this.#switch, "link", "set", `port${i}`, "master", "side0");
    ip("-n", this.#switch, "link", "set", `port${i}`, "up");
    ip("-n", machine, "address", "add", `${lanAddress(i)}/24`, "dev", "lan");
    ip("-n", machine, "link", "set", "lan", "up");
  }
}

/** Addresses between nodes, seen by nobody else. */
function lanAddress(i: number): string {
  return `10.99.0.${i + 1}`;
}

function ip(...words: readonly string[]): string {
  return execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
}

/** The first three bytes of addresses that this machine does not use, of those set aside for tests of networks. */
function freeSubnet(): string {
  const used = ip("-o", "address", "show");
  for (;;) {
    const subnet = `198.${18 + Math.floor(Math.random() * 2)}.${Math.floor(Math.random() * 256)}`;
    if (!used.includes(` ${subnet}.`)) return subnet;
  }
}

/** Removes what processes left that are gone. */
function clearUp(): void {
  const folder = "/run/netns";
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      ip("netns", "del", name);
    } catch {
      // Another process clears up, too.
    }
  }
}
