/**
 * Room for values in memory, which is used again: pieces of pages, a page's pieces all of one size.
 *
 * An array for each value costs a microsecond and the garbage collector's attention, and a store that overwrites walks
 * through fresh memory all the time. Here a value is copied into a piece of its size, and the piece is free for the next
 * one as soon as the value goes. Sizes are an eighth apart, so that at most an eighth is left unused.
 *
 * Invariants: a piece has one user; a page whose last user has gone is let go, but the last one of its size that has room.
 *
 * Hot path.
 */

/** Where a piece is: a page's number, and where in it the piece begins. */
export interface Piece {
  readonly page: number;
  readonly offset: number;
}

interface Page {
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Bytes of a piece. */
  readonly size: number;
  readonly free: Uint32Array;
  freeCount: number;
  /** Its place among those of its size with room, or -1. */
  place: number;
}

const leastSize = 32;
/** What is larger has a page of its own, of just its size. */
const largestSize: number = 32 * 1024;
const pageBytes: number = 64 * 1024;
const leastPieces = 8;

export class ValueArena {
  readonly #pages: (Page | undefined)[] = [];
  readonly #unused: number[] = [];
  /** By size: the pages with room. */
  readonly #roomy: Map<number, Page[]> = new Map();
  #bytes = 0;

  /** Bytes of memory taken. */
  get memoryBytes(): number {
    return this.#bytes;
  }

  /** Copies the value into a piece of its own. */
  add(value: Uint8Array): Piece {
    const { length } = value;
    if (length > largestSize) return this.#addLarge(value);
    const size = sizeFor(length);
    let roomy = this.#roomy.get(size);
    if (roomy === undefined) {
      roomy = [];
      this.#roomy.set(size, roomy);
    }
    const page = roomy[roomy.length - 1] ?? this.#newPage(size, roomy);
    const offset = page.free[--page.freeCount] as number;
    if (page.freeCount === 0) {
      roomy.pop();
      page.place = -1;
    }
    page.bytes.set(value, offset);
    return { page: page.number, offset };
  }

  /** Whether a value of so many bytes would have a piece of the same size as one of so many others. */
  fits(bytes: number, otherBytes: number): boolean {
    return bytes <= largestSize && otherBytes <= largestSize && sizeFor(bytes) === sizeFor(otherBytes);
  }

  /** Puts another value that `fits` into the piece. */
  overwrite({ page, offset }: Piece, value: Uint8Array): void {
    (this.#pages[page] as Page).bytes.set(value, offset);
  }

  /** Copies what is in the piece. */
  copy({ page, offset }: Piece, to: Uint8Array): void {
    to.set((this.#pages[page] as Page).bytes.subarray(offset, offset + to.length));
  }

  /** Nobody wants what is in the piece any more. */
  free({ page: number, offset }: Piece): void {
    const page = this.#pages[number] as Page;
    page.free[page.freeCount++] = offset;
    if (page.freeCount < page.free.length) {
      if (page.place < 0) this.#hasRoom(page);
      return;
    }
    const roomy = this.#roomy.get(page.size);
    // The last one with room is kept: the next value of its size is likely to come soon.
    if (roomy !== undefined && page.place >= 0 && roomy.length === 1) return;
    if (roomy !== undefined && page.place >= 0) {
      const last = roomy.pop() as Page;
      if (last !== page) {
        roomy[page.place] = last;
        last.place = page.place;
      }
    }
    this.#pages[number] = undefined;
    this.#unused.push(number);
    this.#bytes -= page.bytes.length;
  }

  #hasRoom(page: Page): void {
    const roomy = this.#roomy.get(page.size) as Page[];
    page.place = roomy.length;
    roomy.push(page);
  }

  #addLarge(value: Uint8Array): Piece {
    const page = this.#page(value.length, 1);
    page.freeCount = 0;
    page.bytes.set(value);
    return { page: page.number, offset: 0 };
  }

  #newPage(size: number, roomy: Page[]): Page {
    const page = this.#page(size, Math.max(leastPieces, Math.floor(pageBytes / size)));
    page.place = roomy.length;
    roomy.push(page);
    return page;
  }

  #page(size: number, pieces: number): Page {
    const number = this.#unused.pop() ?? this.#pages.length;
    const free = Uint32Array.from({ length: pieces }, (_, i) => (pieces - 1 - i) * size);
    const page = { number, bytes: new Uint8Array(size * pieces), size, free, freeCount: pieces, place: -1 };
    this.#pages[number] = page;
    this.#bytes += page.bytes.length;
    return page;
  }
}

/** Eight sizes for each power of two. */
function sizeFor(bytes: number): number {
  if (bytes <= leastSize) return leastSize;
  const step = 1 << (28 - Math.clz32(bytes - 1));
  return (bytes + step - 1) & -step;
}
