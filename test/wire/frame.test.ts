import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { ByteWriter } from "../../src/core/bytes/byte-writer.ts";
import type { ActorId } from "../../src/core/ids.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import { machineChecksum } from "../../src/host/checksum.ts";
import { encodeMessage } from "../../src/wire/codec.ts";
import { FrameError, frameStartBytes } from "../../src/wire/frame.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { FrameEncoder } from "../../src/wire/frame-encoder.ts";
import { agreeOnVersion, decodePreamble, encodePreamble, ownVersions } from "../../src/wire/hello.ts";
import type { Message, ReplicaPut } from "../../src/wire/message.ts";
import { plainRecord } from "../plain-record.ts";
import { anyOfAnyKind } from "./message-arbitraries.ts";

const limit = defaultLimits.frameBytes;
const preamble = encodePreamble(ownVersions);

/** Two lengths and their check. */
function lengthsOf(headBytes: number, bodyBytes: number): Buffer {
  const lengths = Buffer.alloc(12);
  lengths.writeUInt32BE(headBytes, 0);
  lengths.writeUInt32BE(bodyBytes, 4);
  const mixed = ((BigInt(headBytes) ^ 0x9e3779b9n) * 0x85ebca6bn) ^ ((BigInt(bodyBytes) ^ 0x7f4a7c15n) * 0xc2b2ae35n);
  lengths.writeUInt32BE(Number(BigInt.asUintN(32, mixed)), 8);
  return lengths;
}

/** One frame by the letter of the format. */
function naiveFrame(...messages: readonly Message[]): Buffer {
  const writer = new ByteWriter();
  const bodies: Uint8Array[] = [];
  for (const message of messages) encodeMessage(writer, bodies, message, message.id);
  const head = Buffer.from(writer.copy());
  const lengths = lengthsOf(head.length, Buffer.concat(bodies).length);
  const sent = Buffer.alloc(4);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(Buffer.concat([lengths, sent, head])));
  return Buffer.concat([checksum, lengths, sent, head, ...bodies]);
}

/** The naive twin of `FrameEncoder`: a frame takes messages until it is full, and is never over the limit. */
function framesOf(messages: readonly Message[], mostBytes: number = limit): Buffer {
  const frames: Message[][] = [];
  let open: Message[] = [];
  for (const message of messages) {
    if (open.length > 0 && naiveFrame(...open, message).length > mostBytes) {
      frames.push(open);
      open = [];
    }
    open.push(message);
    if (naiveFrame(...open).length < 16 * 1024) continue;
    frames.push(open);
    open = [];
  }
  if (open.length > 0) frames.push(open);
  return Buffer.concat(frames.map((frame) => naiveFrame(...frame)));
}

/** Feeds the chunks, and answers with every message that came out. */
function feed(decoder: FrameDecoder, chunks: readonly Uint8Array[]): Message[] {
  const messages: Message[] = [];
  for (const chunk of chunks) {
    decoder.push(Uint8Array.from(chunk));
    for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message);
  }
  return messages;
}

function newDecoder(mostBytes: number = limit): FrameDecoder {
  return new FrameDecoder(machineChecksum, mostBytes);
}

function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[i % lengths.length] ?? 1);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

/** Values as text, so that views of any kind of bytes compare. */
function plain(message: Message): unknown {
  const text = (_key: string, value: unknown): unknown =>
    value instanceof Uint8Array ? Array.from(value).join() : value;
  return JSON.parse(JSON.stringify(message, text));
}

function put(bytes: number, id = 1): ReplicaPut {
  const value = new Uint8Array(bytes).fill(7);
  const dot = { actor: "a" as ActorId, counter: 1 };
  return {
    kind: "replica-put",
    id,
    knownHash: 1,
    changes: 3,
    bucket: "b",
    key: "k",
    purpose: "write",
    synced: true,
    lastWriteWins: false,
    state: {
      context: [{ actor: dot.actor, from: 1, to: 1, time: 1 }],
      siblings: [{ dot, value, checksum: crc32(value), contentType: "", modified: 1 }],
    },
  };
}

test("frames are what the format says, whatever is added before they are taken", () => {
  const anyLimit = fc.constantFrom(limit, 20_000);
  fc.assert(
    fc.property(fc.array(fc.array(anyOfAnyKind, { maxLength: 12 }), { maxLength: 4 }), anyLimit, (turns, mostBytes) => {
      const encoder = new FrameEncoder(machineChecksum, mostBytes);
      for (const messages of turns) {
        for (const message of messages) assert.ok(encoder.add(message, message.id));
        const { pendingBytes, pendingMessages } = encoder;
        const bytes = Buffer.concat(encoder.take());
        assert.equal(bytes.length, pendingBytes);
        assert.equal(messages.length, pendingMessages);
        assert.deepEqual(bytes, framesOf(messages, mostBytes));
        assert.equal(encoder.pendingBytes + encoder.pendingMessages, 0);
      }
    }),
  );
});

