/**
 * The one workload of the tests with real processes: clients that read a cart, merge its siblings, add an item of their
 * own and write it back (§6.1's shopping cart); now and then one checks out, and deletes what it has read.
 *
 * It counts what was asked of live nodes and what became of it, remembers every write in a `CartHistory`, and at the
 * end reads every cart at every node: at r=1, where each must show the same, and at r=all.
 */

import { CartHistory, type Flaw } from "./cart-history.ts";
import type { HttpAnswer, RealNode } from "./real-node.ts";

/** What became of the requests that one group of clients made of nodes that lived from the request to its end. */
export interface RequestCounts {
  reads: number;
  writes: number;
  failedReads: number;
  failedWrites: number;
  /** Those whose node was killed or paused while they ran; they are in no other number. */
  disturbed: number;
  /** Carts found with siblings. */
  mergedCarts: number;
  slowestMs: number;
  /** The first few failures, in words. */
  readonly failures: string[];
}

/** A cart as it is read: its live versions by the names of their writes. */
type Shown = ReadonlyMap<string, string>;

interface CartBody {
  readonly write: string;
  readonly items: readonly string[];
}

/** Of a hundred changes so many are a checkout. */
const checkoutPercent = 3;
/** Older items than these leave a cart, so that it does not grow. */
const cartItems = 12;
const failuresKept = 12;

export class CartWorkload {
  readonly history: CartHistory = new CartHistory();
  readonly #carts: readonly string[];
  #isRunning = true;
  #writes = 0;
  #turn = 0;
  #acknowledged = 0;

  constructor(carts: number) {
    this.#carts = Array.from({ length: carts }, (_, i) => `cart-${i}`);
  }

