/** The one voice of a partition's seat: which seat its holder speaks for, and since which epoch. */
export interface Voice {
  /** Place among the owners of the key's partition, from 0. */
  readonly seat: number;
  /** Grows each time the seat passes to another holder. */
  readonly epoch: number;
}
