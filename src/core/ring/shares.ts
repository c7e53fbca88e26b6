/**
 * How many seats each member shall hold: shares follow capacity, as far as distinct nodes and zones allow (§4.2).
 *
 * The naive share, capacity over total capacity, asks for what cannot be: more than one seat of a partition for one
 * huge node, or two copies in one zone where there are zones enough. So the seats are dealt one at a time, each to
 * the member that would have the least for its capacity afterwards, among those that may still take one. That is
 * water filling, in whole numbers, and exact.
 *
 * Seats cannot be cut into parts, and whose share is rounded up and whose down is as good one way as another. So a share
 * is a range (`Share`): any shares within all ranges are as even as those that were dealt, and the moves decide.
 */

/** A member as placement sees it. */
export interface Claimant {
  readonly zone: string;
  readonly capacity: number;
}

/** What a member shall hold. */
export interface Share {
  /** As it was dealt. The shares of all add up to all seats. */
  readonly seats: number;
  /**
   * It may as well hold from `least` to `most`: within one seat of what it would have if seats could be cut into parts,
   * and not so many that anybody has more for its capacity than the greatest share that was dealt.
   */
  readonly least: number;
  readonly most: number;
}

/**
 * The claimants' shares, in their order; they add up to `partitions` times `copies`, where `copies` is at most the
 * number of claimants. No share exceeds `partitions`. With at least as many zones as copies, no zone's shares exceed
 * `partitions`; with fewer, none falls below, so that every partition can have a copy in every zone. Who holds what is
 * no matter: while the members stay the same, so do their shares.
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
    }
  };

  if (zones.length < copies) for (const [zone] of zones.entries()) deal(partitions, (i) => zoneOf[i] === zone);
  const left = partitions * copies - zoneSums.reduce((sum, seats) => sum + seats, 0);
  deal(left, (i) => (zoneSums[zoneOf[i] as number] as number) < (zoneLimits[zoneOf[i] as number] as number));

  const greatest = claimants
    .map(({ capacity }, i): Level => ({ seats: shares[i] as number, capacity }))
    .reduce((most, load) => (load.seats * most.capacity > most.seats * load.capacity ? load : most));
  const levels = levelsOf(
    zones.map((_, zone) => claimants.filter((_, i) => zoneOf[i] === zone)),
    partitions,
    copies,
  );
  return claimants.map(({ capacity }, i) => {
    const seats = shares[i] as number;
    const ideal = levels[zoneOf[i] as number] as Level;
    const least = Math.min(partitions, wholeSeats(ideal, capacity, 0));
    const most = Math.min(partitions, wholeSeats(ideal, capacity, 1), wholeSeats(greatest, capacity, 0));
    return { seats, least: Math.min(seats, least), most: Math.max(seats, most) };
  });
}

/** So many seats for so much capacity: a fraction, since seats are counted in whole numbers. */
interface Level {
  readonly seats: number;
  readonly capacity: number;
}

/** Seats of a member of that capacity at that level, rounded down, or up with `up`. */
function wholeSeats(level: Level, capacity: number, up: 0 | 1): number {
  const rest = (level.seats * capacity) % level.capacity;
  return (level.seats * capacity - rest) / level.capacity + (rest > 0 ? up : 0);
}

/**
 * The level of load in each zone if seats could be cut into parts: one for all, save where a zone cannot have so much,
 * or must have more.
 */
function levelsOf(zones: readonly (readonly Claimant[])[], partitions: number, copies: number): readonly Level[] {
  const levels = new Map<readonly Claimant[], Level>();
  for (let shared = zones; shared.length > 0; ) {
    const level = levelOf(shared.flat(), partitions * (copies - zones.length + shared.length), partitions);
    const room = partitions * level.capacity;
    const isApart = (zone: readonly Claimant[]): boolean => {
      const taken = zone.reduce((sum, { capacity }) => sum + Math.min(room, level.seats * capacity), 0);
      return zones.length < copies ? taken < room : taken > room;
    };
    const apart = shared.filter(isApart);
    if (apart.length === 0) for (const zone of shared) levels.set(zone, level);
    for (const zone of apart) levels.set(zone, levelOf(zone, partitions, partitions));
    shared = apart.length === 0 ? [] : shared.filter((zone) => !apart.includes(zone));
  }
  return zones.map((zone) => levels.get(zone) as Level);
}

/** The level at which these take so many seats in all, and nobody more than one of a partition. */
function levelOf(claimants: readonly Claimant[], seats: number, partitions: number): Level {
  let left = seats;
  let others = claimants;
  for (;;) {
    const capacity = others.reduce((sum, other) => sum + other.capacity, 0);
    const isFull = (claimant: Claimant): boolean => left * claimant.capacity > partitions * capacity;
    const rest = others.filter((claimant) => !isFull(claimant));
    if (rest.length === others.length) return { seats: left, capacity };
    left -= partitions * (others.length - rest.length);
    others = rest;
  }
}

/** The zones that occur, each once, in the order of their first claimants. */
export function zonesOf(claimants: readonly { readonly zone: string }[]): readonly string[] {
  return [...new Set(claimants.map((claimant) => claimant.zone))];
}

/** Whether `a` has less for its capacity than `b` once each has one more. */
function isNeedier(claimants: readonly Claimant[], shares: readonly number[], a: number, b: number): boolean {
  const loadA = ((shares[a] as number) + 1) * (claimants[b] as Claimant).capacity;
  return loadA < ((shares[b] as number) + 1) * (claimants[a] as Claimant).capacity;
}
