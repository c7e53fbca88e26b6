/**
 * The one workload of the tests with real processes: clients that read a cart, merge its siblings, add one item of
 * their own and write it back (§6.1's shopping cart). An item that was acknowledged once must be in the cart for ever,
 * and that is the whole checker.
 */

import type { RealNode } from "./real-cluster.ts";

export interface WorkloadCounts {
  acknowledged: number;
  /** Answered with an error, or not at all: the item may or may not be in the cart. */
  unknown: number;
  /** Reads that did not succeed. */
  failedReads: number;
  /** Carts found with siblings. */
  mergedCarts: number;
}

export class CartWorkload {
  readonly counts: WorkloadCounts = { acknowledged: 0, unknown: 0, failedReads: 0, mergedCarts: 0 };
  readonly #nodes: () => readonly RealNode[];
  readonly #keys: readonly string[];
  readonly #acknowledged = new Map<string, Set<string>>();
  #isRunning = true;
  #items = 0;
  #turn = 0;

  /** `nodes` are those that clients may talk to at the moment of the call. */
  constructor(nodes: () => readonly RealNode[], keys: number) {
    this.#nodes = nodes;
    this.#keys = Array.from({ length: keys }, (_, i) => `/kv/carts/cart-${i}`);
    for (const key of this.#keys) this.#acknowledged.set(key, new Set());
  }

  /** Runs `clients` at a time until `stop`. */
  async run(clients: number): Promise<void> {
    await Promise.all(Array.from({ length: clients }, (_, i) => this.#shop(`c${i}`)));
  }

  stop(): void {
    this.#isRunning = false;
  }

  /** Reads every cart at every node with r=all, and says what is missing. */
  async missing(nodes: readonly RealNode[]): Promise<readonly string[]> {
    const missing: string[] = [];
    for (const key of this.#keys) {
      for (const node of nodes) {
        const answer = await node.call("GET", `${key}?r=all&timeout=8000`);
        const cart = itemsOf(answer.status, answer.body);
        if (cart === undefined)
          missing.push(`${key} at ${node.name}: status ${answer.status} ${answer.body.toString().slice(0, 300)}`);
        for (const item of this.#acknowledged.get(key) ?? []) {
          if (cart !== undefined && !cart.items.has(item)) missing.push(`${key} at ${node.name}: ${item}`);
        }
      }
    }
    return missing;
  }

  async #shop(client: string): Promise<void> {
    while (this.#isRunning) {
      const key = this.#keys[this.#turn++ % this.#keys.length] as string;
      const node = this.#pick();
      if (node === undefined) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      await this.#addItem(client, key, node);
    }
  }

  #pick(): RealNode | undefined {
    const nodes = this.#nodes();
    return nodes[this.#turn % Math.max(1, nodes.length)];
  }

  async #addItem(client: string, key: string, node: RealNode): Promise<void> {
    const item = `${client}-${this.#items++}`;
    try {
      const found = await node.call("GET", key);
      const cart = itemsOf(found.status, found.body);
      if (cart === undefined) {
        this.counts.failedReads += 1;
        return;
      }
      if (cart.siblings > 1) this.counts.mergedCarts += 1;
      const body = JSON.stringify([...cart.items, item]);
      const options = found.context === undefined ? { body } : { body, context: found.context };
      const headers = { "content-type": "application/json" };
      const stored = await (this.#pick() ?? node).call("PUT", `${key}?w=2`, { ...options, headers });
      if (stored.status === 204) {
        this.counts.acknowledged += 1;
        this.#acknowledged.get(key)?.add(item);
      } else {
        this.counts.unknown += 1;
      }
    } catch {
      this.counts.unknown += 1;
    }
  }
}

/** The union of a cart's siblings; undefined where the answer was no cart. */
function itemsOf(status: number, body: Buffer): { items: Set<string>; siblings: number } | undefined {
  if (status === 404) return { items: new Set(), siblings: 0 };
  if (status === 200) return { items: new Set(JSON.parse(body.toString())), siblings: 1 };
  if (status !== 300) return undefined;
  const { siblings } = JSON.parse(body.toString()) as { siblings: { value: string }[] };
  const items = siblings.flatMap(({ value }) => JSON.parse(Buffer.from(value, "base64").toString()) as string[]);
  return { items: new Set(items), siblings: siblings.length };
}
