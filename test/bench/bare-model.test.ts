import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import fc from "fast-check";
import { AppendLog } from "../../src/bench/models/append-log.ts";
import { BareClient } from "../../src/bench/models/bare-client.ts";
import { BareNode } from "../../src/bench/models/bare-node.ts";
import {
  checksumAt,
  keyAt,
  kindAt,
  kinds,
  Outbox,
  readMessages,
  slotAt,
  valueAt,
  versionAt,
  writeMessage,
} from "../../src/bench/models/frames.ts";
import { notFound, type Target } from "../../src/bench/target.ts";
import { machineChecksum } from "../../src/host/checksum.ts";

const directory = mkdtempSync(join(tmpdir(), "cartwheel-bare-test-"));
after(() => rmSync(directory, { recursive: true }));

/** Three nodes; the third answers the others late. */
async function cluster(logs: readonly (string | undefined)[]): Promise<{ target: Target; nodes: readonly BareNode[] }> {
  const nodes = logs.map((log) => new BareNode(log));
  const ports = await Promise.all(nodes.map((node) => node.listen()));
  const latePort = await listenLate(ports[2] as number);
  for (const [i, node] of nodes.entries()) {
    await node.meet(ports.map((port, other) => (other === 2 ? latePort : port)).filter((_, other) => other !== i));
  }
  return { target: await BareClient.connect(ports), nodes };
}

/** A way to the port by which everything comes some turns of the loop later. */
async function listenLate(port: number): Promise<number> {
  const late = (socket: Socket, to: Socket, chunk: Buffer, turns: number): void => {
    if (turns > 0) setImmediate(() => late(socket, to, chunk, turns - 1));
    else if (!to.destroyed) to.write(chunk);
  };
  const server = createServer((near) => {
    const far = connect({ host: "127.0.0.1", port });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (chunk: Buffer) => late(from, to, chunk, 30));
      from.on("error", () => {});
      from.on("close", () => to.destroy());
    }
    near.on("close", () => server.close());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const put = (target: Target, key: string, value: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) =>
    target.put(key, value, (error) => (error === undefined ? resolve() : reject(error))),
  );

/** What a read finds; it writes the same back, as there is no other way to see it. */
const read = (target: Target, key: string): Promise<Uint8Array | undefined> =>
  new Promise((resolve, reject) => {
    let seen: Uint8Array | undefined;
    const change = ([found]: readonly Uint8Array[]): Uint8Array => {
      seen = found === undefined ? undefined : Uint8Array.from(found);
      return found ?? new Uint8Array(1);
    };
    target.change(key, change, (error) => (error === undefined ? resolve(seen) : reject(error)));
  });

test("a read finds the last value that was put, of every key, with many in flight", async () => {
  const { target, nodes } = await cluster([undefined, undefined, undefined]);
  const value = (key: number, round: number): Uint8Array => new Uint8Array(1 + ((key * 37) % 3000)).fill(key + round);
  await Promise.all(
    Array.from({ length: 100 }, async (_, key) => {
      for (let round = 0; round < 20; round++) {
        await put(target, `key${key}`, value(key, round));
        assert.deepEqual(await read(target, `key${key}`), value(key, round));
      }
    }),
  );
  assert.equal(await new Promise((resolve) => target.get("key1", resolve)), undefined);
  assert.equal(await new Promise((resolve) => target.get("nobody wrote this", resolve)), notFound);
  assert.equal(await read(target, "nor this"), undefined);
  await target.close();
  await Promise.all(nodes.map((node) => node.close()));
});

test("with a log, two of three files hold the value before its put is answered", async () => {
  const logs = ["a", "b", "c"].map((name) => join(directory, name));
  const { target, nodes } = await cluster(logs);
  // Some begin while others wait for a sync: then a record waits in memory for the next one.
  const lane = async (_: unknown, lane: number): Promise<void> => {
    for (let round = 0; round < 20; round++) {
      const value = Buffer.from(`value ${round} of lane ${lane}.`);
      await put(target, `key ${lane}.${round}`, value);
      const holders = logs.filter((log) => readFileSync(log).includes(value));
      assert.ok(holders.length >= 2, `${holders.length} logs hold ${value}`);
    }
  };
  await Promise.all(Array.from({ length: 20 }, lane));
  await target.close();
  await Promise.all(nodes.map((node) => node.close()));
});

