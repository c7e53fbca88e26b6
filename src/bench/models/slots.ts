/** Numbers for what is under way, used again once free, so that an answer finds its place without a map. Hot path. */

export class SlotNumbers {
  readonly #free: number[] = [];
  #next = 0;

  take(): number {
    return this.#free.pop() ?? this.#next++;
  }

  free(slot: number): void {
    this.#free.push(slot);
  }
}
