/**
 * The shortest histories in which a plausible rule of causality lost a write or brought a deleted value back, as a
 * few replicas A, B, C (owners) and D (a fallback) play them with the product's functions.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { covers, type DotSet, emptyDotSet, holds, prune, withDot } from "../../src/core/causality/dot-set.ts";
import { mergeNewest, nextModified, soleTombstone, soleVersion } from "../../src/core/causality/last-write-wins.ts";
import { ActorSource, type Minted, type MintRecord } from "../../src/core/causality/minting.ts";
import {
  emptySiblingSet,
  foldRetries,
  mergeStates,
  pruneState,
  putVersion,
  removeVersions,
  type Sibling,
  type SiblingSet,
} from "../../src/core/causality/sibling-set.ts";
import { crc32 } from "../../src/core/hash/crc32.ts";
import { openToken, sealToken } from "../../src/wire/context-token.ts";
import { decodeRecord, encodeRecord } from "../../src/wire/record.ts";

/** Under which the one key of these stories is stored. */
const storeKey: Uint8Array = Uint8Array.of(2, 0, 0, 1, 98, 107);

let runs = 0;
let time = 1_700_000_000_000;

function freshRun(): Uint8Array {
  runs++;
  return Uint8Array.from({ length: 8 }, (_, i) => (i === 0 ? runs : 0));
}

/** A node with one key: `memory` is what it serves, `disk` the bytes it would start from. */
class Replica {
  source: ActorSource = new ActorSource(freshRun());
  state: SiblingSet = emptySiblingSet;
  mint: MintRecord | undefined;
  disk: Uint8Array = encodeRecord({ mint: undefined, state: emptySiblingSet }, storeKey, crc32);

  put(value: string, seen: DotSet = emptyDotSet, writeId?: string): DotSet {
    const { dot } = this.#mint();
    const bytes = new TextEncoder().encode(value);
    const base = { dot, value: bytes, checksum: crc32(bytes), contentType: "text/plain", modified: time };
    const sibling: Sibling = writeId === undefined ? base : { ...base, writeId };
    this.state = putVersion(this.state, seen, sibling);
    return withDot(seen, dot, time);
  }

  delete(seen: DotSet): DotSet {
    const { dot } = this.#mint();
    this.state = removeVersions(this.state, seen, dot, time);
    return withDot(seen, dot, time);
  }

  receive(state: SiblingSet): void {
    this.state = mergeStates(this.state, state);
  }

  sync(): Uint8Array {
    this.disk = encodeRecord({ mint: this.mint, state: this.state }, storeKey, crc32);
    return this.disk;
  }

  /** A new process on these bytes. */
  start(disk: Uint8Array = this.disk): void {
    this.source = new ActorSource(freshRun());
    ({ mint: this.mint, state: this.state } = decodeRecord(disk, storeKey, crc32));
  }

  /** The key is dropped, its private record with it. */
  drop(): void {
    this.state = emptySiblingSet;
    this.mint = undefined;
  }

  get values(): readonly string[] {
    return valuesOf(this.state);
  }

  #mint(): Minted {
    time++;
    const minted = this.source.mint(this.mint);
    this.mint = minted.record;
    return minted;
  }
}

function valuesOf(state: SiblingSet): readonly string[] {
  return state.siblings.map((sibling) => new TextDecoder().decode(sibling.value)).sort();
}

describe("1. a crash takes back what had been sent", () => {
  test("w0 synced; w1 sent and not synced; crash; w2: both w1 and w2 live", () => {
    const [b, c] = [new Replica(), new Replica()];
    c.put("w0");
    c.sync();
    c.put("w1");
    b.receive(c.state);
    c.start();
    c.put("w2");
    b.receive(c.state);
    assert.deepEqual(b.values, ["w0", "w1", "w2"]);
  });
});

