/**
 * Memory for what is read, or made to be stored: small pieces of one larger array, each given out once.
 *
 * An array of its own costs half a microsecond and the garbage collector's attention; a view of a slab a fifth of that.
 * A piece that somebody keeps for long keeps its slab, so slabs are small, and what is large has its own array.
 *
 * Hot path.
 */

const slabBytes = 16 * 1024;
const largestPieceBytes: number = slabBytes / 4;

export class Slab {
  #memory: ArrayBuffer = new ArrayBuffer(0);
  #used = 0;

  /** So many zeros, for nobody else. */
  take(bytes: number): Uint8Array {
    if (bytes > largestPieceBytes) return new Uint8Array(bytes);
    if (this.#used + bytes > this.#memory.byteLength) {
      this.#memory = new ArrayBuffer(slabBytes);
      this.#used = 0;
    }
    const piece = new Uint8Array(this.#memory, this.#used, bytes);
    this.#used += bytes;
    return piece;
  }
}
