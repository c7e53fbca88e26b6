/**
 * Dot sets and sibling sets as bytes: the part that frames, records and tokens share.
 *
 * A state is written in two halves: its *head*, with every field and each value's length and checksum, and its
 * *bodies*, the values' bytes in order. Head checksums then never run over values, which have their own, and values
 * travel as views.
 *
 * Actors are ordered, and those of one run differ in their last characters only, so each is written as how much it
 * shares with the one before and what is new. A sibling's dot is written as its place in the context: that a dot
 * outside the context cannot even be written is one check less to forget.
 *
 * Readers trust nothing: order, disjointness, ranges and lengths are all checked, so that what comes out keeps the
 * invariants `core/causality` counts on, and nothing is allocated that the bytes at hand do not pay for.
 *
 * Hot path.
 */

import { type ByteReader, MalformedBytes } from "../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { DotSet, Interval } from "../core/causality/dot-set.ts";
import type { Sibling, SiblingSet } from "../core/causality/sibling-set.ts";
import type { Checksum } from "../core/hash/crc32.ts";
import { type ActorId, parseActorId } from "../core/ids.ts";
import { contentTypeBytes, writeIdCharacters } from "../core/limits.ts";

/** Shared length, new length, from, extent, time: one byte each at least. */
const leastIntervalBytes = 5;
/** Place, offset, checksum, content type, modified, flags, value length. */
const leastSiblingBytes = 10;

const hasWriteId = 1;

export function writeDotSet(w: ByteWriter, set: DotSet): void {
  w.varint(set.length);
  let last = "";
  let end = 0;
  for (let i = 0; i < set.length; i++) {
    const { actor, from, to, time } = set[i] as Interval;
    if (actor === last) {
      w.u8(actor.length);
      w.u8(0);
    } else {
      let shared = 0;
      while (shared < last.length && last.charCodeAt(shared) === actor.charCodeAt(shared)) shared++;
      w.u8(shared);
      w.text(actor.slice(shared));
      end = 0;
    }
    w.varint(from - end);
    w.varint(to - from);
    w.varint(time);
    last = actor;
    end = to;
  }
}

export function readDotSet(r: ByteReader): DotSet {
  const count = r.count(leastIntervalBytes);
  const set: Interval[] = [];
  let last: ActorId | undefined;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const shared = r.u8();
    const added = r.text();
    let actor: ActorId;
    if (last !== undefined && added === "" && shared === last.length) {
      actor = last;
    } else {
      actor = readActor(last ?? "", shared, added);
      if (last !== undefined && actor <= last) throw new MalformedBytes(`actor ${actor} is out of order`);
      end = 0;
    }
    const gap = r.varint();
    // An actor's first dot is 1; its later intervals leave at least one dot out.
    if (gap < (end === 0 ? 1 : 2)) throw new MalformedBytes(`intervals of actor ${actor} touch`);
    const from = end + gap;
    const to = from + r.varint();
    if (to > Number.MAX_SAFE_INTEGER) throw new MalformedBytes(`a counter of actor ${actor} is over 2^53-1`);
    set.push({ actor, from, to, time: r.varint() });
    last = actor;
    end = to;
  }
  return set;
}

function readActor(last: string, shared: number, added: string): ActorId {
  if (shared > last.length) throw new MalformedBytes("an actor shares more than its neighbour has");
  const actor = parseActorId(shared === 0 ? added : last.slice(0, shared) + added);
  if (actor === undefined) throw new MalformedBytes("an actor is not 1 to 32 printable ASCII characters");
  return actor;
}

/** Writes the state's head to `head` and adds its values to `bodies`. */
export function writeState(head: ByteWriter, bodies: Uint8Array[], state: SiblingSet): void {
  const { context, siblings } = state;
  writeDotSet(head, context);
  head.varint(siblings.length);
  let place = 0;
  for (let i = 0; i < siblings.length; i++) {
    const { dot, value, checksum, contentType, modified, writeId } = siblings[i] as Sibling;
    let interval = context[place];
    while (interval !== undefined && (interval.actor !== dot.actor || interval.to < dot.counter))
      interval = context[++place];
    if (interval === undefined || dot.counter < interval.from) {
      throw new RangeError(`sibling ${dot.actor}:${dot.counter} is out of order or not in its own context`);
    }
    head.varint(place);
    head.varint(dot.counter - interval.from);
    head.varint(modified);
    head.u32(checksum);
    head.text(contentType);
    head.u8(writeId === undefined ? 0 : hasWriteId);
    if (writeId !== undefined) head.text(writeId);
    head.varint(value.length);
    bodies.push(value);
  }
}

/** Reads a state; its values are views into the bytes of `bodies`, and not yet verified. */
export function readState(head: ByteReader, bodies: ByteReader): SiblingSet {
  const context = readDotSet(head);
  const count = head.count(leastSiblingBytes);
  const siblings: Sibling[] = [];
  let lastPlace = -1;
  let lastCounter = 0;
  for (let i = 0; i < count; i++) {
    const place = head.varint();
    const interval = context[place];
    if (interval === undefined) throw new MalformedBytes("a sibling's dot is not in its context");
    const counter = interval.from + head.varint();
    if (counter > interval.to) throw new MalformedBytes("a sibling's dot is not in its context");
    if (place < lastPlace || (place === lastPlace && counter <= lastCounter)) {
      throw new MalformedBytes("siblings are out of order");
    }
    siblings.push(readSibling(head, bodies, interval.actor, counter));
    lastPlace = place;
    lastCounter = counter;
  }
  return { context, siblings };
}

function readSibling(head: ByteReader, bodies: ByteReader, actor: ActorId, counter: number): Sibling {
  const modified = head.varint();
  const checksum = head.u32();
  const contentType = head.name();
  if (contentType.length > contentTypeBytes || !isPrintable(contentType)) {
    throw new MalformedBytes("a content type is not printable ASCII of at most 255 bytes");
  }
  const flags = head.u8();
  if (flags > hasWriteId) throw new MalformedBytes(`sibling flags ${flags} are unknown`);
  const writeId = flags === hasWriteId ? head.text() : undefined;
  if (writeId !== undefined && (writeId.length === 0 || writeId.length > writeIdCharacters || !isPrintable(writeId))) {
    throw new MalformedBytes("a write id is not 1 to 64 printable ASCII characters");
  }
  const value = bodies.raw(head.varint());
  const dot = { actor, counter };
  if (writeId === undefined) return { dot, value, checksum, contentType, modified };
  return { dot, value, checksum, contentType, modified, writeId };
}

function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** Whether every value is what its checksum was made of. */
export function verifyValues(state: SiblingSet, checksum: Checksum): boolean {
  for (let i = 0; i < state.siblings.length; i++) {
    const sibling = state.siblings[i] as Sibling;
    if (checksum(sibling.value) !== sibling.checksum) return false;
  }
  return true;
}

/**
 * Whether every value behind a state's head is what its checksum was made of, without making anything of the state. For a
 * head that is known to be one, and is read to its end.
 */
export function verifyBodies(head: ByteReader, bodies: ByteReader, checksum: Checksum): boolean {
  for (let left = head.varint(); left > 0; left--) {
    head.u8();
    head.skip(head.varint());
    head.varint();
    head.varint();
    head.varint();
  }
  for (let left = head.varint(); left > 0; left--) {
    head.varint();
    head.varint();
    head.varint();
    const expected = head.u32();
    head.skip(head.varint());
    if (head.u8() === hasWriteId) head.skip(head.varint());
    if (checksum(bodies.raw(head.varint())) !== expected) return false;
  }
  return head.left === 0 && bodies.left === 0;
}
