/**
 * Placement over the whole range it is made for: `npm run sweep:claim [clusters] [first seed]`.
 *
 * Clusters of 1 to 64 nodes, 1 to 5 zones, capacities 1 to 8, Q 16 to 4,096, N 1 to 5 (mostly 3) are built node by
 * node and then changed at random. Every change is held to the rules; the table says what it moved against the fewest
 * that would have done, found by a method of its own (`fewest-moves.ts`), and how balanced the outcome is.
 */

import { measure } from "./measured-change.ts";
import { type Change, dice, RandomCluster, type Shape } from "./random-cluster.ts";

const clusters = Number(process.argv[2] ?? 200);
const firstSeed = Number(process.argv[3] ?? 1);
const changesAfter = 12;

function shapeOf(seed: number): Shape {
  const draw = dice(seed);
  const partitions = 2 ** (4 + draw(9));
  const size = 1 + draw(64);
  const n = draw(3) === 0 ? 1 + draw(5) : 3;
  return { partitions, n, zones: 1 + draw(5), capacity: draw(2) === 0 ? 1 : 1 + draw(8), size };
}

interface Row {
  readonly change: Change;
  readonly ratio: number;
  readonly beyond: number;
}

const rows: Row[] = [];
let worstBalance = 1;
let worstFree = 1;
let slowestMs = 0;
for (let i = 0; i < clusters; i++) {
  const seed = firstSeed + i;
  const shape = shapeOf(seed);
  const cluster = new RandomCluster(shape, seed);
  let seats: ReturnType<typeof measure>["seats"] = [];
  for (let step = 0; step < shape.size + changesAfter; step++) {
    const change = cluster.change();
    const measured = measure(seats, cluster.members, shape.partitions, shape.n);
    seats = measured.seats;
    slowestMs = Math.max(slowestMs, measured.tookMs);
    worstBalance = Math.min(worstBalance, measured.balance);
    if (measured.isFree && shape.partitions >= 8 * cluster.members.length) {
      worstFree = Math.min(worstFree, measured.efficiency);
    }
    const { moved, fewest } = measured;
    rows.push({ change, ratio: moved === 0 ? 1 : moved / Math.max(1, fewest), beyond: moved - fewest });
    if (moved > 1.5 * Math.max(1, fewest) || measured.balance < 0.9) {
      process.stdout.write(
        `seed ${seed} step ${step} ${change}: ${JSON.stringify(shape)}, ${cluster.members.length} members, `,
      );
      process.stdout.write(`moved ${moved}, fewest ${fewest}, balance ${measured.balance.toFixed(3)}\n`);
    }
  }
}

const at = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? 0;
process.stdout.write(
  "\n| change | changes | median | mean | 95th | worst | most seats beyond |\n|---|---|---|---|---|---|---|\n",
);
for (const kind of ["join", "leave", "capacity", "zone", "all"] as const) {
  const of = rows.filter(({ change }) => kind === "all" || change === kind);
  const ratios = of.map(({ ratio }) => ratio);
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
  const figures = [at(ratios, 0.5), mean, at(ratios, 0.95), Math.max(...ratios)].map((figure) => figure.toFixed(3));
  const beyond = Math.max(...of.map((row) => row.beyond));
  process.stdout.write(`| ${kind} | ${of.length} | ${figures.join(" | ")} | ${beyond} |\n`);
}
process.stdout.write(`\nmoves as multiples of the fewest, over ${clusters} clusters\n`);
process.stdout.write(
  `worst balance ${worstBalance.toFixed(3)} of the best possible; worst efficiency where shares by capacity `,
);
process.stdout.write(
  `are possible and Q/S >= 8: ${worstFree.toFixed(3)}; most CPU time of one claim ${slowestMs.toFixed(0)} ms\n`,
);