test("a frame says when its first message was added, modulo 2^32 ms", () => {
  const times = [7, 0xffff_fff0, 3];
  const encoder = new FrameEncoder(machineChecksum, limit, () => times.shift() as number);
  const decoder = newDecoder();
  decoder.push(preamble);
  decoder.next();
  for (const [sentMs, ids] of [
    [7, [1, 2]],
    [0xffff_fff0, [3]],
    [3, [4]],
  ] as const) {
    for (const id of ids) encoder.add({ kind: "ping", id }, id);
    decoder.push(Uint8Array.from(Buffer.concat(encoder.take())));
    for (const id of ids) {
      assert.equal(decoder.next()?.id, id);
      assert.equal(decoder.sentMs, sentMs);
    }
    assert.equal(decoder.next(), undefined);
  }
});

test("frames that were taken are not touched by those that follow", () => {
  const encoder = new FrameEncoder(machineChecksum, limit);
  encoder.add(put(100), 1);
  const first = encoder.take();
  const before = Buffer.concat(first);
  encoder.add(put(200), 2);
  encoder.take();
  assert.deepEqual(Buffer.concat(first), before);
});

test("only frames that were given back make room for others", () => {
  const turn = plainRecord({
    sizes: fc.array(fc.nat(6000), { minLength: 1, maxLength: 5 }),
    isGivenBack: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 30 }), (turns) => {
      const encoder = new FrameEncoder(machineChecksum, limit);
      const kept: { readonly chunks: readonly Uint8Array[]; readonly before: Buffer }[] = [];
      for (const { sizes, isGivenBack } of turns) {
        for (const [id, size] of sizes.entries()) encoder.add(put(size), id);
        const chunks = encoder.take();
        if (isGivenBack) encoder.giveBack();
        else kept.push({ chunks, before: Buffer.concat(chunks) });
      }
      for (const { chunks, before } of kept) assert.deepEqual(Buffer.concat(chunks), before);
    }),
  );
});

test("a turn of small messages is one chunk, and a large value a view of its own", () => {
  const encoder = new FrameEncoder(machineChecksum, limit);
  for (let id = 0; id < 50; id++) encoder.add(put(1024), id);
  assert.equal(encoder.take().length, 1);
  const large = put(100_000);
  encoder.add(put(10), 1);
  encoder.add(large, 2);
  encoder.add(put(10), 3);
  const chunks = encoder.take();
  assert.equal(chunks.length, 3);
  assert.equal(chunks[1], large.state.siblings[0]?.value);
});

test("a message too long for a frame is not added, and leaves the others whole", () => {
  const encoder = new FrameEncoder(machineChecksum, 2000);
  const small = [put(100, 1), put(101, 3)];
  assert.equal(encoder.add(put(5000), 2), false);
  assert.ok(encoder.add(put(100), 1));
  assert.equal(encoder.add(put(5000), 2), false);
  assert.equal(encoder.add(put(1999), 2), false);
  assert.ok(encoder.add(put(101), 3));
  assert.equal(encoder.add(put(1999), 2), false);
  assert.equal(encoder.pendingMessages, 2);
  assert.deepEqual(feed(newDecoder(2000), [preamble, ...encoder.take()]).map(plain), small.map(plain));
});

test("however a stream is cut, the same messages come out", () => {
  const anyCuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 20_000 })), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(fc.array(anyOfAnyKind, { maxLength: 8 }), anyCuts, (messages, cuts) => {
      const stream = Buffer.concat([preamble, framesOf(messages)]);
      const decoder = newDecoder();
      assert.deepEqual(feed(decoder, cut(stream, cuts)).map(plain), messages.map(plain));
    }),
    { numRuns: 300 },
  );
});

test("a large frame in tiny pieces costs time and memory in proportion", () => {
  const stream = Buffer.concat([preamble, naiveFrame(put(1_000_000, 1)), naiveFrame(put(10, 2))]);
  const decoder = newDecoder();
  assert.deepEqual(
    feed(decoder, cut(stream, [61])).map((message) => message.id),
    [1, 2],
  );
});

test("a length over the limit is refused before a byte is kept for it", () => {
  const frame = Buffer.alloc(frameStartBytes);
  for (const [head, body] of [
    [limit, 0],
    [0, limit],
    [0xffff_ffff, 0xffff_ffff],
    [1, 0xffff_ffff],
  ] as const) {
    lengthsOf(head, body).copy(frame, 4);
    for (const cuts of [[100], [1]]) {
      const decoder = newDecoder();
      assert.throws(() => feed(decoder, cut(Buffer.concat([preamble, frame]), cuts)), { code: "too-long" });
    }
  }
});

test("a length within the limit costs no more than what has arrived", () => {
  const start = Buffer.alloc(frameStartBytes);
  lengthsOf(10, limit - 10 - frameStartBytes).copy(start, 4);
  const decoders: FrameDecoder[] = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) {
    const decoder = newDecoder();
    feed(decoder, [Buffer.concat([preamble, start, Buffer.alloc(100)]), Buffer.alloc(100)]);
    decoders.push(decoder);
  }
  const each = (process.memoryUsage().arrayBuffers - before) / decoders.length;
  assert.ok(each < 200_000, `${each} bytes for each of ${decoders.length} claims of ${limit}`);
});

