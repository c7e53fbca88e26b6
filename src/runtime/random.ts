/** Chance, as a port: unpredictable on a real machine, replayed from the seed in the simulation. */
export interface Random {
  /** A whole number from 0 to 2^32-1. */
  u32(): number;
  /** A whole number from 0 to `limit` - 1; `limit` from 1 to 2^32. */
  below(limit: number): number;
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
}
