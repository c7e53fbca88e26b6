import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Done, notFound } from "../../src/bench/target.ts";
import { RedisTarget } from "../../src/bench/targets/redis-target.ts";
import { respAnswerAt, respRequest } from "../../src/bench/targets/resp.ts";
import { startRedisPeer } from "./redis-peer.ts";

const ended = (begin: (done: Done) => void): Promise<unknown> => new Promise((resolve) => begin(resolve));

test("values go in and come out whole, through as many peers as there are, in any pieces", async () => {
  const peer = await startRedisPeer();
  const target = await RedisTarget.connect([peer.address, peer.address]);
  await Promise.all(
    Array.from({ length: 3000 }, async (_, i) => {
      const value = Buffer.from(`a value\r\nof two lines, number ${i}`);
      assert.equal(await ended((done) => target.put(`key${i}`, value, done)), undefined);
      assert.equal(await ended((done) => target.get(`key${i}`, done)), undefined);
      let seen: readonly Uint8Array[] = [];
      const change = (values: readonly Uint8Array[]): Uint8Array => {
        seen = values.map((one) => Buffer.from(one));
        return value;
      };
      assert.equal(await ended((done) => target.change(`key${i}`, change, done)), undefined);
      assert.deepEqual(seen, [value]);
    }),
  );
  assert.equal(await ended((done) => target.get("nobody wrote this", done)), notFound);
  await target.close();
  peer.close();
});

test("an error is the operation's, and a connection that ends is that of all who wait, and who come later", async () => {
  const peer = await startRedisPeer();
  const target = await RedisTarget.connect([peer.address]);
  assert.match(String(await ended((done) => target.get("refused 1", done))), /ERR not for you/);
  assert.equal(await ended((done) => target.get("nothing", done)), notFound);
  const waiting = Array.from({ length: 5 }, (_, i) => ended((done) => target.get(`key${i}`, done)));
  peer.close();
  for (const error of await Promise.all(waiting)) assert.match(String(error), /closed|ECONNRESET|EPIPE/);
  assert.match(String(await ended((done) => target.get("later", done))), /closed|ECONNRESET|EPIPE/);
  await target.close();
});

test("requests are arrays of bulk strings", () => {
  assert.equal(String(respRequest(["SET", "ké", Buffer.from("v")])), "*3\r\n$3\r\nSET\r\n$3\r\nké\r\n$1\r\nv\r\n");
});

test("an answer that is not all there is waited for, whatever it is", () => {
  const value = Buffer.from("1\r\n$2");
  const answers = ["+OK\r\n", ":12\r\n", "-ERR no\r\n", "$-1\r\n", `$${value.length}\r\n${value}\r\n`, "$0\r\n\r\n"];
  fc.assert(
    fc.property(fc.constantFrom(...answers), fc.nat(40), (answer, cut) => {
      const bytes = Buffer.from(answer);
      const found = respAnswerAt(bytes.subarray(0, cut), 0);
      if (cut < bytes.length) assert.equal(found, undefined);
      else assert.equal(found?.end, bytes.length);
    }),
  );
  assert.deepEqual(respAnswerAt(Buffer.from(answers[4] ?? ""), 0)?.value, value);
  assert.throws(() => respAnswerAt(Buffer.from("HTTP/1.1 400\r\n"), 0), /not an answer of Redis: HTTP/);
});
