import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection, ConnectionHandler, Listener, Network } from "../../src/runtime/network.ts";
import { calmLink, SimNetwork } from "../../src/sim/network.ts";
import { SimProcess } from "../../src/sim/process.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { nodeSurroundings } from "../../tools/surroundings.ts";

class Side implements ConnectionHandler {
  connection: Connection | undefined;
  readonly events: string[] = [];
  bytes: number[] = [];
  onOpen(): void {
    this.events.push("open");
  }
  onBytes(bytes: Uint8Array): void {
    assert.ok(!this.events.some((event) => event.startsWith("close")), "bytes after the close");
    this.bytes.push(...bytes);
  }
  onDrain(): void {
    this.events.push("drain");
  }
  onClose(reason: string): void {
    assert.ok(!this.events.some((event) => event.startsWith("close")), "closed twice");
    this.events.push(`close: ${reason}`);
  }
  get isClosed(): boolean {
    return this.events.some((event) => event.startsWith("close"));
  }
}

class Place {
  isPowered = true;
  readonly name: string;
  readonly process: SimProcess;
  readonly port: Network;
  readonly accepted: Side[] = [];
  listener: Listener | undefined;
  constructor(world: World, name: string, index: number) {
    this.name = name;
    this.process = new SimProcess(world.simulation, name, index, 0);
    this.port = world.network.of(this.process, this, name);
  }
  async listen(): Promise<void> {
    this.listener = await this.port.listen(`${this.name}:1`, (connection) => {
      const side = new Side();
      side.connection = connection;
      this.accepted.push(side);
      return side;
    });
  }
  dial(address: string, timeoutMs = 1000): Side {
    const side = new Side();
    side.connection = this.port.dial(address, timeoutMs, side);
    return side;
  }
}

class World {
  readonly simulation: Simulation;
  readonly network: SimNetwork;
  #places = 0;
  constructor(seed: number, traits = calmLink) {
    this.simulation = new Simulation(seed, nodeSurroundings);
    this.network = new SimNetwork(this.simulation, traits);
  }
  place(name: string): Place {
    return new Place(this, name, this.#places++);
  }
  async pair(): Promise<{ a: Place; b: Place; dialled: Side; accepted: Side }> {
    const [a, b] = [this.place("a"), this.place("b")];
    await b.listen();
    const dialled = a.dial("b:1");
    await this.simulation.runUntil(() => b.accepted.length > 0 && dialled.events.length > 0, 2000);
    const accepted = b.accepted[0];
    assert.ok(accepted !== undefined);
    return { a, b, dialled, accepted };
  }
}

const counting = (from: number, length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff);

test("bytes arrive in order and unchanged, both ways, however they were written, through cuts that heal and pauses", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const world = new World(seed, { ...calmLink, mostDelayMs: 40, spikeChance: 0.1, spikeMs: 300, windowBytes: 100 });
    const { a, b, dialled, accepted } = await world.pair();
    const prng = world.simulation.prng("test");
    const sent = { dialled: 0, accepted: 0 };
    for (let i = 0; i < 60; i++) {
      const [side, who] = prng.chance(0.5) ? ([dialled, "dialled"] as const) : ([accepted, "accepted"] as const);
      const chunks = Array.from({ length: prng.below(4) }, () => {
        const chunk = counting(sent[who], prng.below(70));
        sent[who] += chunk.length;
        return chunk;
      });
      side.connection?.write(chunks);
      const chance = prng.below(10);
      if (chance === 0) world.network.cut(a, b);
      if (chance === 1) world.network.cut(b, a);
      if (chance === 2) world.network.mendAll();
      if (chance === 3) accepted.connection?.pauseReading();
      if (chance === 4) accepted.connection?.resumeReading();
      if (chance === 5) b.process.pause();
      if (chance === 6) b.process.resume();
      await world.simulation.run(prng.below(30));
    }
    world.network.mendAll();
    accepted.connection?.resumeReading();
    b.process.resume();
    await world.simulation.run(20_000);
    for (const side of [dialled, accepted])
      side.connection?.write([new Uint8Array(0), counting(side === dialled ? sent.dialled++ : sent.accepted++, 1)]);
    await world.simulation.run(20_000);
    assert.deepEqual(accepted.bytes, [...counting(0, accepted.bytes.length)]);
    assert.deepEqual(dialled.bytes, [...counting(0, dialled.bytes.length)]);
    if (!dialled.isClosed) {
      assert.equal(accepted.bytes.length, sent.dialled, `seed ${seed}`);
      assert.equal(dialled.bytes.length, sent.accepted, `seed ${seed}`);
      assert.equal(dialled.connection?.queuedBytes, 0);
    } else {
      assert.ok(accepted.isClosed, `seed ${seed}: closed on one side only`);
    }
    assert.deepEqual(world.simulation.violations, []);
  }
});

