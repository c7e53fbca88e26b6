/**
 * `import { connect } from "cartwheel/client"`: the store from another process, over its own protocol. Loads nothing of a
 * node: no storage, no web server, no package.
 */

import { CartwheelError } from "../client/cartwheel-error.ts";
import { Database } from "../client/database.ts";
import { type ClientOptions, NativeTransport } from "../client/native-transport.ts";
import { type Log, silentLog } from "../runtime/log.ts";
import type { Address } from "../runtime/network.ts";
import { hostRuntime } from "./runtime.ts";
import { splitAddress } from "./tcp-network.ts";

export * from "../client/index.ts";
export type { ClientOptions } from "../client/native-transport.ts";
export type { Log, LogFields } from "../runtime/log.ts";

export interface ConnectOptions extends ClientOptions {
  /** Gives up connecting. */
  readonly signal?: AbortSignal | undefined;
  /** Where the client says what happens to its connections; nowhere if absent. */
  readonly log?: Log | undefined;
}

/**
 * Connects to the cluster of which a member listens (`--listen`) at one of the addresses, and resolves once the ring is
 * known. Rejects with `CartwheelError`, `unreachable`, if nobody has told it in time, and with `TypeError` or `RangeError`
 * for what is no address.
 */
export async function connect(addresses: readonly Address[], options: ConnectOptions = {}): Promise<Database> {
  if (addresses.length === 0) throw new TypeError("no address to connect to; one looks like 127.0.0.1:7400");
  for (const address of addresses) splitAddress(address);
  const { signal, log = silentLog } = options;
  const transport = new NativeTransport(hostRuntime(log), [...new Set(addresses)], options);
  const giveUp = (): void => void transport.close();
  if (signal?.aborted === true) giveUp();
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    await transport.open(options.connectTimeoutMs);
  } catch (cause) {
    if (signal?.aborted !== true) throw cause;
    throw new CartwheelError({ code: "aborted", message: "connecting was given up", cause: signal.reason });
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
  return new Database(transport);
}
