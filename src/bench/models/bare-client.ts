/**
 * The bare model's client: goes straight to a node by the key, and finds the answer's place by its slot. The same load
 * as ours is driven through it (`target.ts`). Hot path.
 */

import { connect } from "node:net";
import { machineChecksum } from "../../host/checksum.ts";
import { type Change, type Done, notFound, type Target } from "../target.ts";
import { checksumAt, headBytes, kindAt, kinds, nothing, Outbox, readMessages, slotAt, valueAt } from "./frames.ts";
import { SlotNumbers } from "./slots.ts";

/** What is under way: who is told, and whether it wants the value that was found. */
interface Waiting {
  done: Done;
  onFound: ((value: Buffer) => void) | undefined;
}

const noOne: Done = () => {};

export class BareClient implements Target {
  readonly #outboxes: Outbox[] = [];
  readonly #close: (() => void)[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #slots = new SlotNumbers();

  /** Connects to all nodes of the model. */
  static async connect(ports: readonly number[]): Promise<BareClient> {
    const client = new BareClient();
    for (const port of ports) await client.#dial(port);
    return client;
  }

  get(key: string, done: Done): void {
    this.#ask(kinds.get, key, nothing, done, undefined);
  }

  put(key: string, value: Uint8Array, done: Done): void {
    this.#ask(kinds.put, key, value, done, undefined);
  }

  change(key: string, change: Change, done: Done): void {
    const onFound = (value: Buffer): void => this.put(key, change(value.length === 0 ? [] : [value]), done);
    this.#ask(kinds.get, key, nothing, done, onFound);
  }

  async close(): Promise<void> {
    for (const close of this.#close) close();
  }

  async #dial(port: number): Promise<void> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    readMessages(socket, (bytes, at) => this.#onAnswer(bytes, at));
    this.#outboxes.push(new Outbox(socket));
    this.#close.push(() => socket.destroy());
  }

  #ask(kind: number, key: string, value: Uint8Array, done: Done, onFound: Waiting["onFound"]): void {
    const slot = this.#slots.take();
    const waiting = this.#waiting[slot];
    if (waiting === undefined) this.#waiting[slot] = { done, onFound };
    else {
      waiting.done = done;
      waiting.onFound = onFound;
    }
    const checksum = value.length === 0 ? 0 : machineChecksum(value);
    const outbox = this.#outboxes[placeOf(key) % this.#outboxes.length] as Outbox;
    outbox.add(kind, slot, key, 0, checksum, value);
  }

  #onAnswer(bytes: Buffer, at: number): void {
    const slot = slotAt(bytes, at);
    const waiting = this.#waiting[slot] as Waiting;
    const { done, onFound } = waiting;
    waiting.done = noOne;
    waiting.onFound = undefined;
    this.#slots.free(slot);
    if (kindAt(bytes, at) !== kinds.found || bytes.readUInt32LE(at) === headBytes) {
      if (onFound !== undefined) onFound(nothing);
      else if (kindAt(bytes, at) === kinds.found) done(notFound);
      else done();
      return;
    }
    const value = valueAt(bytes, at);
    if (machineChecksum(value) !== checksumAt(bytes, at)) done(new Error("the value came damaged"));
    else if (onFound === undefined) done();
    else onFound(value);
  }
}

/** A hash of the key, as cheap as may be: it only has to spread numbered keys over three nodes. */
function placeOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}
