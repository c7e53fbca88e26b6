/**
 * Requests that leave at a fixed rate, whatever the answers do, and are timed from when they were due: one that waits
 * behind a slow one counts in full. Half are reads, half replace what they have read.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { RealNode } from "../test/cluster/real-cluster.ts";

export interface LoadOptions {
  readonly keys: number;
  /** Requests a second. */
  readonly rate: number;
  readonly valueBytes: number;
}

export interface Phase {
  readonly name: string;
  readonly tookMs: number[];
  failures: number;
  /** Of those, reads that said of a key that it is not there. */
  missing: number;
}

export class Load {
  readonly #options: LoadOptions;
  readonly #body: Buffer;
  #asked = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#body = Buffer.alloc(options.valueBytes, "v");
  }

  path(i: number): string {
    return `/kv/bench/k${i}`;
  }

  /** One that no other key has. */
  value(i: number): Buffer {
    const value = Buffer.from(this.#body);
    value.write(`${i} `);
    return value;
  }

  /** Asks for so long, or until told, of the nodes that there are then, and waits for the answers. */
  async run(
    name: string,
    nodes: readonly RealNode[] | (() => readonly RealNode[]),
    end: { readonly ms: number } | { readonly until: () => boolean },
  ): Promise<Phase> {
    const phase: Phase = { name, tookMs: [], failures: 0, missing: 0 };
    const startedMs = performance.now();
    const isOver = (): boolean => ("ms" in end ? performance.now() - startedMs >= end.ms : end.until());
    const running: Promise<void>[] = [];
    for (let i = 0; !isOver(); i++) {
      const dueMs = startedMs + (i * 1000) / this.#options.rate;
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) await sleep(leftMs);
      const asked = typeof nodes === "function" ? nodes() : nodes;
      running.push(this.#ask(asked[i % asked.length] as RealNode, dueMs, phase));
    }
    await Promise.all(running);
    return phase;
  }

  tellHead(): void {
    console.log(`${"".padEnd(18)} requests  failed     missing         p50         p99       p99.9         max`);
  }

  tell({ name, tookMs, failures, missing }: Phase): void {
    const of = (share: number): string => `${percentile(tookMs, share).toFixed(1)} ms`.padStart(11);
    const columns = [name.padEnd(18), String(tookMs.length).padStart(8), String(failures).padStart(7)];
    console.log([...columns, String(missing).padStart(11), of(0.5), of(0.99), of(0.999), of(1)].join(" "));
  }

  /** How many times what they took in each of the phases before, and in all of these together. */
  tellTimes({ name, tookMs }: Phase, before: readonly Phase[]): void {
    const together = before.flatMap((phase) => phase.tookMs);
    for (const share of [0.99, 0.999]) {
      const times = [...before.map((phase) => phase.tookMs), together].map((base) =>
        (percentile(tookMs, share) / percentile(base, share)).toFixed(2),
      );
      const [last] = times.splice(-1);
      console.log(
        `p${share * 100} ${name}: x ${times.join(" and x ")} of the phases before, x ${last} of both together`,
      );
    }
  }

  async #ask(node: RealNode, dueMs: number, phase: Phase): Promise<void> {
    const i = this.#asked++;
    // Each key in its turn, far apart: no cache of any kind has them.
    const key = (i * 7919) % this.#options.keys;
    const isRead = i % 2 === 0;
    const path = this.path(key);
    const answer = await (isRead ? node.call("GET", path) : this.#replace(node, key)).catch(() => undefined);
    phase.tookMs.push(performance.now() - dueMs);
    if (answer?.status === 404) phase.missing += 1;
    if (answer === undefined || ![200, 204, 300].includes(answer.status)) phase.failures += 1;
  }

  /** Writes with the context of what is there: the load is to be the same from the first second to the last. */
  async #replace(node: RealNode, key: number): ReturnType<RealNode["call"]> {
    const path = this.path(key);
    const found = await node.call("HEAD", path);
    return node.call("PUT", path, { body: this.value(key), context: found.context });
  }
}

/** The time that such a share of them stayed below. */
export function percentile(tookMs: readonly number[], share: number): number {
  const sorted = tookMs.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
