/** §4.4: how many entries and bytes a key's context has, under the paper's bound alone and with what the product does besides. */

import { columns, type Figure, type FigureOptions, type FigureResult } from "./figure.ts";
import { chartOf } from "./models/chart.ts";
import { contextSizes, histories, rules } from "./models/context-history.ts";

const writes = 20_000;
/** Points of a line in the picture. */
const points = 200;
/** The picture shows this history: nothing but pruning and compaction bounds it. */
const drawn = 1;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

async function run({ seed, isBrief }: FigureOptions): Promise<FigureResult> {
  const count = isBrief ? 1000 : writes;
  const runs = histories.map((history) => ({
    history: history.name,
    rules: rules.map((rule) => ({ rule: rule.name, sizes: contextSizes(history, rule, count, seed) })),
  }));
  const rows = runs.flatMap(({ history, rules: under }) => [
    [history],
    ...under.map(({ rule, sizes: { entries, bytes, pruned } }) => [
      `  ${rule}`,
      mean(entries).toFixed(1),
      String(greatest(entries)),
      mean(bytes).toFixed(0),
      String(greatest(bytes)),
      String(pruned),
    ]),
  ]);
  const every = Math.ceil(count / points);
  const shown = runs[drawn];
  return {
    lines: columns([[`${count} writes of one key`, "entries mean", "most", "bytes mean", "most", "pruned"], ...rows]),
    data: runs.map(({ history, rules: under }) => ({
      history,
      writes: count,
      rules: under.map(({ rule, sizes: { entries, bytes, pruned } }) => ({
        rule,
        entries: { mean: mean(entries), most: greatest(entries) },
        bytes: { mean: mean(bytes), most: greatest(bytes) },
        pruned,
      })),
    })),
    pictures: {
      "": chartOf({
        title: "Entries of a key's context over its writes",
        below: shown?.history ?? "",
        across: { label: "writes", scale: "linear" },
        panels: [
          {
            axis: { label: "entries", scale: "log" },
            lines: (shown?.rules.filter(({ rule }) => rule !== "compacted") ?? []).map(({ rule, sizes }) => ({
              name: rule,
              points: Array.from({ length: Math.floor(count / every) }, (_, i) => {
                return [(i + 1) * every, mean(sizes.entries.slice(i * every, (i + 1) * every))] as const;
              }),
            })),
          },
        ],
      }),
    },
  };
}

export const contexts: Figure = { name: "contexts", title: "§4.4: sizes of contexts", run };
