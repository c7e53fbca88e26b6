/**
 * Pictures of the evaluation: panels under one another that share their horizontal axis, as an SVG file that is as
 * legible on a dark page as on a light one. Written by hand: it is lines and text.
 */

/** How values of an axis are laid out, and which of them are marked. */
export interface Axis {
  readonly label: string;
  readonly scale: "linear" | "log";
  /** Where it begins and ends, if not where the values do; a logarithmic one goes to whole powers of ten by itself. */
  readonly from?: number;
  readonly to?: number;
  /** What is marked, if not as it comes. */
  readonly marks?: readonly number[];
  /** Between two marks of a linear one, if not as it comes. */
  readonly step?: number;
  /** How a mark is written, if not as the number. */
  readonly write?: (value: number) => string;
}

export type Point = readonly [x: number, y: number];

export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
  /** Least and greatest of what the points are the middle of, in their order. */
  readonly band?: readonly (readonly [least: number, most: number])[];
  readonly dashed?: boolean;
}

export interface Panel {
  readonly axis: Axis;
  readonly lines: readonly Line[];
  /** As a share of a whole panel's height; 1 where absent. */
  readonly height?: number;
}

export interface Chart {
  readonly title: string;
  readonly below: string;
  readonly across: Axis;
  readonly panels: readonly Panel[];
}

const width = 760;
const left = 70;
const right = 24;
const top = 62;
const wholeHeight = 250;
const gap = 44;
const plotWidth: number = width - left - right;

const light = ["#1b6ca8", "#b4560a", "#a62a3a", "#2f7a35", "#6a4fa3", "#5f6b73"] as const;
const dark = ["#6cb6f5", "#f0a35e", "#ff8b93", "#7fcf86", "#bda5f0", "#a9b4bd"] as const;

