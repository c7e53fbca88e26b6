/**
 * The network port over TCP.
 *
 * Small writes leave at once (TCP_NODELAY): what belongs together has been put together before it gets here, and
 * several chunks leave in one system call.
 */

import * as net from "node:net";
import type { Address, Connection, ConnectionHandler, Listener, Network } from "../runtime/network.ts";

/** When the kernel begins to ask whether a silent connection lives, in ms. Our own pings find out sooner. */
const keepAliveMs = 30_000;

export const tcpNetwork: Network = {
  listen,
  dial(address: Address, timeoutMs: number, handler: ConnectionHandler): Connection {
    const socket = new net.Socket();
    const connection = new TcpConnection(socket, address, () => handler);
    dial(socket, address, timeoutMs, connection, handler);
    return connection;
  },
};

/** The host and port of `host:port` or `[host]:port`. Throws `RangeError` with a sentence. */
export function splitAddress(address: Address): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port > 65535) {
    throw new RangeError(`${JSON.stringify(address)} is no address; one looks like host:port, or [::1]:port for IPv6`);
  }
  return { host, port };
}

function joinAddress(host: string, port: number): Address {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function dial(
  socket: net.Socket,
  address: Address,
  timeoutMs: number,
  connection: TcpConnection,
  handler: ConnectionHandler,
): void {
  const timer = setTimeout(() => connection.close(`no connection within ${timeoutMs} ms`), timeoutMs);
  socket.once("close", () => clearTimeout(timer));
  socket.once("connect", () => {
    clearTimeout(timer);
    handler.onOpen();
  });
  try {
    socket.connect({ ...splitAddress(address), noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs });
  } catch (error) {
    connection.close(error instanceof Error ? error.message : String(error));
  }
}

function listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const { host, port } = splitAddress(address);
    const sockets = new Set<net.Socket>();
    const server = net.createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs });
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      const remote = joinAddress(socket.remoteAddress ?? "unknown", socket.remotePort ?? 0);
      const connection: TcpConnection = new TcpConnection(socket, remote, () => handler);
      const handler = accept(connection);
    });
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      // Running out of file descriptors fails single connections, not the listener.
      server.on("error", () => {});
      const bound = server.address();
      const boundPort = typeof bound === "object" && bound !== null ? bound.port : port;
      resolve({
        address: joinAddress(host, boundPort),
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
}

class TcpConnection implements Connection {
  readonly remote: Address;
  readonly #socket: net.Socket;
  readonly #handler: () => ConnectionHandler;
  readonly #onWritten: () => void = () => this.#written();
  #reason = "the other side closed it";
  #wasQueued = false;

  /** `handler` is asked for with the first event, since for accepted connections it exists only after this. */
  constructor(socket: net.Socket, remote: Address, handler: () => ConnectionHandler) {
    this.remote = remote;
    this.#socket = socket;
    this.#handler = handler;
    // Plain bytes: a Buffer's slice is a view where everybody else's is a copy.
    socket.on("data", (bytes: Buffer) => {
      handler().onBytes(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    });
    socket.on("error", (error) => {
      this.#reason = error.message === "" ? (Reflect.get(error, "code") ?? error.name) : error.message;
    });
    socket.on("close", () => handler().onClose(this.#reason));
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(chunks: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (socket.destroyed || chunks.length === 0) return true;
    if (chunks.length > 1) socket.cork();
    const last = chunks.length - 1;
    for (let i = 0; i < last; i++) socket.write(chunks[i] as Uint8Array);
    socket.write(chunks[last] as Uint8Array, this.#onWritten);
    if (last > 0) socket.uncork();
    // What the kernel takes at once is no longer counted when `write` returns.
    if (socket.writableLength === 0) return true;
    this.#wasQueued = true;
    return false;
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    if (!this.#socket.destroyed) this.#socket.resume();
  }

  close(reason: string): void {
    if (this.#socket.destroyed) return;
    this.#reason = reason;
    this.#socket.destroy();
  }

  #written(): void {
    if (!this.#wasQueued || this.#socket.writableLength > 0 || this.#socket.destroyed) return;
    this.#wasQueued = false;
    this.#handler().onDrain();
  }
}
