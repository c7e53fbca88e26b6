import assert from "node:assert/strict";
import { test } from "node:test";
import { CartHistory } from "./cart-history.ts";

/** `a` and, seen by nobody, `b`; then `c` had seen `a`. All acknowledged unless told otherwise. */
function history(unknown: readonly string[] = []): CartHistory {
  const carts = new CartHistory();
  carts.began("cart", "a", [], "body a");
  carts.began("cart", "b", [], "body b");
  carts.began("cart", "c", ["a"], "body c");
  for (const write of ["a", "b", "c"]) if (!unknown.includes(write)) carts.acknowledged("cart", write);
  return carts;
}

function kinds(carts: CartHistory, ...shown: readonly string[]): readonly string[] {
  const flaws = carts.flaws("cart", new Map(shown.map((write) => [write, `body ${write}`])));
  return flaws.map(({ kind, write }) => `${kind} ${write}`).sort();
}

test("a cart that shows what nobody replaced is right", () => {
  assert.deepEqual(kinds(history(), "b", "c"), []);
});

test("an acknowledged write that nobody saw is lost where it is not shown", () => {
  assert.deepEqual(kinds(history(), "c"), ["lost b"]);
  assert.deepEqual(kinds(history(), "b"), ["lost a", "lost c"]);
  assert.deepEqual(kinds(history()), ["lost a", "lost b", "lost c"]);
});

test("a write of unknown fate may be shown, missing, or have replaced what it saw", () => {
  assert.deepEqual(kinds(history(["c"]), "b", "c"), []);
  assert.deepEqual(kinds(history(["c"]), "a", "b"), []);
  assert.deepEqual(kinds(history(["b"]), "c"), []);
  assert.deepEqual(kinds(history(["c"]), "b"), ["lost a"], "it replaces nothing unless it is there");
});

test("what an acknowledged write had seen may not be shown again", () => {
  assert.deepEqual(kinds(history(), "a", "b", "c"), ["returned a"]);
});

test("a chain of replacements accounts for its beginning, one of unknown fate among them", () => {
  const carts = history(["c"]);
  carts.began("cart", "d", ["c"], "body d");
  carts.acknowledged("cart", "d");
  assert.deepEqual(kinds(carts, "b", "d"), []);
  assert.deepEqual(kinds(carts, "b", "c", "d"), ["returned c"]);
});

test("a delete accounts for what it saw, and only what an acknowledged one saw stays away", () => {
  const carts = history();
  carts.began("cart", "gone", ["b"], undefined);
  assert.deepEqual(kinds(carts, "c"), []);
  assert.deepEqual(kinds(carts, "b", "c"), []);
  carts.acknowledged("cart", "gone");
  assert.deepEqual(kinds(carts, "c"), []);
  assert.deepEqual(kinds(carts, "b", "c"), ["returned b"]);
});

test("what nobody wrote, or wrote otherwise, is told", () => {
  assert.deepEqual(kinds(history(), "b", "c", "x"), ["invented x"]);
  const shown = new Map([
    ["b", "body of another"],
    ["c", "body c"],
  ]);
  assert.deepEqual(history().flaws("cart", shown), [{ kind: "altered", cart: "cart", write: "b" }]);
});