/** The picture's text. */
export function chartOf({ title, below, across, panels }: Chart): string {
  const horizontal = scaleOf(
    across,
    panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(([x]) => x))),
  );
  const drawn: string[] = [];
  let at = top;
  let color = 0;
  for (const panel of panels) {
    const height = Math.round(wholeHeight * (panel.height ?? 1));
    at += (rowsOf(panel) - 1) * rowHeight;
    drawn.push(...drawPanel(panel, at, height, horizontal, color));
    color += panel.lines.length;
    at += height + gap;
  }
  const bottom = at - gap;
  const xMarks = horizontal.marks.map((x) => {
    return text(left + horizontal.at(x) * plotWidth, bottom + 18, written(across, x), 'text-anchor="middle"');
  });
  const total = bottom + 46;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${safe(title)}</title>`,
    style(),
    `<rect class="page" width="${width}" height="${total}"/>`,
    text(left, 22, title, 'font-size="15" font-weight="600"'),
    text(left, 40, below, 'class="faint"'),
    ...drawn,
    ...xMarks,
    text(left + plotWidth / 2, bottom + 36, across.label, 'text-anchor="middle"'),
    "</svg>",
    "",
  ].join("\n");
}

function style(): string {
  const rules = (colors: readonly string[], ink: string, faint: string, grid: string, page: string): string => {
    const each = colors.map((hue, i) => `.l${i}{stroke:${hue}}.t${i}{fill:${hue}}`).join("");
    return `text{fill:${ink}}.faint{fill:${faint}}.grid{stroke:${grid}}.page{fill:${page}}${each}`;
  };
  const day = rules(light, "#1f2328", "#59636e", "#dfe3e8", "#ffffff");
  const night = rules(dark, "#e6edf3", "#9aa5b1", "#30363d", "#0d1117");
  return `<style>${day}@media (prefers-color-scheme: dark){${night}}</style>`;
}

function drawPanel(panel: Panel, at: number, height: number, across: Scale, firstColor: number): string[] {
  const { axis, lines } = panel;
  const values = lines.flatMap(({ points, band = [] }) => [...points.map(([, y]) => y), ...band.flat()]);
  const scale = scaleOf(axis, values);
  const x = (value: number): string => (left + across.at(value) * plotWidth).toFixed(1);
  const y = (value: number): string => (at + height - scale.at(value) * height).toFixed(1);
  const grid = scale.marks.flatMap((mark) => [
    `<line class="grid" x1="${left}" x2="${left + plotWidth}" y1="${y(mark)}" y2="${y(mark)}"/>`,
    text(left - 6, Number(y(mark)) + 4, written(axis, mark), 'text-anchor="end"'),
  ]);
  const drawn = lines.flatMap(({ points, band, dashed }, i) => {
    const color = (firstColor + i) % light.length;
    const path = points.map(([px, py]) => `${x(px)},${y(py)}`).join(" ");
    const upper = points.map(([px], k) => `${x(px)},${y(band?.[k]?.[1] ?? 0)}`);
    const lower = points.map(([px], k) => `${x(px)},${y(band?.[k]?.[0] ?? 0)}`).reverse();
    return [
      ...(band === undefined
        ? []
        : [`<polygon class="t${color}" opacity="0.16" points="${[...upper, ...lower].join(" ")}"/>`]),
      `<polyline class="l${color}" fill="none" stroke-width="1.8"${dashed === true ? ' stroke-dasharray="5 4"' : ""} points="${path}"/>`,
    ];
  });
  return [...grid, ...drawn, ...legend(panel, at, firstColor)];
}

const rowHeight = 17;

/** Places of the lines' names: behind the axis' label, and in further rows where there is no room. */
function placesOf({ axis, lines }: Panel): readonly { readonly x: number; readonly row: number }[] {
  let x = axis.label === "" ? left : left + axis.label.length * 6.6 + 18;
  let row = 0;
  return lines.map(({ name }) => {
    const takes = 19 + name.length * 6.5 + 14;
    if (x + takes > width && x > left) {
      x = left;
      row += 1;
    }
    const place = { x, row };
    x += takes;
    return place;
  });
}

/** How many rows the names take. */
function rowsOf(panel: Panel): number {
  return (placesOf(panel).at(-1)?.row ?? 0) + 1;
}

/** The axis' label, and each line's name in its color, above the panel. */
function legend(panel: Panel, at: number, firstColor: number): string[] {
  const { axis, lines } = panel;
  const places = placesOf(panel);
  const first = at - 7 - (rowsOf(panel) - 1) * rowHeight;
  const names = lines.flatMap(({ name }, i) => {
    const color = (firstColor + i) % light.length;
    const { x, row } = places[i] as { readonly x: number; readonly row: number };
    const y = first + row * rowHeight;
    return [
      `<line class="l${color}" stroke-width="3" x1="${x.toFixed(1)}" x2="${(x + 14).toFixed(1)}" y1="${y - 4}" y2="${y - 4}"/>`,
      text(x + 19, y, name, `class="t${color}"`),
    ];
  });
  return [...(axis.label === "" ? [] : [text(left, first, axis.label)]), ...names];
}

interface Scale {
  /** 0 where the axis begins to 1 where it ends. */
  at(value: number): number;
  readonly marks: readonly number[];
}

function scaleOf(axis: Axis, values: readonly number[]): Scale {
  const scale = axis.scale === "log" ? logScale(axis, values) : linearScale(axis, values);
  return axis.marks === undefined ? scale : { ...scale, marks: axis.marks };
}

function linearScale({ from: begins, to: ends, step: wanted }: Axis, values: readonly number[]): Scale {
  const from = begins ?? values.reduce((least, value) => Math.min(least, value), 0);
  const most = ends ?? values.reduce((greatest, value) => Math.max(greatest, value), from);
  const step = wanted ?? niceStep((most - from) / 5);
  const to = ends ?? from + Math.max(1, Math.ceil((most - from) / step - 1e-9)) * step;
  const marks: number[] = [];
  for (let i = 0; from + i * step <= to + step * 1e-9; i++) marks.push(Number((from + i * step).toPrecision(12)));
  return { at: (value) => clamp((value - from) / (to - from)), marks };
}

/** 1, 2 or 5 times a power of ten, at least as much. */
function niceStep(least: number): number {
  if (!(least > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  const nice = [1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10;
  return nice * power;
}

function logScale({ from: begins, to: ends }: Axis, values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const least = begins ?? 10 ** Math.floor(Math.log10(positive.reduce((a, b) => Math.min(a, b), Number.MAX_VALUE)));
  const most = ends ?? 10 ** Math.ceil(Math.log10(positive.reduce((a, b) => Math.max(a, b), Number.MIN_VALUE)) - 1e-9);
  const from = Math.log10(least);
  const to = Math.max(Math.log10(most), from + 1e-9);
  const marks: number[] = [];
  for (let power = Math.ceil(from - 1e-9); power <= to + 1e-9; power++) marks.push(10 ** power);
  return { at: (value) => clamp((Math.log10(Math.max(value, least)) - from) / (to - from)), marks };
}

function clamp(at: number): number {
  return Math.min(1, Math.max(0, at));
}

function written({ write }: Axis, value: number): string {
  if (write !== undefined) return write(value);
  const short = (divisor: number): string => String(Number((value / divisor).toPrecision(6)));
  return value >= 1e6 ? `${short(1e6)}M` : value >= 1e4 ? `${short(1000)}k` : short(1);
}

function text(x: number, y: number, what: string, more = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${more === "" ? "" : ` ${more}`}>${safe(what)}</text>`;
}

function safe(what: string): string {
  return what.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
