/** What a node learned before it was stopped, it passes on only if it was stopped briefly: all may have forgotten since. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { emptyDotSet } from "../../src/core/causality/dot-set.ts";
import { emptySiblingSet, putVersion } from "../../src/core/causality/sibling-set.ts";
import type { ActorId } from "../../src/core/ids.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import type { SimProcess } from "../../src/sim/process.ts";
import { metric } from "../anti-entropy/copies.ts";
import type { World } from "../membership/world.ts";
import { forgetful, forgetfulCluster, key, machinesOf, placeIn, putOnDisk, recordOn } from "./forgetful.ts";

function processOf(world: World, machine: string): SimProcess {
  const { process } = world.machine(machine);
  assert.ok(process !== undefined);
  return process;
}

describe("a read that began before its node was stopped", () => {
  for (const [stoppedMs, isRepaired] of [
    [400, true],
    [1500, false],
  ] as const) {
    test(`for ${stoppedMs} ms ${isRepaired ? "repairs" : "repairs nothing"}`, async () => {
      const world = await forgetfulCluster(3);
      const [reader, , slow] = machinesOf(world) as [string, string, string];
      const value = new TextEncoder().encode("known to the reader alone");
      const dot = { actor: "b2xkIGNvcHk.0" as ActorId, counter: 1 };
      const sibling = { dot, value, checksum: machineChecksum(value), contentType: "", modified: 1 };
      world.kill(reader);
      putOnDisk(world, reader, placeIn(world).storeKey.bytes, putVersion(emptySiblingSet, emptyDotSet, sibling));
      await world.up(reader, { limits: forgetful });
      await world.agreed();
      processOf(world, slow).pause();
      assert.equal((await world.get(reader, key, 1)).length, 1);
      processOf(world, reader).pause();
      await world.simulation.run(stoppedMs);
      processOf(world, slow).resume();
      await world.simulation.run(50);
      processOf(world, reader).resume();
      await world.simulation.run(200);
      assert.equal(metric(world, reader, "read_repairs_total"), isRepaired ? 2 : 0);
      assert.equal(recordOn(world, slow) !== undefined, isRepaired);
    });
  }
});

describe("a write that was minted before its node was stopped", () => {
  for (const [stoppedMs, isKept] of [
    [400, true],
    [4000, false],
  ] as const) {
    test(`for ${stoppedMs} ms ${isKept ? "ends with a hint" : "leaves its owners to exchanges"}`, async () => {
      const world = await forgetfulCluster(3);
      const [writer, , lost] = machinesOf(world) as [string, string, string];
      processOf(world, lost).pause();
      assert.equal(await world.put(writer, key, "value", 1), "written");
      processOf(world, writer).pause();
      await world.simulation.run(stoppedMs);
      world.kill(lost);
      processOf(world, writer).resume();
      await world.simulation.run(3000);
      assert.equal(metric(world, writer, "hint_writes_total", { outcome: "refused" }) > 0, !isKept);
    });
  }
});
