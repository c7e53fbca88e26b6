/**
 * The loads the paper tells of (§1, §6): shopping carts, which are read, changed and written back with all siblings
 * merged, and sessions, which every page view reads and stamps, where the newest wins.
 *
 * The paper gives neither mix nor sizes. A cart is looked at as often as it is changed; an item weighs 64 bytes, and
 * a cart that has 16 is paid for and empty again. Carts and sessions are as popular as YCSB's records.
 */

import { Prng } from "../sim/prng.ts";
import type { Load, Operation } from "./operation.ts";
import type { Change } from "./target.ts";
import { scrambledChooser } from "./zipfian.ts";

const itemBytes = 64;
const mostItems = 16;
/** How many of a cart's requests change it. */
const changeShare = 0.5;

export interface ShopLoadOptions {
  readonly keys: number;
  readonly seed: number;
}

/** Adds the item to all that any sibling has, each once; a full cart is paid for. */
export function addToCart(item: Uint8Array): Change {
  return (carts) => {
    const items = new Map<string, Uint8Array>();
    for (const cart of carts) {
      for (let at = 0; at + itemBytes <= cart.length; at += itemBytes) {
        const one = cart.subarray(at, at + itemBytes);
        items.set(Buffer.from(one).toString("latin1"), one);
      }
    }
    if (items.size >= mostItems) return item;
    return Buffer.concat([...items.values(), item]);
  };
}

/** Carts: half of the requests look, half add an item. */
export function cartLoad({ keys, seed }: ShopLoadOptions): Load {
  const prng = new Prng(seed, "carts");
  const choose = scrambledChooser(() => prng.u32() / 2 ** 32, keys);
  const next = (): Operation => {
    const key = `cart${choose(keys)}`;
    if (!prng.chance(changeShare)) return { kind: "read", key };
    return { kind: "modify", key, change: addToCart(prng.bytes(itemBytes)) };
  };
  return {
    name: "cart",
    description: `${keys} carts of up to ${mostItems} items of ${itemBytes} bytes; half of the requests add one`,
    keys,
    first: (i) => ({ key: `cart${i}`, value: prng.bytes(itemBytes) }),
    next,
  };
}

/** Sessions: every page view reads one and writes it back with a new stamp. */
export function sessionLoad({ keys, seed, valueBytes }: ShopLoadOptions & { readonly valueBytes: number }): Load {
  const prng = new Prng(seed, "sessions");
  const choose = scrambledChooser(() => prng.u32() / 2 ** 32, keys);
  const blank = prng.bytes(valueBytes);
  const stamp: Change = ([session = blank]) => {
    const stamped = Uint8Array.from(session);
    for (let i = 0; i < 8 && i < stamped.length; i++) stamped[i] = prng.u32() & 0xff;
    return stamped;
  };
  return {
    name: "session",
    description: `${keys} sessions of ${valueBytes} bytes; a request reads one and stamps it`,
    keys,
    first: (i) => ({ key: `session${i}`, value: blank }),
    next: () => ({ kind: "modify", key: `session${choose(keys)}`, change: stamp }),
  };
}