test("nobody listens: refused; nobody is there, or the way is cut: no answer within the timeout", async () => {
  const world = new World(1);
  const [a, b] = [world.place("a"), world.place("b")];
  const refused = a.dial("b:1");
  const unknown = a.dial("c:1", 500);
  await world.simulation.run(490);
  assert.deepEqual(refused.events, ["close: connection to b:1 refused"]);
  assert.deepEqual(unknown.events, []);
  await world.simulation.run(20);
  assert.deepEqual(unknown.events, ["close: no answer from c:1 within 500 ms"]);
  await b.listen();
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    world.network.cut(from, to);
    const silent = a.dial("b:1", 100);
    await world.simulation.run(110);
    assert.deepEqual(silent.events, ["close: no answer from b:1 within 100 ms"]);
    world.network.mendAll();
  }
  assert.equal(b.accepted.length, 0);
});

test("a full window queues at the sender, a reader that pauses is felt there, and the drain is told", async () => {
  const world = new World(1, { ...calmLink, windowBytes: 1000 });
  const { dialled, accepted } = await world.pair();
  accepted.connection?.pauseReading();
  for (let i = 0; i < 10; i++) dialled.connection?.write([new Uint8Array(500)]);
  await world.simulation.run(100);
  assert.equal(dialled.connection?.queuedBytes, 4000);
  assert.equal(accepted.bytes.length, 0);
  accepted.connection?.resumeReading();
  await world.simulation.run(100);
  assert.equal(dialled.connection?.queuedBytes, 0);
  assert.equal(accepted.bytes.length, 5000);
  assert.deepEqual(dialled.events, ["open", "drain"]);
});

test("a killed process resets what it had open; one without power leaves its peers in silence until it is back", async () => {
  const killed = await new World(1).pair();
  killed.b.process.kill();
  const world = new World(2);
  const dark = await world.pair();
  dark.b.isPowered = false;
  dark.b.process.kill();
  dark.dialled.connection?.write([counting(0, 10)]);
  await world.simulation.run(60_000);
  assert.deepEqual(dark.dialled.events, ["open"]);
  dark.b.isPowered = true;
  world.network.poweredOn(dark.b);
  await world.simulation.run(4000);
  assert.deepEqual(dark.dialled.events, ["open", "close: reset by a restarted machine"]);
});

test("a close is heard by both sides once, and by a side that is cut off only when it speaks again", async () => {
  const world = new World(3);
  const { a, b, dialled, accepted } = await world.pair();
  world.network.cut(a, b);
  dialled.connection?.close("done");
  await world.simulation.run(1000);
  assert.deepEqual(dialled.events, ["open", "close: done"]);
  assert.deepEqual(accepted.events, []);
  world.network.mendAll();
  accepted.connection?.write([counting(0, 1)]);
  await world.simulation.run(1000);
  assert.equal(accepted.events.length, 1);
  const again = a.dial("b:1");
  await world.simulation.run(50);
  b.accepted[1]?.connection?.close("bye");
  await world.simulation.run(50);
  assert.deepEqual(again.events, ["open", "close: closed by the other side"]);
  assert.deepEqual(b.accepted[1]?.events, ["close: bye"]);
});

test("a listener's close closes what it accepted, and its address is free again", async () => {
  const world = new World(4);
  const { b, dialled, accepted } = await world.pair();
  await assert.rejects(
    b.port.listen("b:1", () => new Side()),
    /in use/,
  );
  await world.simulation.settle(b.listener?.close() ?? assert.fail(), 100, "close");
  await world.simulation.run(50);
  assert.ok(dialled.isClosed && accepted.isClosed);
  await b.listen();
  const zero = await b.port.listen("b:0", () => new Side());
  assert.match(zero.address, /^b:[1-9]/);
});
