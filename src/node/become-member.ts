/**
 * How the process of an empty directory becomes a member: it listens, and founds a cluster, or asks one that it was told
 * of.
 */

import type { Server } from "../rpc/server.ts";
import type { Address } from "../runtime/network.ts";
import type { PartitionSeats } from "../wire/message.ts";
import type { Joiner, OwnAddresses } from "./joining.ts";
import type { Membership } from "./membership.ts";
import { NodeError } from "./node-error.ts";
import type { NodeOptions } from "./node-options.ts";

/** Resolves with what the sponsor knows of seats. Rejects with `NodeError` or `StorageError`. */
export async function becomeMember(
  { name, join }: NodeOptions,
  membership: Membership,
  joiner: Joiner,
  addresses: OwnAddresses,
): Promise<readonly PartitionSeats[]> {
  if (join.length === 0) {
    await membership.found();
    return [];
  }
  const outcome = await joiner.join(join, addresses);
  if (outcome.kind === "refused") throw new NodeError("refused", `${name} cannot join: ${outcome.why}`);
  return outcome.kind === "joined" ? outcome.seats : [];
}

/** Has the server listen. Resolves with where it can be reached, and rejects with `NodeError`. */
export async function listenAt(server: Server, address: Address): Promise<Address> {
  try {
    return await server.listen(address);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NodeError("listen-failed", `cannot listen on ${address}: ${why}`, { cause });
  }
}
