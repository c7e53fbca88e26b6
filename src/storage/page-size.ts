/**
 * How many records to read from a store in one turn: as many as have about so many bytes, told from the page before. Values
 * of a megabyte and values of ten bytes then hold up the event loop for about as long.
 */

import type { StoredEntry } from "./engine.ts";

/** Before anything is known of the sizes. */
const firstRecords = 8;

export interface PageSizeOptions {
  /** What a page may have, in bytes: more by what the last record of one has grown, or the first page's are larger. */
  readonly bytes: number;
  readonly mostRecords: number;
  /** Read however large they are; 1 if absent. */
  readonly leastRecords?: number;
}

export class PageSize {
  readonly #bytes: number;
  readonly #most: number;
  readonly #least: number;
  #records: number;

  constructor({ bytes, mostRecords, leastRecords = 1 }: PageSizeOptions) {
    this.#bytes = bytes;
    this.#most = mostRecords;
    this.#least = leastRecords;
    this.#records = Math.min(mostRecords, Math.max(leastRecords, firstRecords));
  }

  /** How many records to ask for next. */
  get records(): number {
    return this.#records;
  }

  /** These were read. */
  learn(page: readonly StoredEntry[]): void {
    if (page.length === 0) return;
    const bytes = page.reduce((sum, { value }) => sum + value.length, 0);
    const fit = Math.floor((this.#bytes * page.length) / Math.max(1, bytes));
    this.#records = Math.min(this.#most, Math.max(this.#least, fit));
  }
}
