/**
 * Clients of keys that are there from the beginning and never go: each key has one writer, which replaces what it has
 * read by a greater number. So any answer of 404 is wrong, and so is a number smaller than the last that was acknowledged
 * before the question, at r=2 and w=2 of three.
 *
 * A client is a plain one: it has the addresses of all nodes, takes them in turn, and asks another one only where nobody
 * listens, since then nothing was sent. What it asks of a node that is killed meanwhile counts for nothing.
 */

import type { HttpAnswer, RealNode } from "./real-node.ts";

export interface Told {
  requests: number;
  failed: number;
  /** Requests whose node was killed while they ran. */
  disturbed: number;
  /** The first failures, and all answers that are wrong, in words. */
  readonly failures: string[];
  readonly wrong: string[];
}

const failuresKept = 12;

export class KnownKeys {
  readonly told: Told = { requests: 0, failed: 0, disturbed: 0, failures: [], wrong: [] };
  readonly #nodes: () => readonly RealNode[];
  /** The greatest number of each key that was acknowledged, and the greatest that was sent. */
  readonly #acknowledged: number[];
  readonly #sent: number[];
  #turn = 0;
  #isRunning = true;

  /** `nodes` are those whose addresses clients have, at the moment of the call. */
  constructor(keys: number, nodes: () => readonly RealNode[]) {
    this.#nodes = nodes;
    this.#acknowledged = Array.from({ length: keys }, () => 0);
    this.#sent = [...this.#acknowledged];
  }

  /** Writes every key once. Throws where that fails. */
  async fill(): Promise<void> {
    await this.#eachKey(async (key) => {
      const [node] = this.#nodes();
      const answer = await node?.call("PUT", pathOf(key), { body: "0" });
      if (answer?.status !== 204) throw new Error(`key ${key} was not written: ${answer?.status}`);
    });
  }

  /** Reads and writes until `stop`, each of the clients its own keys. */
  async run(clients: number): Promise<void> {
    const client = async (first: number): Promise<void> => {
      for (let key = first; this.#isRunning; key = key + clients < this.#sent.length ? key + clients : first) {
        await this.#visit(key);
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, first) => client(first)));
  }

  stop(): void {
    this.#isRunning = false;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /**
   * What is wrong with what these nodes show, each asked for every key with r=1: that may be old while somebody writes,
   * but it is there; `isQuiet`: nobody does, and each is to show the newest in the end.
   */
  async flaws(nodes: readonly RealNode[], isQuiet: boolean): Promise<readonly string[]> {
    const flaws: string[] = [];
    await this.#eachKey(async (key) => {
      for (const node of nodes) {
        const answer = await node.call("GET", `${pathOf(key)}?r=1`).catch(() => undefined);
        const flaw = this.#flawOf(key, answer, isQuiet ? (this.#acknowledged[key] ?? 0) : 0);
        if (flaw !== undefined) flaws.push(`${node.name}: ${flaw}`);
      }
    });
    return flaws;
  }

  async #visit(key: number): Promise<void> {
    const least = this.#acknowledged[key] ?? 0;
    const read = await this.#ask("GET", key, {});
    if (read !== undefined) {
      const flaw = this.#flawOf(key, read, least);
      if (flaw !== undefined) this.told.wrong.push(flaw);
    }
    const next = (this.#sent[key] ?? 0) + 1;
    this.#sent[key] = next;
    const written = await this.#ask("PUT", key, { body: String(next), context: read?.context });
    if (written?.status === 204) this.#acknowledged[key] = next;
  }

  #flawOf(key: number, answer: HttpAnswer | undefined, least: number): string | undefined {
    if (answer === undefined || ![200, 300].includes(answer.status)) return `key ${key}: ${answer?.status}`;
    const shown = Math.max(...numbersIn(answer));
    const isRight = shown >= least && shown <= (this.#sent[key] ?? 0);
    return isRight ? undefined : `key ${key} shows ${shown}, and ${least} was acknowledged`;
  }

  /** Asks and counts; undefined where that failed. */
  async #ask(
    method: "GET" | "PUT",
    key: number,
    options: { readonly body?: string; readonly context?: string | undefined },
  ): Promise<HttpAnswer | undefined> {
    for (let tries = 1; ; tries++) {
      const nodes = this.#nodes();
      const node = nodes[this.#turn++ % Math.max(1, nodes.length)];
      if (node === undefined) throw new Error("there is no node left to ask");
      const { disturbances } = node;
      let why: unknown;
      const answer = await node.call(method, pathOf(key), options).catch((error: unknown) => {
        why = error;
        return undefined;
      });
      if (node.disturbances !== disturbances) {
        this.told.disturbed += 1;
        return undefined;
      }
      if ((why as NodeJS.ErrnoException | undefined)?.code === "ECONNREFUSED" && tries < nodes.length) continue;
      this.told.requests += 1;
      if (answer !== undefined && [200, 204, 300, 404].includes(answer.status)) return answer;
      this.told.failed += 1;
      const said = answer === undefined ? String(why) : `${answer.status} ${answer.body.toString().slice(0, 200)}`;
      if (this.told.failures.length < failuresKept)
        this.told.failures.push(`${method} ${key} at ${node.name}: ${said}`);
      return undefined;
    }
  }

  async #eachKey(act: (key: number) => Promise<void>): Promise<void> {
    let next = 0;
    const workers = Array.from({ length: 8 }, async () => {
      for (let key = next++; key < this.#sent.length; key = next++) await act(key);
    });
    await Promise.all(workers);
  }
}

function pathOf(key: number): string {
  return `/kv/known/key-${key}`;
}

function numbersIn({ status, body }: HttpAnswer): readonly number[] {
  if (status === 200) return [Number(body.toString())];
  const { siblings } = JSON.parse(body.toString()) as { siblings: readonly { value: string }[] };
  return siblings.map(({ value }) => Number(Buffer.from(value, "base64").toString()));
}
