/**
 * The evaluation of the paper, repeated: each of its figures and tables that can be, printed, and left as JSON and SVG.
 *
 *     npm run bench:paper [-- figure-8 contexts ...] [--out DIR] [--seconds 300] [--seed 1] [--storage lmdb|log|memory]
 *
 * Without names, all of them: that takes some twenty minutes, and means something on a machine that does nothing else.
 * What was seen, beside what the paper has: docs/evaluation.md.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { contexts } from "./contexts.ts";
import type { Figure, FigureOptions } from "./figure.ts";
import { figure4 } from "./figure-4.ts";
import { figure5 } from "./figure-5.ts";
import { figure6 } from "./figure-6.ts";
import { figure8 } from "./figure-8.ts";
import { describeMachine } from "./machine.ts";
import { table2 } from "./table-2.ts";
import { versions } from "./versions.ts";

const figures: readonly Figure[] = [figure4, figure5, figure6, figure8, table2, versions, contexts];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string", default: "bench-paper" },
    data: { type: "string", default: tmpdir() },
    seconds: { type: "string" },
    seed: { type: "string", default: "1" },
    storage: { type: "string", default: "lmdb" },
    brief: { type: "boolean", default: false },
  },
});

/** What is wrong with what was asked for, or undefined. */
function flaw(): string | undefined {
  const unknown = positionals.find((name) => !figures.some((figure) => figure.name === name));
  if (unknown !== undefined)
    return `no figure is called ${unknown}; there are ${figures.map(({ name }) => name).join(", ")}`;
  if (!["lmdb", "log", "memory"].includes(values.storage)) return "--storage is lmdb, log or memory";
  if (!Number.isSafeInteger(Number(values.seed))) return "--seed is a whole number";
  if (values.seconds !== undefined && !(Number(values.seconds) > 0)) return "--seconds is a number above 0";
  return undefined;
}

/** What repeats the figure: where files are to be makes no difference. */
function commandOf({ name }: Figure): string {
  const { seconds, seed, storage, brief } = values;
  const given = [
    ...(seconds === undefined ? [] : [`--seconds ${seconds}`]),
    ...(seed === "1" ? [] : [`--seed ${seed}`]),
    ...(storage === "lmdb" ? [] : [`--storage ${storage}`]),
    ...(brief ? ["--brief"] : []),
  ];
  return ["npm run bench:paper --", name, ...given].join(" ");
}

async function runAll(): Promise<void> {
  const out = resolve(values.out);
  const options: FigureOptions = {
    seconds: values.seconds === undefined ? undefined : Number(values.seconds),
    seed: Number(values.seed),
    storage: values.storage as FigureOptions["storage"],
    directory: resolve(values.data),
    isBrief: values.brief,
    tell: (line) => process.stderr.write(`${line}\n`),
  };
  await mkdir(out, { recursive: true });
  for (const figure of figures) {
    if (positionals.length > 0 && !positionals.includes(figure.name)) continue;
    const { lines, data, pictures } = await figure.run(options);
    process.stdout.write(`${figure.title}\n\n${lines.join("\n")}\n\n`);
    const record = { figure: figure.title, command: commandOf(figure), machine: await describeMachine(), data };
    await writeFile(join(out, `${figure.name}.json`), `${JSON.stringify(record, undefined, 1)}\n`);
    for (const [what, svg] of Object.entries(pictures)) {
      await writeFile(join(out, `${figure.name}${what === "" ? "" : `-${what}`}.svg`), svg);
    }
  }
  process.stdout.write(`JSON and pictures are in ${out}\n`);
}

const wrong = flaw();
if (wrong === undefined) await runAll();
else {
  process.stderr.write(`bench:paper: ${wrong}\n`);
  process.exitCode = 2;
}
