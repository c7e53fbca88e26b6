/**
 * Finds a key's record by its hash: open addressing in many small tables, so that growing one never takes long.
 *
 * One large table would be moved as a whole when it doubles, some tens of milliseconds at a million keys in which the
 * node does nothing else. The hash's upper bits choose one of 1024 tables, which grow by themselves, some thousand
 * records at a time. A byte of the hash lies beside each reference and spares nearly all looks at wrong keys.
 *
 * The hash is seeded by chance: who chooses keys must not be able to make them meet.
 *
 * Hot path.
 */

import type { KeyArena } from "./key-arena.ts";
import { keyHash } from "./key-hash.ts";

const tableBits = 10;
const leastSlots = 8;
/** Chance gives some tables a little more than their share. */
const reservedShare = 1.1;

interface Table {
  refs: Uint32Array;
  tags: Uint8Array;
  count: number;
}

export class KeyTable {
  readonly #arena: KeyArena;
  readonly #seed: number;
  readonly #tables: (Table | undefined)[] = new Array<undefined>(1 << tableBits).fill(undefined);
  #count = 0;
  #slots = 0;

  constructor(arena: KeyArena, seed: number) {
    this.#arena = arena;
    this.#seed = seed;
  }

  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.#slots * 5;
  }

  /** Makes room for so many records, of which there are none yet: tables that grow hash all they hold again. */
  reserve(records: number): void {
    const each = (records / this.#tables.length) * reservedShare;
    let slots = leastSlots;
    while (slots * 3 < each * 4) slots *= 2;
    if (this.#count > 0 || records <= 0) return;
    for (let i = 0; i < this.#tables.length; i++) {
      this.#tables[i] = { refs: new Uint32Array(slots), tags: new Uint8Array(slots), count: 0 };
    }
    this.#slots = slots * this.#tables.length;
  }

  /** The record of this key, or 0. */
  find(key: Uint8Array): number {
    const hash = keyHash(key, 0, key.length, this.#seed);
    const table = this.#tables[hash >>> (32 - tableBits)];
    if (table === undefined) return 0;
    const { refs, tags } = table;
    const mask = refs.length - 1;
    const tag = tagOf(hash);
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const ref = refs[at] as number;
      if (ref === 0) return 0;
      if (tags[at] === tag && this.#arena.hasKey(ref, key)) return ref;
    }
  }

  /** Adds a record whose key is not there yet. */
  add(ref: number, key: Uint8Array): void {
    const hash = keyHash(key, 0, key.length, this.#seed);
    const index = hash >>> (32 - tableBits);
    let table = this.#tables[index];
    if (table === undefined || (table.count + 1) * 4 > table.refs.length * 3) {
      table = this.#grown(table);
      this.#tables[index] = table;
    }
    insert(table, ref, hash);
    table.count++;
    this.#count++;
  }

  /** Removes a record that is there, whose key is this. */
  remove(ref: number, key: Uint8Array): void {
    const hash = keyHash(key, 0, key.length, this.#seed);
    const table = this.#tables[hash >>> (32 - tableBits)] as Table;
    const { refs, tags } = table;
    const mask = refs.length - 1;
    let hole = hash & mask;
    while (refs[hole] !== ref) hole = (hole + 1) & mask;
    // What was pushed on by the one that goes moves back, or a search would stop too early.
    for (let at = (hole + 1) & mask; refs[at] !== 0; at = (at + 1) & mask) {
      const home = this.#arena.hash(refs[at] as number, this.#seed) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      refs[hole] = refs[at] as number;
      tags[hole] = tags[at] as number;
      hole = at;
    }
    refs[hole] = 0;
    table.count--;
    this.#count--;
  }

  #grown(table: Table | undefined): Table {
    const slots = table === undefined ? leastSlots : table.refs.length * 2;
    this.#slots += slots - (table?.refs.length ?? 0);
    const grown = { refs: new Uint32Array(slots), tags: new Uint8Array(slots), count: table?.count ?? 0 };
    for (const ref of table?.refs ?? []) {
      if (ref !== 0) insert(grown, ref, this.#arena.hash(ref, this.#seed));
    }
    return grown;
  }
}

function insert({ refs, tags }: Table, ref: number, hash: number): void {
  const mask = refs.length - 1;
  let at = hash & mask;
  while (refs[at] !== 0) at = (at + 1) & mask;
  refs[at] = ref;
  tags[at] = tagOf(hash);
}

function tagOf(hash: number): number {
  return (hash >>> 14) & 0xff;
}
