/**
 * Figure 8: how even the load is with each of the paper's strategies, at equal sizes of what every node must know.
 *
 * Of strategies that draw, many draws: the mean, and the middle nine tenths. A token weighs 10 bytes (8 of position, 2 of
 * node), a part of the ring whose owner is named 2, one whose three owners are named 6. Requests come for all places on the
 * ring alike, and every owner of a place serves them. Of strategy 2 the paper says that Q is much greater than S*T, and no
 * number: here it is eight times that, and as a second line what a cluster was once founded with.
 */

import { Prng } from "../../src/sim/prng.ts";
import { columns, type Figure, type FigureOptions, type FigureResult } from "./figure.ts";
import { chartOf, type Line } from "./models/chart.ts";
import {
  claimed,
  cutByTokens,
  dealt,
  drawTokens,
  efficiencyOf,
  sharesOf,
  type TokenRing,
  tokensOverPartitions,
} from "./models/token-strategies.ts";

const size = { nodes: 30, copies: 3 } as const;
const tokenBytes = 10;
const nodeBytes = 2;
const tokenCounts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;
const partitionCounts = [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192] as const;
/** Of a ring whose number of parts was fixed when there were few tokens. */
const fewParts = 1024;
const draws = 100;

interface Measured {
  readonly metadataBytes: number;
  /** T or Q of this point. */
  readonly parameter: number;
  readonly mean: number;
  /** The middle nine tenths of the draws. */
  readonly least: number;
  readonly most: number;
}

interface Strategy {
  readonly name: string;
  readonly parameters: readonly number[];
  readonly metadataBytes: (parameter: number) => number;
  readonly draw: (prng: Prng, parameter: number) => TokenRing;
  readonly isDrawn: boolean;
}

const strategies: readonly Strategy[] = [
  {
    name: "1: tokens",
    parameters: tokenCounts,
    metadataBytes: (tokens) => size.nodes * tokens * tokenBytes,
    draw: (prng, tokens) => cutByTokens(drawTokens(prng, size.nodes, tokens), size),
    isDrawn: true,
  },
  ...[undefined, fewParts].map(
    (few): Strategy => ({
      name: `2: tokens, Q = ${few ?? "8ST"}`,
      parameters: tokenCounts,
      metadataBytes: (tokens) => size.nodes * tokens * tokenBytes,
      draw: (prng, tokens) => {
        const partitions = few ?? 8 * size.nodes * tokens;
        return tokensOverPartitions(drawTokens(prng, size.nodes, tokens), { ...size, partitions });
      },
      isDrawn: true,
    }),
  ),
  {
    name: "3: dealt at random",
    parameters: partitionCounts,
    metadataBytes: (partitions) => partitions * nodeBytes,
    draw: (prng, partitions) => dealt(prng, { ...size, partitions }),
    isDrawn: true,
  },
  {
    name: "3: by our claim",
    parameters: partitionCounts,
    metadataBytes: (partitions) => partitions * size.copies * nodeBytes,
    draw: (_, partitions) => claimed({ ...size, partitions }),
    isDrawn: false,
  },
];

function measure({ parameters, metadataBytes, draw, isDrawn }: Strategy, seed: number, most: number): Measured[] {
  return parameters.map((parameter) => {
    const count = isDrawn ? most : 1;
    const efficiencies = Array.from({ length: count }, (_, i) => {
      return efficiencyOf(sharesOf(draw(new Prng(seed + i, `figure 8, ${parameter}`), parameter)));
    }).sort((a, b) => a - b);
    const at = (share: number): number => efficiencies[Math.floor(share * (count - 1))] as number;
    return {
      metadataBytes: metadataBytes(parameter),
      parameter,
      mean: efficiencies.reduce((sum, one) => sum + one, 0) / count,
      least: at(0.05),
      most: at(0.95),
    };
  });
}

/** Those that take no time. */
function few({ parameters }: Strategy): readonly number[] {
  return parameters.filter((parameter) => parameter <= 256);
}

async function run({ seed, isBrief }: FigureOptions): Promise<FigureResult> {
  const data = strategies.map((strategy) => ({
    strategy: strategy.name,
    points: isBrief ? measure({ ...strategy, parameters: few(strategy) }, seed, 10) : measure(strategy, seed, draws),
  }));
  const lines = data.map(
    ({ strategy, points }): Line => ({
      name: strategy,
      // It lies on the first one.
      dashed: strategy.endsWith("8ST"),
      points: points.map(({ metadataBytes, mean }) => [metadataBytes, mean] as const),
      band: points.map(({ least, most }) => [least, most] as const),
    }),
  );
  const rows = data.flatMap(({ strategy, points }) =>
    points.map(({ metadataBytes, parameter, mean, least, most }) => [
      strategy,
      String(parameter),
      String(metadataBytes),
      mean.toFixed(3),
      `${least.toFixed(3)}-${most.toFixed(3)}`,
    ]),
  );
  return {
    lines: columns([["strategy", "T or Q", "bytes", "efficiency", "of 90 % of draws"], ...rows]),
    data: { ...size, draws: isBrief ? 10 : draws, strategies: data },
    pictures: {
      "": chartOf({
        title: "Load balancing efficiency over size of metadata",
        below: `S = ${size.nodes} nodes, N = ${size.copies}; mean load over greatest; bands: nine tenths of ${isBrief ? 10 : draws} draws`,
        across: { label: "metadata at each node, bytes", scale: "log" },
        panels: [{ axis: { label: "", scale: "linear", from: 0, to: 1 }, lines }],
      }),
    },
  };
}

export const figure8: Figure = {
  name: "figure-8",
  title: "Figure 8: load balancing efficiency of strategies 1, 2 and 3",
  run,
};
