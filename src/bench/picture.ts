/**
 * A run as a picture: an SVG file with latencies over time, and by share of operations, both on logarithmic scales, so
 * that a median of 1 ms and a stall of 1 s are both seen. Written by hand: it is lines, circles and text.
 */

import { milliseconds, type Report } from "./report.ts";

interface Panel {
  readonly title: string;
  readonly left: number;
  readonly lines: readonly Line[];
  /** Marks of the horizontal axis, at 0 to 1. */
  readonly marks: readonly { readonly at: number; readonly text: string }[];
}

interface Line {
  readonly name: string;
  readonly color: string;
  /** Places at 0 to 1 of the width, and latencies in us. */
  readonly points: readonly (readonly [at: number, us: number])[];
}

const size = { width: 1120, height: 440 } as const;
const panel = { width: 460, height: 300, top: 80 } as const;
const colors = ["#1b6ca8", "#e08e0b", "#c0392b", "#7f8c8d"] as const;

/** The picture's text. */
export function pictureOf(report: Report): string {
  const panels = [overTime(report, 60), byShare(report, 620)];
  const all = panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(([, us]) => us)));
  const scale = logScale(all);
  const title = `${report.target}: ${report.description}`;
  const below = `${Math.round(report.perSecond)} operations a second, ${drivenBy(report)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${size.width}" height="${size.height}" fill="white"/>`,
    text(60, 28, title, 'font-size="15" font-weight="bold"'),
    text(60, 48, below),
    ...panels.flatMap((one) => draw(one, scale)),
    "</svg>",
    "",
  ].join("\n");
}

function drivenBy({ loop, cpu }: Report): string {
  const driven = loop.kind === "closed" ? `${loop.inFlight} in flight` : "each from when it was due";
  return cpu.all === null ? driven : `${driven}, ${cpu.all.toFixed(1)} us of CPU time each`;
}

function overTime({ timeline }: Report, left: number): Panel {
  const last = Math.max(1, timeline.at(-1)?.second ?? 1);
  const of = (name: string, color: string, pick: (interval: Report["timeline"][number]) => number): Line => ({
    name,
    color,
    points: timeline.map((interval) => [interval.second / last, pick(interval)]),
  });
  const marks = [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, text: `${(at * last).toFixed(last < 8 ? 1 : 0)} s` }));
  return {
    title: "latency over time",
    left,
    marks,
    lines: [
      of("p50", colors[0], ({ p50 }) => p50),
      of("p99", colors[1], ({ p99 }) => p99),
      of("p99.9", colors[2], ({ p999 }) => p999),
      of("max", colors[3], ({ max }) => max),
    ],
  };
}

/** Shares at equal steps of nines: 90, 99, 99.9 and 99.99 are equally far from each other. */
function byShare({ latency, byKind }: Report, left: number): Panel {
  const nines = (percent: number): number => -Math.log10(1 - percent / 100) / 4;
  const kinds = Object.entries(byKind);
  return {
    title: "latency by share of operations",
    left,
    marks: [50, 90, 99, 99.9, 99.99].map((percent) => ({ at: nines(percent), text: `${percent} %` })),
    lines: (kinds.length > 0 ? kinds : [["all", latency] as const]).map(([name, { percentiles }], i) => ({
      name,
      color: colors[i % colors.length] as string,
      points: Object.entries(percentiles)
        .map(([percent, us]) => [nines(Number(percent)), us] as const)
        .sort(([a], [b]) => a - b),
    })),
  };
}

interface Scale {
  /** 0 at the bottom to 1. */
  at(us: number): number;
  readonly marks: readonly number[];
}

function logScale(values: readonly number[]): Scale {
  const logs = values.filter((us) => us > 0).map((us) => Math.log10(us));
  const low = logs.reduce((least, log) => Math.min(least, Math.floor(log)), 9);
  const from = Math.min(low, 8);
  const to = logs.reduce((most, log) => Math.max(most, Math.ceil(log)), from + 1);
  return {
    at: (us) => (Math.log10(Math.max(us, 10 ** from)) - from) / (to - from),
    marks: Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i)),
  };
}

function draw({ title, left, lines, marks }: Panel, scale: Scale): readonly string[] {
  const { width, height, top } = panel;
  const x = (at: number): string => (left + at * width).toFixed(1);
  const y = (us: number): string => (top + height - scale.at(us) * height).toFixed(1);
  const grid = scale.marks.flatMap((us) => [
    `<line x1="${left}" x2="${left + width}" y1="${y(us)}" y2="${y(us)}" stroke="#ddd"/>`,
    text(left - 6, Number(y(us)) + 4, `${milliseconds(us)}`, 'text-anchor="end"'),
  ]);
  return [
    text(left, top - 10, `${title}, ms`),
    ...grid,
    ...marks.map(({ at, text: mark }) => text(Number(x(at)), top + height + 18, mark, 'text-anchor="middle"')),
    ...lines.flatMap(({ name, color, points }, i) => [
      `<polyline fill="none" stroke="${color}" stroke-width="1.5" points="${points.map(([at, us]) => `${x(at)},${y(us)}`).join(" ")}"/>`,
      ...points.map(([at, us]) => `<circle cx="${x(at)}" cy="${y(us)}" r="2" fill="${color}"/>`),
      text(left + 10 + i * 80, top + height + 40, name, `fill="${color}"`),
    ]),
  ];
}

function text(x: number, y: number, what: string, more = ""): string {
  const safe = what.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" ${more}>${safe}</text>`;
}
