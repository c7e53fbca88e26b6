/** What each figure of the evaluation is to the command that runs it: options in, text, data and pictures out. */

export interface FigureOptions {
  /** How long loads run, in s; the figure's own where absent. Figures that only compute have none. */
  readonly seconds: number | undefined;
  readonly seed: number;
  readonly storage: "lmdb" | "log" | "memory";
  /** Where nodes that are started may have their data. */
  readonly directory: string;
  /** Less of everything: to see that a figure runs, not what it shows. */
  readonly isBrief: boolean;
  readonly tell: (line: string) => void;
}

export interface FigureResult {
  /** For people. */
  readonly lines: readonly string[];
  /** All of it, as JSON. */
  readonly data: unknown;
  /** SVG texts by what tells them apart; the name of the figure's only one is empty. */
  readonly pictures: Readonly<Record<string, string>>;
}

export interface Figure {
  /** As it is asked for, and what its files are called. */
  readonly name: string;
  readonly title: string;
  run(options: FigureOptions): Promise<FigureResult>;
}

/** Columns that are as wide as they must be; all but the first to the right. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
