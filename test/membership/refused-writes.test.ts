/** A disk that refuses a write may have it all the same: what is read back is a history without gaps. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../src/core/ids.ts";
import type { HistoryEvent } from "../../src/core/membership/event.ts";
import { Membership } from "../../src/node/membership.ts";
import { type StorageEngine, StorageError } from "../../src/storage/engine.ts";
import { MemoryEngine } from "../../src/storage/memory-engine.ts";
import { openMetaStore } from "../../src/storage/meta-store.ts";
import { World } from "./world.ts";

/** Does what it is told, and says that it did not. */
class Liar extends MemoryEngine implements StorageEngine {
  isLying = false;

  override async write(...operations: Parameters<MemoryEngine["write"]>): Promise<void> {
    await super.write(...operations);
    if (this.isLying) throw new StorageError("disk-full", "no room");
  }
}

test("events of a refused write are not read back behind the one that was stored in the place of the first", async () => {
  const { runtime } = new World(1).machine("n1").spawn("n1");
  const engine = new Liar();
  const open = async (): Promise<Membership> => {
    const membership = new Membership(runtime, openMetaStore(engine, runtime.checksum), {
      name: "n1",
      settings: {},
      software: "test",
    });
    await membership.open();
    return membership;
  };
  const membership = await open();
  await membership.found();
  const author = "00000000000000aa" as NodeId;
  const theirs = [2, 3].map((lamport): HistoryEvent => {
    return { kind: "bucket", lamport, author, at: 1, bucket: "b", change: { r: lamport } };
  });
  engine.isLying = true;
  await assert.rejects(membership.absorb(theirs, []), { code: "disk-full" });
  engine.isLying = false;
  await membership.append({ kind: "bucket", bucket: "c", change: { w: 1 } });
  const again = await open();
  assert.deepEqual(again.history, membership.history);
  await again.absorb(theirs, []);
  assert.equal(again.history.length, 4);
  assert.deepEqual((await open()).history, again.history);
});
