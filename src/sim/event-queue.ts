/**
 * What will happen, ordered by virtual time and, at one instant, by when it was scheduled: a binary heap.
 *
 * Hot path: every delivery, timer and commit of every simulated process passes through here.
 */

import type { SimProcess } from "./process.ts";

export interface SimEvent {
  /** Virtual ms. */
  readonly at: number;
  readonly sequence: number;
  /** Whose event it is; undefined for the surroundings' own. It waits while its process is paused. */
  readonly process: SimProcess | undefined;
  readonly run: () => void;
  /** Called instead of `run` where the process has died. */
  readonly lost: (() => void) | undefined;
  isCancelled: boolean;
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

export class EventQueue {
  #heap: SimEvent[] = [];

  get size(): number {
    return this.#heap.length;
  }

  peek(): SimEvent | undefined {
    return this.#heap[0];
  }

  push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt] as SimEvent;
      if (!isBefore(event, parent)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = event;
  }

  pop(): SimEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    const size = heap.length;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= size) break;
      let child = heap[childAt] as SimEvent;
      const rightAt = childAt + 1;
      if (rightAt < size && isBefore(heap[rightAt] as SimEvent, child)) {
        childAt = rightAt;
        child = heap[rightAt] as SimEvent;
      }
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
    return first;
  }
}