test("the log tells every record once, in order, and only what its file holds", async () => {
  const path = join(directory, "alone");
  const told: number[] = [];
  await new Promise<void>((resolve) => {
    const log = new AppendLog(path, (first, second) => {
      assert.equal(second, first + 1);
      assert.ok(readFileSync(path).length >= (first + 1) * 7);
      told.push(first);
      // More records come while a sync is under way, and by what it leads to.
      if (told.length === 50) for (let i = 100; i < 200; i++) log.append(Buffer.alloc(7), i, i + 1);
      if (told.length === 200) resolve();
    });
    for (let i = 0; i < 100; i++) log.append(Buffer.alloc(7), i, i + 1);
  });
  assert.deepEqual(
    told,
    Array.from({ length: 200 }, (_, i) => i),
  );
});

test("messages are the same however the stream was cut", async () => {
  const message = fc.tuple(
    fc.nat(2 ** 32 - 1),
    fc.stringMatching(/^[a-z0-9]{0,20}$/),
    fc.uint8Array({ maxLength: 60 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 50 })),
      async (sent, cuts) => {
        const bytes = Buffer.alloc(10_000);
        let end = 0;
        for (const [slot, key, value] of sent)
          end = writeMessage(bytes, end, kinds.put, slot, key, slot + 0.5, ~slot >>> 0, value);
        const stream = new Readable({ read() {} });
        const seen: unknown[] = [];
        readMessages(stream, (of, at) => {
          assert.deepEqual(
            [kindAt(of, at), versionAt(of, at), checksumAt(of, at)],
            [kinds.put, slotAt(of, at) + 0.5, ~slotAt(of, at) >>> 0],
          );
          seen.push([slotAt(of, at), keyAt(of, at), Uint8Array.from(valueAt(of, at))]);
        });
        let at = 0;
        while (at < end) {
          const next = Math.min(end, at + (cuts.next().value as number));
          stream.push(Buffer.from(bytes.subarray(at, next)));
          at = next;
        }
        stream.push(null);
        await new Promise((resolve) => stream.on("end", resolve));
        assert.deepEqual(seen, sent);
      },
    ),
  );
});

test("a value that comes damaged is not stored", async () => {
  const node = new BareNode();
  let damage: Error | undefined;
  node.onDamage = (error) => (damage = error);
  const socket = connect({ host: "127.0.0.1", port: await node.listen() });
  const value = Buffer.from("a value");
  new Outbox(socket).add(kinds.peerPut, 1, "key", 1, machineChecksum(value) ^ 1, value);
  await new Promise((resolve) => socket.on("close", resolve));
  assert.match(String(damage), /the value of key came damaged/);
  await node.close();
});

test("of two versions the greater stays, whichever came first", async () => {
  const node = new BareNode();
  const socket = connect({ host: "127.0.0.1", port: await node.listen() });
  const outbox = new Outbox(socket);
  const values = ["second", "first"].map((text) => Buffer.from(text));
  for (const [i, value] of values.entries()) {
    outbox.add(kinds.peerPut, i, "key", 2 - i, machineChecksum(value), value);
  }
  outbox.add(kinds.peerGet, 7, "key", 0, 0, Buffer.alloc(0));
  const found = await new Promise((resolve) => {
    readMessages(socket, (bytes, at) => {
      if (kindAt(bytes, at) === kinds.peerFound)
        resolve([slotAt(bytes, at), versionAt(bytes, at), String(valueAt(bytes, at))]);
    });
  });
  assert.deepEqual(found, [7, 2, "second"]);
  socket.destroy();
  await node.close();
});

test("what the kernel has not taken yet is not overwritten by what is sent next", async () => {
  const rounds = 200;
  const size = 50_000;
  let near: Socket | undefined;
  const server = createServer((socket) => {
    near = socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const far = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  const outbox = new Outbox(far);
  for (let round = 0; round < rounds; round++) {
    outbox.add(kinds.put, round, "key", 0, 0, new Uint8Array(size).fill(round));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(far.writableLength > size, "the kernel had enough");
  let seen = 0;
  await new Promise<void>((resolve) => {
    readMessages(near as Socket, (bytes, at) => {
      assert.equal(slotAt(bytes, at), seen);
      assert.deepEqual(Uint8Array.from(valueAt(bytes, at)), new Uint8Array(size).fill(seen));
      if (++seen === rounds) resolve();
    });
    near?.resume();
  });
  far.destroy();
  server.close();
});
