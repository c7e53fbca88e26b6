/**
 * How many seats each member shall hold: shares follow capacity, as far as distinct nodes and zones allow (§4.2).
 *
 * The naive share, capacity over total capacity, asks for what cannot be: more than one seat of a partition for one
 * huge node, or two copies in one zone where there are zones enough. So the seats are dealt one at a time, each to
 * the member that would have the least for its capacity afterwards, among those that may still take one. That is
 * water filling, in whole numbers, and exact.
 *
 * Where the last seats could as well have gone to others, a share may pass them on (`Share`), so that the moves can be
 * the fewest among all shares that are equally even.
 */

/** A member as placement sees it. */
export interface Claimant {
  readonly zone: string;
  readonly capacity: number;
  /** Seats it holds now: of two equally entitled, the holder of more keeps what it has. */
  readonly seats: number;
}

/** What a member shall hold. */
export interface Share {
  readonly seats: number;
  /** Members of one circle may pass parts of their shares to each other, and all is as even as before. */
  readonly circle: number;
  /** Whether one seat more would still be as even, if another of the circle had one less. */
  readonly mayRise: boolean;
  /** Whether one seat less would still be as even, if another of the circle had one more. */
  readonly mayFall: boolean;
}

/**
 * The claimants' shares, in their order; they add up to `partitions` times `copies`, where `copies` is at most the
 * number of claimants. No share exceeds `partitions`. With at least as many zones as copies, no zone's shares exceed
 * `partitions`; with fewer, none falls below, so that every partition can have a copy in every zone.
 */
export function targetShares(claimants: readonly Claimant[], partitions: number, copies: number): readonly Share[] {
  const zones = zonesOf(claimants);
  const zoneOf = claimants.map((claimant) => zones.indexOf(claimant.zone));
  const shares = claimants.map(() => 0);
  const zoneSums = zones.map(() => 0);
  const zoneLimits = zones.map((_, zone) => {
    const members = zoneOf.filter((of) => of === zone).length;
    return partitions * Math.min(members, Math.max(1, copies - zones.length + 1));
  });
  /** In each zone, who was dealt a seat last, and so has the most for its capacity; -1 where nobody was. */
  const lastOf = zones.map(() => -1);

  const deal = (seats: number, mayTake: (claimant: number) => boolean): void => {
    for (let dealt = 0; dealt < seats; dealt++) {
      let next = -1;
      for (let i = 0; i < claimants.length; i++) {
        if ((shares[i] as number) >= partitions || !mayTake(i)) continue;
        if (next < 0 || isNeedier(claimants, shares, i, next)) next = i;
      }
      if (next < 0) throw new Error(`no claimant may take seat ${dealt} of ${seats}`);
      shares[next] = (shares[next] as number) + 1;
      const zone = zoneOf[next] as number;
      zoneSums[zone] = (zoneSums[zone] as number) + 1;
      lastOf[zone] = next;
    }
  };

  if (zones.length < copies) for (const [zone] of zones.entries()) deal(partitions, (i) => zoneOf[i] === zone);
  const left = partitions * copies - zoneSums.reduce((sum, seats) => sum + seats, 0);
  deal(left, (i) => (zoneSums[zoneOf[i] as number] as number) < (zoneLimits[zoneOf[i] as number] as number));

  const load = (i: number, more = 0): Load => {
    return { seats: (shares[i] as number) + more, capacity: (claimants[i] as Claimant).capacity };
  };
  // A zone that has its least or its most has a circle of its own; the others have one together.
  const isApart = zoneSums.map((sum, zone) => {
    return sum === zoneLimits[zone] || (zones.length < copies && sum === partitions);
  });
  const together = lastOf.filter((last, zone) => last >= 0 && !isApart[zone]).map((last) => load(last));
  const greatest = together.reduce(
    (most, other) => (compareLoads(most, other) < 0 ? other : most),
    together[0] ?? none,
  );
  return claimants.map((_, i) => {
    const zone = zoneOf[i] as number;
    const edge = isApart[zone] ? load(lastOf[zone] as number) : greatest;
    return {
      seats: shares[i] as number,
      circle: isApart[zone] ? zone : -1,
      mayRise: (shares[i] as number) < partitions && compareLoads(load(i, 1), edge) === 0,
      mayFall: compareLoads(load(i), edge) === 0,
    };
  });
}

interface Load {
  readonly seats: number;
  readonly capacity: number;
}

const none: Load = { seats: 0, capacity: 1 };

/** Which of the two is more for its capacity. */
function compareLoads(a: Load, b: Load): number {
  return a.seats * b.capacity - b.seats * a.capacity;
}

/** The zones that occur, each once, in the order of their first claimants. */
export function zonesOf(claimants: readonly { readonly zone: string }[]): readonly string[] {
  return [...new Set(claimants.map((claimant) => claimant.zone))];
}

/** Whether `a` has less for its capacity than `b` once each has one more; of equals, whether it now holds more. */
function isNeedier(claimants: readonly Claimant[], shares: readonly number[], a: number, b: number): boolean {
  const claimA = claimants[a] as Claimant;
  const claimB = claimants[b] as Claimant;
  const difference = ((shares[a] as number) + 1) * claimB.capacity - ((shares[b] as number) + 1) * claimA.capacity;
  if (difference !== 0) return difference < 0;
  return claimA.seats - (shares[a] as number) > claimB.seats - (shares[b] as number);
}