  /** Writes acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Runs `clients` at a time until `stop`; `nodes` are those they may talk to at the moment of the call. */
  shop(clients: number, nodes: () => readonly RealNode[]): { readonly counts: RequestCounts; done: Promise<void> } {
    const counts = noRequests();
    const shoppers = Array.from({ length: clients }, async () => {
      while (this.#isRunning) {
        const pick = (): RealNode | undefined => pickFrom(nodes(), this.#turn++);
        // The first carts are the busiest: some have many writers at a time, some hardly any.
        const cart = this.#carts[Math.floor(Math.random() ** 2 * this.#carts.length)] as string;
        if (!(await this.#visit(cart, pick, counts))) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    return { counts, done: Promise.all(shoppers).then(() => {}) };
  }

  stop(): void {
    this.#isRunning = false;
  }

  /** A test that fails ends its clients, too. */
  [Symbol.dispose](): void {
    this.stop();
  }

  /** Writes every cart once: one that nobody has written cannot be told from one whose writes are out of reach. */
  async fill(nodes: readonly RealNode[]): Promise<void> {
    await eachOf(this.#carts, async (cart) => {
      const status = await this.writeBlindly(cart, pickFrom(nodes, this.#turn++) as RealNode);
      if (status !== 204) throw new Error(`${cart} was not filled: ${status}`);
    });
  }

  /** Writes without having read, so that it is concurrent with everything; answers the status. */
  async writeBlindly(cart: string, node: RealNode, bytes = 0): Promise<number> {
    const write = `w${this.#writes++}`;
    const body = JSON.stringify({ write, items: [write.padEnd(bytes)] } satisfies CartBody);
    this.history.began(cart, write, [], body);
    const { status } = await node.call("PUT", pathOf(cart), { body });
    if (status === 204) this.#succeeded(cart, write);
    return status;
  }

  /** Resolves with the time it took until every node shows the same of every cart at r=1; rejects after `withinMs`. */
  async agreement(nodes: readonly RealNode[], withinMs: number): Promise<number> {
    const startedMs = performance.now();
    let pending = this.history.carts;
    let isFullPass = true;
    for (;;) {
      const differing = await differences(pending, nodes);
      const tookMs = performance.now() - startedMs;
      if (differing.length === 0 && isFullPass && tookMs <= withinMs) return Math.round(tookMs);
      if (tookMs > withinMs) {
        const some = differing.slice(0, 5).map(({ what }) => what);
        throw new Error(
          `after ${Math.round(tookMs)} ms ${differing.length} carts are not the same everywhere: ${some}`,
        );
      }
      // What agreed once is looked at again only when all else does, too.
      isFullPass = differing.length === 0;
      pending = isFullPass ? this.history.carts : differing.map(({ cart }) => cart);
    }
  }

  /** What is wrong with what each node shows in the end, at r=all and, where all are to agree already, at r=1. */
  async flaws(
    nodes: readonly RealNode[],
    quorums: readonly ("1" | "all")[] = ["1", "all"],
  ): Promise<readonly string[]> {
    const flaws: string[] = [];
    for (const query of quorums.map((r) => `r=${r}&timeout=8000`)) {
      await eachOf(this.history.carts, async (cart) => {
        for (const node of nodes) {
          const shown = await show(cart, node, query);
          if (typeof shown === "string") flaws.push(`${cart} at ${node.name}, ${query}: ${shown}`);
          else flaws.push(...this.history.flaws(cart, shown).map((flaw) => inWords(flaw, node, query)));
        }
      });
    }
    return flaws;
  }

  /** One reading and one change; false where there was nobody to ask. */
  async #visit(cart: string, pick: () => RealNode | undefined, counts: RequestCounts): Promise<boolean> {
    const read = await ask("GET", pathOf(cart), pick(), counts);
    if (read === undefined) return false;
    // A cart that cannot be read now is written all the same: that is what always writable is for.
    const found = read.answer === undefined ? "no answer" : versionsOf(read.answer);
    const shown = typeof found === "string" ? new Map<string, string>() : found;
    if (shown.size > 1) counts.mergedCarts += 1;
    const write = `w${this.#writes++}`;
    const seen = [...shown.keys()];
    const isCheckout = shown.size > 0 && Math.random() * 100 < checkoutPercent;
    const items = [...new Set([...shown.values()].flatMap((body) => (JSON.parse(body) as CartBody).items)), write];
    const body = isCheckout ? undefined : JSON.stringify({ write, items: items.slice(-cartItems) } satisfies CartBody);
    const node = pick();
    if (node === undefined) return false;
    this.history.began(cart, write, seen, body);
    const method = isCheckout ? "DELETE" : "PUT";
    const context = typeof found === "string" ? undefined : read.answer?.context;
    const stored = await ask(method, pathOf(cart), node, counts, { ...(body && { body }), context });
    if (stored?.answer?.status === 204) this.#succeeded(cart, write);
    return true;
  }

  #succeeded(cart: string, write: string): void {
    this.history.acknowledged(cart, write);
    this.#acknowledged += 1;
  }
}

/** How much of what was asked succeeded. */
export function successShare(counts: RequestCounts): number {
  return 1 - (counts.failedReads + counts.failedWrites) / Math.max(1, counts.reads + counts.writes);
}

function noRequests(): RequestCounts {
  const none = { reads: 0, writes: 0, failedReads: 0, failedWrites: 0, disturbed: 0, mergedCarts: 0, slowestMs: 0 };
  return { ...none, failures: [] };
}

function pickFrom(nodes: readonly RealNode[], turn: number): RealNode | undefined {
  return nodes[turn % Math.max(1, nodes.length)];
}

function pathOf(cart: string): string {
  return `/kv/carts/${cart}`;
}

/** Asks and counts; undefined where there is nobody to ask, without an answer where none came. */
async function ask(
  method: "GET" | "PUT" | "DELETE",
  path: string,
  node: RealNode | undefined,
  counts: RequestCounts,
  options: { readonly body?: string; readonly context?: string | undefined } = {},
): Promise<{ readonly answer: HttpAnswer | undefined } | undefined> {
  if (node === undefined) return undefined;
  const { disturbances } = node;
  const startedMs = performance.now();
  let why = "";
  const headers = { "content-type": "application/json" };
  const answer = await node.call(method, path, { ...options, headers }).catch((error: unknown) => {
    why = String(error);
    return undefined;
  });
  const tookMs = Math.round(performance.now() - startedMs);
  if (node.disturbances !== disturbances) {
    counts.disturbed += 1;
    return { answer };
  }
  const isRead = method === "GET";
  counts[isRead ? "reads" : "writes"] += 1;
  counts.slowestMs = Math.max(counts.slowestMs, tookMs);
  if (answer !== undefined && [200, 204, 300, 404].includes(answer.status)) return { answer };
  counts[isRead ? "failedReads" : "failedWrites"] += 1;
  if (counts.failures.length < failuresKept) {
    counts.failures.push(`${method} ${path} at ${node.name} after ${tookMs} ms: ${why}${problemOf(answer)}`);
  }
  return { answer };
}

function problemOf(answer: HttpAnswer | undefined): string {
  return answer === undefined ? "" : `${answer.status} ${answer.body.toString().slice(0, 200)}`;
}

/** The live versions of what was read, or why it cannot be told. */
function versionsOf(answer: HttpAnswer): Shown | string {
  if (answer.status === 404) return new Map();
  if (answer.status !== 200 && answer.status !== 300) return `${answer.status} ${answer.body.toString().slice(0, 300)}`;
  const body = answer.body.toString();
  if (answer.status === 200) return new Map([[(JSON.parse(body) as CartBody).write, body]]);
  const { siblings } = JSON.parse(body) as { siblings: readonly { value: string }[] };
  const bodies = siblings.map(({ value }) => Buffer.from(value, "base64").toString());
  return new Map(bodies.map((text) => [(JSON.parse(text) as CartBody).write, text]));
}

async function show(cart: string, node: RealNode, query: string): Promise<Shown | string> {
  const answer = await node.call("GET", `${pathOf(cart)}?${query}`).catch(String);
  return typeof answer === "string" ? answer : versionsOf(answer);
}

async function differences(
  carts: readonly string[],
  nodes: readonly RealNode[],
): Promise<readonly { readonly cart: string; readonly what: string }[]> {
  const differing: { cart: string; what: string }[] = [];
  await eachOf(carts, async (cart) => {
    const views = new Map<string, string[]>();
    for (const node of nodes) {
      const shown = await show(cart, node, "r=1");
      const view = typeof shown === "string" ? shown : [...shown.keys()].sort().join(" ") || "nothing";
      const isReadable = typeof shown !== "string";
      views.set(view, [...(views.get(view) ?? []), isReadable ? node.name : `unreadable at ${node.name}`]);
    }
    const isUnreadable = [...views.values()].some((names) => names.some((name) => name.startsWith("unreadable")));
    if (views.size === 1 && !isUnreadable) return;
    differing.push({ cart, what: `${cart}: ${[...views].map(([view, names]) => `${names} show ${view}`).join("; ")}` });
  });
  return differing;
}

/** A few at a time. */
async function eachOf(carts: readonly string[], act: (cart: string) => Promise<void>): Promise<void> {
  const left = [...carts];
  const workers = Array.from({ length: 12 }, async () => {
    for (let cart = left.pop(); cart !== undefined; cart = left.pop()) await act(cart);
  });
  await Promise.all(workers);
}

function inWords({ kind, cart, write }: Flaw, node: RealNode, query: string): string {
  return `${cart} at ${node.name}, ${query}: ${write} is ${kind}`;
}
