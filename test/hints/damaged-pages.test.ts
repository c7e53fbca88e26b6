/** A store that cannot be read ends its node, wherever in it the damage lies: it is filled anew at the next start. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { StorageEngine } from "../../src/storage/engine.ts";
import { StorageError } from "../../src/storage/engine.ts";
import { isHintKey } from "../../src/storage/store-key.ts";
import { World } from "../membership/world.ts";
import { OneKey } from "../node/one-key.ts";

const damaged = (): StorageError => new StorageError("corrupt", "a page is lost");

const damages: Readonly<Record<string, (engine: StorageEngine) => void>> = {
  "a hint is looked up": (engine) => {
    const get = engine.get.bind(engine);
    engine.get = (key) => {
      if (isHintKey(key)) throw damaged();
      return get(key);
    };
  },
  "hints are looked through": (engine) => {
    const scan = engine.scan.bind(engine);
    engine.scan = (range, limit) => {
      if (isHintKey(range.from)) throw damaged();
      return scan(range, limit);
    };
  },
  "something is written": (engine) => {
    engine.write = () => Promise.reject(damaged());
  },
};

for (const [what, damage] of Object.entries(damages)) {
  test(`a node whose engine meets damage when ${what} ends, and says that its store is damaged`, async () => {
    const key = await OneKey.in(new World(1), 4);
    const { world } = key;
    await key.lose(key.owner(2));
    assert.equal((await key.put(key.owner(0), "one", { w: 3 })).kind, "written");
    const keeper = key.fallback(0);
    assert.deepEqual(key.hintsAt(keeper), { [key.owner(2)]: ["one"] });
    damage(world.spawned.get(keeper)?.engine ?? assert.fail());
    await key.put(key.owner(0), "two");
    await world.up(key.owner(2));
    await world.simulation.run(5000);
    assert.equal(world.ended.get(keeper)?.code, "storage-damaged");
  });
}
