/**
 * What a join copies, and what is told of it meanwhile: no more than there is, no faster than is allowed, no key twice
 * though the new node is killed in the middle of it; and numbers that are true at any moment.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { transfersText } from "../../src/cli/transfers-text.ts";
import type { TransfersView } from "../../src/node/api.ts";
import type { Node } from "../../src/node/node.ts";
import { World } from "./world.ts";

const keys = 300;
const value = "v".repeat(2000);
const kibPerSecond = 128;
const limits = { transferBytesPerSecond: kibPerSecond * 1024 };
const names = ["n1", "n2", "n3"];

/** Three members that hold the keys, and take what they are sent at their ease. */
async function filled(seed: number): Promise<World> {
  const world = new World(seed);
  await world.cluster(3, { limits, settings: { partitions: 16 } });
  for (let i = 0; i < keys; i += 20) {
    const written = Array.from({ length: 20 }, (_, k) => world.put(names[k % 3] as string, `k${i + k}`, value));
    const told = await world.simulation.settle(Promise.all(written), 60_000, "the keys are written");
    assert.ok(told.every((what) => what === "written"));
  }
  await world.agreed();
  return world;
}

/** All that the node has and is to have of what it takes, as it tells it itself. */
function told({ taken, transfers }: TransfersView): { readonly here: number; readonly inAll: number | undefined } {
  const coming = transfers.filter(({ kind }) => kind === "hand-over" || kind === "rebuild");
  const here = coming.reduce((sum, { bytes }) => sum + bytes, taken?.bytes ?? 0);
  if (coming.some(({ bytesInAll }) => bytesInAll === undefined)) return { here, inAll: undefined };
  return { here, inAll: coming.reduce((sum, { bytesInAll }) => sum + (bytesInAll ?? 0), taken?.bytes ?? 0) };
}

function joining(world: World): Node {
  const node = world.nodes.get("n4");
  assert.ok(node);
  return node;
}

function copied(node: Node): number {
  return node.metrics().find(({ name }) => name === "cartwheel_exchange_repairs_total")?.value ?? 0;
}

async function untilMember(world: World): Promise<void> {
  assert.ok(await world.simulation.runUntil(() => joining(world).cluster().members.length === 4, 30_000));
}

test("a join shows how much of how much it has, no more than is true, and keeps below its limit", async () => {
  const world = await filled(1);
  world.start("n4", { join: ["n1"], limits });
  await untilMember(world);
  const startedMs = world.simulation.now;
  const shown: { readonly here: number; readonly inAll: number | undefined }[] = [];
  while (joining(world).cluster().pendingTransfers > 0) {
    await world.simulation.run(500);
    const view = joining(world).transfers();
    shown.push(told(view));
    assert.ok(view.bytesPerSecond <= 1.5 * limits.transferBytesPerSecond, `${view.bytesPerSecond} bytes/s`);
    for (const one of view.transfers) {
      assert.equal(one.to, "n4");
      assert.ok(names.includes(one.from), one.from);
      assert.ok(one.keys <= (one.keysInAll ?? keys), `${one.keys} of ${one.keysInAll}`);
      assert.ok(one.running || one.why !== "", "it neither goes on nor says why");
    }
    assert.ok(world.simulation.now - startedMs < 120_000, "it takes too long");
  }
  const seconds = (world.simulation.now - startedMs) / 1000;
  const { taken } = joining(world).transfers();
  const bytes = taken?.bytes ?? 0;
  assert.ok(bytes > 0.6 * keys * value.length, `${bytes} bytes`);
  assert.ok(seconds > (0.8 * bytes) / limits.transferBytesPerSecond, `${bytes} bytes came within ${seconds} s`);
  // What there is in all was known early, and was what came in the end; what was here only grew.
  const totals = shown.slice(4).map(({ inAll }) => inAll ?? Number.NaN);
  assert.ok(
    totals.length > 4 && totals.every((inAll) => Math.abs(inAll - bytes) < 0.05 * bytes),
    `${totals}: ${bytes}`,
  );
  assert.ok(shown.every(({ here }, i) => here >= (shown[i - 1]?.here ?? 0)));
});

test("a copy that is killed goes on where it was: no key is copied twice", async () => {
  const world = await filled(2);
  world.start("n4", { join: ["n1"], limits });
  await untilMember(world);
  assert.ok(await world.simulation.runUntil(() => copied(joining(world)) > 80, 60_000));
  const before = copied(joining(world));
  world.kill("n4");
  await world.simulation.run(1000);
  await world.up("n4", { limits });
  await world.agreed(120_000);
  const after = copied(joining(world));
  const { taken } = joining(world).transfers();
  const there = joining(world)
    .cluster()
    .members.map(({ partitions }) => partitions);
  const share = ((there.at(-1) ?? 0) / 16) * keys;
  // What was on its way when it was killed came twice at most.
  assert.ok(before + after <= share * 1.3 + 64, `${before} and ${after} of about ${share}, ${taken?.keys} here`);
  assert.ok(after < share, `${after} of ${share}`);
});

test("what waits says for whom: a holder that is down is named, and the others' seats come meanwhile", async () => {
  const world = await filled(3);
  world.kill("n2");
  await world.simulation.run(2000);
  world.start("n4", { join: ["n1"], limits });
  await untilMember(world);
  const waits = (): readonly string[] => {
    const { transfers } = joining(world).transfers();
    return [...new Set(transfers.map(({ waitsFor, why }) => `${waitsFor} ${why}`))];
  };
  const isStuck = (): boolean => waits().length === 1 && waits()[0] === "n2 cannot be reached";
  assert.ok(await world.simulation.runUntil(isStuck, 120_000), waits().join("; "));
  const view = { name: "n4", ...joining(world).transfers() };
  const text = transfersText(
    { pending: joining(world).cluster().pendingTransfers, members: [view], silent: [] },
    false,
  );
  assert.match(text, /n2: cannot be reached/);
  await world.up("n2");
  await world.agreed(120_000);
});