describe("2. a replica's memory of its own dots is wrong", () => {
  test("backup, write, restore unnoticed, write: both writes live", () => {
    const [b, c] = [new Replica(), new Replica()];
    c.put("w0");
    const backup = c.sync();
    c.put("w1");
    c.sync();
    b.receive(c.state);
    c.start(backup);
    c.put("w2");
    b.receive(c.state);
    assert.deepEqual(b.values, ["w0", "w1", "w2"]);
  });
  test("a local write fails after its state was sent, and the next write is another's dot", () => {
    const [b, c] = [new Replica(), new Replica()];
    c.put("w0");
    c.sync();
    c.put("w1");
    b.receive(c.state);
    // The disk refused w1: the process goes on with what it has on disk, under a new run.
    ({ mint: c.mint, state: c.state } = decodeRecord(c.disk, storeKey, crc32));
    c.source.renewRun(freshRun());
    c.put("w2");
    b.receive(c.state);
    assert.deepEqual(b.values, ["w0", "w1", "w2"]);
  });
  test("two hints for two owners from one fallback: each owner mints under an actor of its own", () => {
    const [a, b, d] = [new Replica(), new Replica(), new Replica()];
    d.put("w0");
    a.receive(d.state);
    b.receive(d.state);
    a.put("w1");
    b.put("w2");
    a.receive(b.state);
    assert.deepEqual(a.values, ["w0", "w1", "w2"]);
  });
  test("the fallback keeps a hint an owner, each with its own private record", () => {
    const [a, forA, forB] = [new Replica(), new Replica(), new Replica()];
    forB.source = forA.source;
    forA.put("w0");
    forB.put("w1");
    a.receive(forA.state);
    a.receive(forB.state);
    assert.deepEqual(a.values, ["w0", "w1"]);
  });
});

describe("3. a context is used where it should not be", () => {
  const secret = new Uint8Array(32);
  test("a token of another key is refused, on PUT and on DELETE alike", () => {
    const a = new Replica();
    const token = sealToken({ seen: a.put("w0") }, "carts", "ann", secret);
    assert.equal(openToken(token, "carts", "ann", secret).kind, "token");
    assert.equal(openToken(token, "carts", "bob", secret).kind, "invalid");
    assert.equal(openToken(token, "orders", "ann", secret).kind, "invalid");
  });
  test("one context for two writes leaves two siblings, through one coordinator", () => {
    const a = new Replica();
    const seen = a.put("w0");
    a.put("w1", seen);
    a.put("w2", seen);
    assert.deepEqual(a.values, ["w1", "w2"]);
  });
  test("one context for two writes leaves two siblings, through two coordinators", () => {
    const [a, b] = [new Replica(), new Replica()];
    const seen = a.put("w0");
    b.receive(a.state);
    a.put("w1", seen);
    b.put("w2", seen);
    a.receive(b.state);
    assert.deepEqual(a.values, ["w1", "w2"]);
  });
  test("a blind write's answer replaces that write and nothing else", () => {
    const a = new Replica();
    a.put("w0");
    const blind = a.put("w1");
    assert.deepEqual(a.values, ["w0", "w1"]);
    a.put("w2", blind);
    assert.deepEqual(a.values, ["w0", "w2"]);
  });
  test("a context with dots its coordinator does not know keeps what they replaced from coming back", () => {
    const [a, b, late] = [new Replica(), new Replica(), new Replica()];
    const seen = a.put("w0");
    late.receive(a.state);
    b.put("w1", seen);
    b.receive(late.state);
    assert.deepEqual(b.values, ["w1"]);
  });
  test("a delete with such a context deletes what arrives later", () => {
    const [a, b] = [new Replica(), new Replica()];
    b.delete(a.put("w0"));
    b.receive(a.state);
    assert.deepEqual(b.values, []);
  });
});

