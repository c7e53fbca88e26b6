/**
 * A node that does the job of a get and a put, N = 3, R = W = 2, and nothing else: what the job costs at least, in this
 * runtime and on this machine.
 *
 * Any node coordinates what its client sends it. A put is stored here and sent to both others, and answered when two of
 * the three have it (on disk, if there is a log). A get is read here and at both others, whole, and answered with the
 * newest of the first two. A version is a number one greater than the one before; the greater wins. A value's checksum is
 * made by the client, compared by every node before it stores, and by the client that reads.
 *
 * It knows no causality, hints, membership, failures, deadlines or back-pressure: it is no store. Hot path.
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { machineChecksum } from "../../host/checksum.ts";
import { AppendLog } from "./append-log.ts";
import {
  checksumAt,
  keyAt,
  kindAt,
  kinds,
  nothing,
  Outbox,
  readMessages,
  slotAt,
  valueAt,
  versionAt,
} from "./frames.ts";
import { SlotNumbers } from "./slots.ts";

interface Stored {
  readonly version: number;
  readonly checksum: number;
  readonly value: Buffer;
}

/** A client's request under way. */
interface Request {
  client: number;
  clientSlot: number;
  /** Voices so far, this node's own among them. */
  voices: number;
  /** Answers of the others that have not come yet, and the own disk's. */
  left: number;
  best: Stored | undefined;
}

/** Voices that a request needs. */
const quorum = 2;
/** In place of a connection: a record whose sync is this node's own voice. */
const ownVoice = -1;
const missing: Stored = { version: 0, checksum: 0, value: nothing };

export class BareNode {
  readonly #entries = new Map<string, Stored>();
  readonly #log: AppendLog | undefined;
  /** Of whoever has connected to this node: its place is its name in `Request.client` and in the log. */
  readonly #callers: Outbox[] = [];
  readonly #peers: Outbox[] = [];
  readonly #requests: Request[] = [];
  readonly #slots = new SlotNumbers();
  readonly #sockets: Socket[] = [];
  #server: Server | undefined;
  /** Told of a value that came damaged; whoever sent it is hung up on. */
  onDamage: (error: Error) => void = (error) => {
    throw error;
  };

  /** With a log's path, a write counts once it is synced there. */
  constructor(logPath?: string) {
    this.#log = logPath === undefined ? undefined : new AppendLog(logPath, (who, slot) => this.#onSynced(who, slot));
  }

