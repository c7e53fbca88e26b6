/**
 * Figure 6: the share of nodes out of balance beside the load, over a day, with the paper's first strategy and with the
 * product's claim. A model (`models/imbalance.ts`): a mean over days, each with its own customers.
 */

import { Prng } from "../../src/sim/prng.ts";
import { columns, type Figure, type FigureOptions, type FigureResult } from "./figure.ts";
import { chartOf, type Line } from "./models/chart.ts";
import { type Customers, dayOf, type Interval, intervals, threshold } from "./models/imbalance.ts";
import { claimed, cutByTokens, drawTokens } from "./models/token-strategies.ts";

const size = { nodes: 30, copies: 3 } as const;
const tokens = 500;
const partitions = 1024;
/** Ours to choose: so many customers, so uneven, that the busiest hours are about as far out of balance as the paper's. */
const customers: Customers = { atPeak: 35_000, shape: 1.5, most: 100_000 };
const days = 40;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

async function run({ seed, isBrief }: FigureOptions): Promise<FigureResult> {
  const count = isBrief ? 1 : days;
  const claimedRing = claimed({ ...size, partitions });
  const seen = Array.from({ length: count }, (_, day): readonly Interval[] => {
    const prng = new Prng(seed + day, "figure 6");
    const cut = cutByTokens(drawTokens(prng, size.nodes, tokens), size);
    return dayOf(prng, [cut, claimedRing], customers);
  });
  const hours = Array.from({ length: intervals }, (_, i) => ({
    hour: i / 2,
    requests: mean(seen.map((day) => day[i]?.requests ?? 0)),
    byTokens: mean(seen.map((day) => day[i]?.imbalance[0] ?? 0)),
    byClaim: mean(seen.map((day) => day[i]?.imbalance[1] ?? 0)),
  }));
  const peak = Math.max(...hours.map(({ requests }) => requests));
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  const byLoad = hours.toSorted((a, b) => a.requests - b.requests);
  const groups = [
    { name: "the quietest sixth of the day", of: byLoad.slice(0, intervals / 6) },
    { name: "the busiest sixth", of: byLoad.slice(-intervals / 6) },
  ];
  const rows = [...groups, { name: "all day", of: hours }].map(({ name, of }) => [
    name,
    percent(mean(of.map(({ requests }) => requests)) / peak),
    percent(mean(of.map(({ byTokens }) => byTokens))),
    percent(mean(of.map(({ byClaim }) => byClaim))),
  ]);
  const line = (name: string, of: (hour: (typeof hours)[number]) => number): Line => ({
    name,
    points: hours.map((one) => [one.hour, of(one)] as const),
  });
  return {
    lines: columns([["", "load", `${tokens} tokens a node`, `our claim, Q = ${partitions}`], ...rows]),
    data: { ...size, tokens, partitions, customers, days: count, threshold, hours },
    pictures: {
      "": chartOf({
        title: "Nodes out of balance over a day",
        below: `${size.nodes} nodes, N = ${size.copies}; out of balance: load further than 15 % from the mean, in half an hour; mean of ${count} days`,
        across: { label: "hour of the day", scale: "linear", from: 0, to: 24, step: 4 },
        panels: [
          {
            axis: { label: "share of nodes, %", scale: "linear", from: 0 },
            lines: [
              line(`strategy 1, ${tokens} tokens a node`, ({ byTokens }) => byTokens * 100),
              line("strategy 3, our claim", ({ byClaim }) => byClaim * 100),
            ],
          },
          {
            height: 0.4,
            axis: { label: "load, % of its peak", scale: "linear", from: 0, to: 100 },
            lines: [line("requests", ({ requests }) => (requests / peak) * 100)],
          },
        ],
      }),
    },
  };
}

export const figure6: Figure = { name: "figure-6", title: "Figure 6: nodes out of balance over load", run };
