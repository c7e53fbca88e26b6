/**
 * What our operations cost beside a bare model's of the same job, in one run: CPU time of all processes, and the ratio.
 *
 * Both clusters are up throughout, and are loaded by turns in short rounds: a machine that gets slower or faster
 * meanwhile, or has other work, does so for both. Of the rounds the median counts. A get and a buffered put are compared
 * with a model that stores in memory, a synced put with one that syncs a log, once for all who wait.
 */

import { byTurns, type Contestant, type Side, type TurnsOptions } from "./by-turns.ts";
import { fill } from "./closed-loop.ts";
import { type FixedLoadOptions, fixedLoad } from "./fixed-load.ts";
import { BareCluster } from "./models/bare-cluster.ts";
import { OwnCluster, type OwnClusterOptions } from "./own-cluster.ts";
import { CartwheelTarget } from "./targets/cartwheel-target.ts";

export interface ComparisonOptions extends OwnClusterOptions, Omit<TurnsOptions, "onRound"> {
  readonly keys: number;
  readonly valueBytes: number;
  readonly onRound?: ((text: string) => void) | undefined;
}

export interface Compared {
  readonly name: string;
  readonly ours: Side;
  readonly bare: Side;
  readonly ratio: number;
  /** The least and the greatest ratio of a round. */
  readonly ratioRange: readonly [number, number];
}

interface Contest {
  readonly name: string;
  readonly kind: FixedLoadOptions["kind"];
  readonly isSynced: boolean;
}

const contests: readonly Contest[] = [
  { name: "get", kind: "read", isSynced: false },
  { name: "buffered put", kind: "update", isSynced: false },
  { name: "synced put", kind: "update", isSynced: true },
];

/** Starts both, runs all contests, stops both. */
export async function compareWithBare(options: ComparisonOptions): Promise<readonly Compared[]> {
  const ours = await OwnCluster.start(options);
  try {
    return [...(await compareBucket(ours, false, options)), ...(await compareBucket(ours, true, options))];
  } finally {
    await ours.stop();
  }
}

async function compareBucket(ours: OwnCluster, isSynced: boolean, options: ComparisonOptions): Promise<Compared[]> {
  const bucket = isSynced ? "synced" : "buffered";
  await ours.setBucket(bucket, { durability: bucket });
  const target = await CartwheelTarget.connect({ addresses: ours.addresses, bucket, remembers: true });
  const bare = await BareCluster.start({ ...options, synced: isSynced });
  const bareTarget = await bare.connect();
  const results: Compared[] = [];
  try {
    const full = fixedLoad({ ...options, kind: "update" });
    await fill(target, full, options.inFlight, options.signal);
    await fill(bareTarget, full, options.inFlight, options.signal);
    for (const { name, kind } of contests.filter((contest) => contest.isSynced === isSynced)) {
      const our = { target, servers: ours, load: fixedLoad({ ...options, kind }) };
      const their = { target: bareTarget, servers: bare, load: fixedLoad({ ...options, kind }) };
      results.push(await contend(name, our, their, options));
    }
  } finally {
    await target.close();
    await bareTarget.close();
    await bare.stop();
  }
  return results;
}

async function contend(
  name: string,
  ours: Contestant,
  bare: Contestant,
  options: ComparisonOptions,
): Promise<Compared> {
  const onRound = (round: number, [our, their]: readonly [number, number]): void => {
    const costs = `${our.toFixed(1)} us of CPU an operation, bare ${their.toFixed(1)} us`;
    options.onRound?.(`${name}, ${round} of ${options.rounds}: ${costs}`);
  };
  const { sides, ratio, ratioRange } = await byTurns(ours, bare, { ...options, onRound });
  return { name, ours: sides[0], bare: sides[1], ratio, ratioRange };
}