  /** Resolves to the port. */
  listen(): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => {
      const caller = this.#callers.push(new Outbox(socket)) - 1;
      this.#sockets.push(socket);
      socket.on("error", () => {});
      readMessages(socket, (bytes, at) => {
        if (this.#isSound(bytes, at)) this.#onRequest(caller, bytes, at);
        else socket.destroy();
      });
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => {
        const bound = server.address();
        resolve(typeof bound === "object" && bound !== null ? bound.port : 0);
      });
    });
  }

  /** Dials the other nodes; resolves once it can ask them. */
  async meet(ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true });
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", reject);
      });
      socket.on("error", () => {});
      readMessages(socket, (bytes, at) => this.#onPeerAnswer(bytes, at));
      this.#sockets.push(socket);
      this.#peers.push(new Outbox(socket));
    }
  }

  /** Ends every connection; syncs under way are waited for. */
  async close(): Promise<void> {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#log?.close();
  }

  #isSound(bytes: Buffer, at: number): boolean {
    const kind = kindAt(bytes, at);
    if (kind !== kinds.put && kind !== kinds.peerPut) return true;
    if (machineChecksum(valueAt(bytes, at)) === checksumAt(bytes, at)) return true;
    this.onDamage(new Error(`the value of ${keyAt(bytes, at)} came damaged`));
    return false;
  }

  #onRequest(caller: number, bytes: Buffer, at: number): void {
    const slot = slotAt(bytes, at);
    const outbox = this.#callers[caller] as Outbox;
    switch (kindAt(bytes, at)) {
      case kinds.get:
        this.#get(caller, slot, keyAt(bytes, at));
        return;
      case kinds.put:
        this.#put(caller, slot, bytes, at);
        return;
      case kinds.peerGet: {
        const { version, checksum, value } = this.#entries.get(keyAt(bytes, at)) ?? missing;
        outbox.add(kinds.peerFound, slot, "", version, checksum, value);
        return;
      }
      case kinds.peerPut: {
        const stored = this.#store(keyAt(bytes, at), versionAt(bytes, at), bytes, at);
        if (this.#log === undefined) outbox.add(kinds.peerStored, slot, "", stored.version, 0, nothing);
        else this.#log.append(bytes.subarray(at, at + bytes.readUInt32LE(at)), caller, slot);
      }
    }
  }

  #get(client: number, clientSlot: number, key: string): void {
    const slot = this.#begin(client, clientSlot, this.#entries.get(key) ?? missing);
    for (const peer of this.#peers) peer.add(kinds.peerGet, slot, key, 0, 0, nothing);
    this.#voice(slot, kinds.found);
  }

  #put(client: number, clientSlot: number, bytes: Buffer, at: number): void {
    const key = keyAt(bytes, at);
    const stored = this.#store(key, (this.#entries.get(key)?.version ?? 0) + 1, bytes, at);
    const slot = this.#begin(client, clientSlot, undefined);
    const { version, checksum, value } = stored;
    for (const peer of this.#peers) peer.add(kinds.peerPut, slot, key, version, checksum, value);
    if (this.#log === undefined) this.#voice(slot, kinds.stored);
    else this.#log.append(bytes.subarray(at, at + bytes.readUInt32LE(at)), ownVoice, slot);
  }

  /** Stores what the message carries, unless there is something newer, and answers what came. */
  #store(key: string, version: number, bytes: Buffer, at: number): Stored {
    // A copy: a view would keep all that came with it.
    const stored = { version, checksum: checksumAt(bytes, at), value: Buffer.from(valueAt(bytes, at)) };
    const before = this.#entries.get(key);
    if (before === undefined || before.version < version) this.#entries.set(key, stored);
    return stored;
  }

  #begin(client: number, clientSlot: number, best: Stored | undefined): number {
    const slot = this.#slots.take();
    const left = this.#peers.length + 1;
    const request = this.#requests[slot];
    if (request === undefined) this.#requests[slot] = { client, clientSlot, voices: 0, left, best };
    else {
      request.client = client;
      request.clientSlot = clientSlot;
      request.voices = 0;
      request.left = left;
      request.best = best;
    }
    return slot;
  }

  #onPeerAnswer(bytes: Buffer, at: number): void {
    const slot = slotAt(bytes, at);
    if (kindAt(bytes, at) === kinds.peerStored) {
      this.#voice(slot, kinds.stored);
      return;
    }
    const request = this.#requests[slot] as Request;
    const version = versionAt(bytes, at);
    if (request.voices < quorum && (request.best?.version ?? 0) < version) {
      request.best = { version, checksum: checksumAt(bytes, at), value: valueAt(bytes, at) };
    }
    this.#voice(slot, kinds.found);
  }

  #onSynced(who: number, slot: number): void {
    if (who === ownVoice) this.#voice(slot, kinds.stored);
    else (this.#callers[who] as Outbox).add(kinds.peerStored, slot, "", 0, 0, nothing);
  }

  /** One more voice: at the second the client is answered, at the last the slot is free. */
  #voice(slot: number, answer: number): void {
    const request = this.#requests[slot] as Request;
    request.left -= 1;
    if (++request.voices === quorum) {
      const { version, checksum, value } = request.best ?? missing;
      (this.#callers[request.client] as Outbox).add(answer, request.clientSlot, "", version, checksum, value);
    }
    if (request.left > 0) return;
    request.best = undefined;
    this.#slots.free(slot);
  }
}