test("any damaged bit of a head is found; one of a value is left to the value's own checksum", () => {
  const frame = naiveFrame(put(20));
  const headBits = (frame.length - 20) * 8;
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const damaged = Uint8Array.from(frame);
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    const decoder = newDecoder();
    const isWhole = (): boolean => feed(decoder, [preamble, damaged]).length === 1;
    if (bit >= headBits) assert.ok(isWhole());
    else assert.throws(isWhole, { code: "bad-checksum" }, `bit ${bit}`);
  }
});

test("a checksum that holds over nonsense is malformed", () => {
  const frame = naiveFrame({ kind: "ping", id: 1 });
  frame[frameStartBytes] = 250;
  frame.writeUInt32BE(crc32(frame.subarray(4)), 0);
  const decoder = newDecoder();
  assert.throws(() => feed(decoder, [preamble, frame]), { code: "malformed", message: /kind 250/ });
});

test("a frame without a message, or with bytes that belong to none, is malformed", () => {
  const empty = Buffer.alloc(frameStartBytes);
  lengthsOf(0, 0).copy(empty, 4);
  empty.writeUInt32BE(crc32(empty.subarray(4)), 0);
  assert.throws(() => feed(newDecoder(), [preamble, empty]), { code: "malformed" });
  const frame = Buffer.concat([naiveFrame({ kind: "ping", id: 1 }), Uint8Array.of(9)]);
  lengthsOf(frame.readUInt32BE(4), 1).copy(frame, 4);
  frame.writeUInt32BE(crc32(frame.subarray(4, frame.length - 1)), 0);
  assert.throws(() => feed(newDecoder(), [preamble, frame]), { code: "malformed", message: /1 bytes too many/ });
});

test("bytes come in order: none are taken while the last ones hold a message", () => {
  const decoder = newDecoder();
  decoder.push(
    Uint8Array.from(Buffer.concat([preamble, naiveFrame({ kind: "ping", id: 1 }, { kind: "ping", id: 2 })])),
  );
  assert.equal(decoder.next()?.id, 1);
  assert.throws(() => decoder.push(Uint8Array.of(1)), /before the last ones were taken/);
});

test("random bytes after the preamble give FrameError or a wait for more, nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (chunks) => {
      const decoder = newDecoder(4096);
      try {
        feed(decoder, [preamble, ...chunks]);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test("mutated streams give messages, FrameError or a wait for more, nothing else", () => {
  const anyDamage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
  const anyCuts = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(anyOfAnyKind, { minLength: 1, maxLength: 4 }),
      anyDamage,
      anyCuts,
      (messages, damage, cuts) => {
        const stream = Buffer.concat([preamble, framesOf(messages)]);
        for (const [at, byte] of damage) stream[at % stream.length] = byte;
        const decoder = newDecoder();
        try {
          feed(decoder, cut(stream, cuts));
        } catch (error) {
          if (!(error instanceof FrameError)) throw error;
        }
      },
    ),
    { numRuns: 1500 },
  );
});

test("frames with a valid checksum over damaged heads give messages or FrameError, nothing else", () => {
  fc.assert(
    fc.property(anyOfAnyKind, fc.nat(), fc.nat(255), (message, at, byte) => {
      const frame = naiveFrame(message);
      const headBytes = frame.readUInt32BE(4);
      frame[frameStartBytes + (at % headBytes)] = byte;
      frame.writeUInt32BE(crc32(frame.subarray(4, frameStartBytes + headBytes)), 0);
      const decoder = newDecoder();
      try {
        // A damaged kind can turn one message into several short ones: each of them is whole.
        assert.ok(feed(decoder, [preamble, frame]).length >= 1);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        assert.equal(error.code, "malformed");
      }
    }),
    { numRuns: 2000 },
  );
});

test("both sides take the newest version that both speak", () => {
  assert.equal(agreeOnVersion({ oldest: 1, newest: 3 }, { oldest: 2, newest: 5 }), 3);
  assert.equal(agreeOnVersion({ oldest: 2, newest: 5 }, { oldest: 1, newest: 3 }), 3);
  assert.equal(agreeOnVersion({ oldest: 1, newest: 1 }, { oldest: 1, newest: 1 }), 1);
});

test("without a version in common there is no talk", () => {
  const decoder = new FrameDecoder(machineChecksum, limit, { oldest: 1, newest: 1 });
  assert.throws(() => feed(decoder, [encodePreamble({ oldest: 2, newest: 9 })]), {
    code: "bad-version",
    message: /2 to 9/,
  });
  assert.throws(() => agreeOnVersion({ oldest: 3, newest: 4 }, { oldest: 1, newest: 2 }), { code: "bad-version" });
});

test("what begins otherwise is not one of ours", () => {
  assert.throws(() => feed(newDecoder(), [Buffer.from("GET / HTTP/1.1\r\n\r\n")]), {
    code: "malformed",
  });
  assert.throws(() => decodePreamble(encodePreamble({ oldest: 3, newest: 2 })), { code: "malformed" });
});
