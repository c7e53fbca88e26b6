/**
 * What clients did to their carts, and the one checker of the tests with real processes. Pure: it knows nothing of nodes.
 *
 * Every write is named, its body is remembered, and with it which writes its client had seen. So what a cart may show
 * at the end follows from the history alone:
 *
 * - *lost*: a write that was acknowledged is shown, or was seen by a later one that is, or by a delete (durability).
 * - *returned*: what an acknowledged write or delete had seen is not shown again (no resurrection).
 * - *invented*, *altered*: what is shown was written, and just so.
 *
 * A write of unknown fate may be shown or not. A delete of unknown fate excuses what it had seen.
 */

/** `unknown`: answered with an error or not at all, so that it may have taken effect or may yet do so. */
export type Fate = "acknowledged" | "unknown";

/** A write, or where it has no body a delete. */
interface Change {
  readonly seen: readonly string[];
  readonly body: string | undefined;
  fate: Fate;
}

export interface Flaw {
  readonly kind: "lost" | "returned" | "invented" | "altered";
  readonly cart: string;
  readonly write: string;
}

export class CartHistory {
  readonly #changes = new Map<string, Map<string, Change>>();

  /** Before it is sent, since it may be seen before it is answered. No body: a delete. */
  began(cart: string, write: string, seen: readonly string[], body: string | undefined): void {
    let changes = this.#changes.get(cart);
    if (changes === undefined) {
      changes = new Map();
      this.#changes.set(cart, changes);
    }
    changes.set(write, { seen, body, fate: "unknown" });
  }

  acknowledged(cart: string, write: string): void {
    const change = this.#changes.get(cart)?.get(write);
    if (change !== undefined) change.fate = "acknowledged";
  }

  get carts(): readonly string[] {
    return [...this.#changes.keys()];
  }

  /** What is wrong with a cart that shows these versions, by the names of their writes, at the end. */
  flaws(cart: string, shown: ReadonlyMap<string, string>): readonly Flaw[] {
    const changes = this.#changes.get(cart) ?? new Map<string, Change>();
    const flaws: Flaw[] = [];
    const found = (kind: Flaw["kind"], write: string): void => {
      flaws.push({ kind, cart, write });
    };
    for (const [write, body] of shown) {
      const change = changes.get(write);
      if (change?.body === undefined) found("invented", write);
      else if (change.body !== body) found("altered", write);
    }
    const accounted = accountedFor(changes, shown.keys());
    const replaced = new Set([...changes.values()].flatMap(({ seen, fate }) => (fate === "acknowledged" ? seen : [])));
    for (const [write, { body, fate }] of changes) {
      if (fate === "acknowledged" && body !== undefined && !accounted.has(write)) found("lost", write);
      if (replaced.has(write) && shown.has(write)) found("returned", write);
    }
    return flaws;
  }
}

/** What is shown, what that had seen, and so on. */
function accountedFor(changes: ReadonlyMap<string, Change>, shown: Iterable<string>): ReadonlySet<string> {
  const accounted = new Set(shown);
  for (const [write, { body }] of changes) if (body === undefined) accounted.add(write);
  for (const write of accounted) {
    for (const seen of changes.get(write)?.seen ?? []) accounted.add(seen);
  }
  return accounted;
}
