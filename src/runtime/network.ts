/**
 * Connections that carry bytes, as a port: TCP on a real machine, the simulated network in `sim/`.
 *
 * Law: what is written to one connection arrives in order and unchanged, or the connection closes; how much of it
 * arrived before is unknown. A connection that is silent may be dead: closing is not promised. Every handler is
 * called from the event loop, never from within a call of the port; `onClose` is called exactly once for each
 * connection, and nothing after it.
 */

/** `host:port`, with an IPv6 host in square brackets. */
export type Address = string;

export interface Connection {
  /** The other side, for logs. */
  readonly remote: Address;
  /** Bytes written and not yet taken by the network. */
  readonly queuedBytes: number;
  /**
   * Sends the chunks, in order, as one write. True if the network has taken all of them, so that their memory may be
   * used anew; else they must not change any more. Ignored once closed.
   */
  write(chunks: readonly Uint8Array[]): boolean;
  /** No `onBytes` until resumed: how a reader pushes back. */
  pauseReading(): void;
  resumeReading(): void;
  /** Closes at once; `onClose` follows. `reason` is for the log. */
  close(reason: string): void;
}

export interface ConnectionHandler {
  /** A dialled connection stands. Not called for accepted ones: they stand from the start. */
  onOpen(): void;
  /** The next bytes, as a view that stays valid. */
  onBytes(bytes: Uint8Array): void;
  /** `queuedBytes` is back to zero after it was not. */
  onDrain(): void;
  /** The connection is gone or was never made; `reason` is one sentence for people. */
  onClose(reason: string): void;
}

export interface Listener {
  /** The address it listens on, with the port that was chosen where 0 was asked for. */
  readonly address: Address;
  /** Stops accepting and closes what was accepted. */
  close(): Promise<void>;
}

export interface Network {
  /** Listens, and hands every accepted connection to `accept`, which answers with its handler. Rejects with the reason. */
  listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener>;
  /** Starts to connect and returns at once; `onOpen` or `onClose` follows within `timeoutMs`. */
  dial(address: Address, timeoutMs: number, handler: ConnectionHandler): Connection;
}