describe("4. contexts shrink and records go, and then a dot is minted", () => {
  test("siblings resolved after pruning stay resolved here; the pruned dot may show again, and no write is lost", () => {
    const [a, b, c] = [new Replica(), new Replica(), new Replica()];
    a.put("w0");
    b.put("w1");
    b.receive(a.state);
    const resolved = b.put("w2", b.state.context);
    const pruned = pruneState(b.state, 1);
    assert.ok(
      pruned.pruned > 0 &&
        holds(
          pruned.state.context,
          pruned.state.siblings[0]?.dot ?? { actor: a.source.mint(undefined).dot.actor, counter: 0 },
        ),
    );
    c.receive(pruned.state);
    assert.deepEqual(c.values, ["w2"]);
    c.receive(a.state);
    assert.ok(c.values.includes("w2"), "pruning lost the write");
    c.put("w3", resolved);
    assert.deepEqual(c.values, ["w3"]);
  });
  test("prune, then mint: the counter comes from the record", () => {
    const [a, b] = [new Replica(), new Replica()];
    const first = a.put("w0");
    b.receive(a.state);
    a.delete(first);
    a.state = { ...a.state, context: prune(a.state.context, 0, []).set };
    a.put("w1");
    b.receive(a.state);
    assert.deepEqual(b.values, ["w0", "w1"]);
  });
  for (const how of ["reaped", "dropped with its partition and regained"]) {
    test(`a key ${how}, then written: no dot of before is minted again`, () => {
      const [a, b] = [new Replica(), new Replica()];
      a.put("w0");
      b.receive(a.state);
      a.drop();
      a.put("w1");
      b.receive(a.state);
      assert.deepEqual(b.values, ["w0", "w1"]);
    });
  }
  test("a key dropped and regained by merge, then written: the actor in the merged state is not taken up again", () => {
    const [a, b] = [new Replica(), new Replica()];
    a.put("w0");
    b.receive(a.state);
    const unseen = a.put("w1");
    a.drop();
    a.receive(b.state);
    a.put("w2");
    assert.ok(!a.state.siblings.some((sibling) => holds(unseen, sibling.dot)));
    assert.deepEqual(a.values, ["w0", "w2"]);
  });
  test("compact, then mint: a context cut to its live dots does not set the counter back", () => {
    const [a, b] = [new Replica(), new Replica()];
    a.put("w1", a.put("w0"));
    const live = a.state.siblings.map((sibling) => sibling.dot);
    a.state = { ...a.state, context: live.reduce((set, dot) => withDot(set, dot, time), emptyDotSet) };
    b.receive(a.state);
    a.put("w2", a.state.context);
    b.receive(a.state);
    assert.deepEqual(b.values, ["w2"]);
  });
});

describe("5. a retry", () => {
  test("is shown once beside its first attempt, under a context that covers both", () => {
    const [a, b] = [new Replica(), new Replica()];
    a.put("w0", emptyDotSet, "attempt");
    b.put("w0", emptyDotSet, "attempt");
    a.receive(b.state);
    assert.equal(a.state.siblings.length, 2);
    const read = foldRetries(a.state);
    assert.deepEqual(valuesOf(read), ["w0"]);
    a.put("w1", read.context);
    assert.deepEqual(a.values, ["w1"]);
  });
  test("that arrives elsewhere after a delete of the first attempt brings the value back: known, and why only the library retries", () => {
    const [a, b] = [new Replica(), new Replica()];
    const first = a.put("w0", emptyDotSet, "attempt");
    a.delete(first);
    b.put("w0", emptyDotSet, "attempt");
    a.receive(b.state);
    assert.deepEqual(a.values, ["w0"]);
  });
});

describe("6. last write wins", () => {
  const source = new ActorSource(freshRun());
  function written(value: string, modified: number): SiblingSet {
    const bytes = new TextEncoder().encode(value);
    const { dot } = source.mint(undefined);
    return soleVersion({ dot, value: bytes, checksum: crc32(bytes), contentType: "", modified });
  }
  test("merged in both orders, the greater time stays", () => {
    const [early, late] = [written("early", 10), written("late", 20)];
    assert.deepEqual(valuesOf(mergeNewest(early, late)), ["late"]);
    assert.deepEqual(valuesOf(mergeNewest(late, early)), ["late"]);
  });
  test("a delete between two writes is beaten by the later and beats the earlier", () => {
    const [early, late] = [written("early", 10), written("late", 20)];
    const deleted = soleTombstone(source.mint(undefined).dot, 15);
    assert.deepEqual(valuesOf(mergeNewest(mergeNewest(late, early), deleted)), ["late"]);
    assert.deepEqual(valuesOf(mergeNewest(mergeNewest(deleted, early), early)), []);
  });
  test("a slow clock's write still follows what its client had seen", () => {
    const before = written("before", 1000);
    const modified = nextModified(10, emptySiblingSet, before.context);
    assert.deepEqual(valuesOf(mergeNewest(before, written("after", modified))), ["after"]);
  });
  test("a slow clock's blind write is lost: the bargain of such buckets", () => {
    assert.deepEqual(valuesOf(mergeNewest(written("before", 1000), written("blind", 10))), ["before"]);
  });
});

test("a context given back by a write never holds a dot its client has not seen", () => {
  const a = new Replica();
  a.put("w0");
  a.put("w1");
  const mine = a.put("w2");
  assert.ok(!covers(mine, a.state.context));
  a.put("w3", mine);
  assert.deepEqual(a.values, ["w0", "w1", "w3"]);
});
