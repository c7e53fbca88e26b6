/**
 * What is ordinary for one kind of request on this node: the time that 99 in a hundred stayed below in the last half
 * minute in which nothing else ran.
 *
 * Times are counted in classes, each a fifth wider than the one before: an addition for each request, no list, no
 * sorting. What a window of time has counted is looked at once, when it ends, and forgotten: a flood of requests is
 * ordinary for a minute at most.
 */

/** Classes by time: so many for each doubling, and where the first begins, in ms. */
const perDoubling = 4;
const firstMs = 1 / 16;
const classes = 80;
/** What stays below counts as ordinary: so many in a hundred. */
const share = 0.99;
/** A window has at least so many requests, and is so long, in ms. The first ends once it has as many. */
const leastTimes = 100;
const windowMs = 30_000;
/** A request is slow at so many times what is ordinary, and so many ms more: what no clock and no turn makes up. */
const slowTimes = 1.5;
const slowMs = 1;

export class OrdinaryLatency {
  readonly #counts: Uint32Array = new Uint32Array(classes);
  #times = 0;
  #endsMs: number | undefined;
  #ms: number | undefined;

  /** In ms; undefined until enough was learned. */
  get ms(): number | undefined {
    return this.#ms;
  }

  /** A request took so long while nothing else ran. */
  learn(tookMs: number, nowMs: number): void {
    const doublings = Math.log2(tookMs / firstMs);
    const place = Math.max(0, Math.min(classes - 1, Math.floor(doublings * perDoubling)));
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#times += 1;
    if (this.#times < leastTimes || nowMs < (this.#endsMs ?? nowMs)) return;
    this.#ms = this.#most();
    this.#counts.fill(0);
    this.#times = 0;
    this.#endsMs = nowMs + windowMs;
  }

  /** Whether that is more than can be called ordinary; true of everything while nothing can. */
  isSlow(tookMs: number): boolean {
    return this.#ms === undefined || tookMs > slowTimes * this.#ms + slowMs;
  }

  /** The end of the class in which the one in a hundred begins. */
  #most(): number {
    let left = Math.ceil(share * this.#times);
    const place = this.#counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return firstMs * 2 ** ((place + 1) / perDoubling);
  }
}
