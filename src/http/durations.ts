/**
 * How long requests over HTTP took, by method, route and status, as Prometheus has histograms.
 *
 * Hot path: counted in plain numbers, and made text of when somebody asks. Finding the series of a request by its labels,
 * as a library must that knows no more of them, costs more than counting.
 */

/** Upper bounds of the buckets, in seconds. */
const boundsSeconds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const boundsMs = boundsSeconds.map((seconds) => seconds * 1000);

interface Series {
  readonly labels: string;
  /** By bucket, each without those before it; what is above the last bound is in `count` alone. */
  readonly counts: number[];
  count: number;
  sumMs: number;
}

export class Durations {
  readonly #name: string;
  readonly #help: string;
  /** By route, and then by method and status. Few: keys never become labels. */
  readonly #series: Map<string, Map<string, Series>> = new Map();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  /** Counts one answer; `route` is the path's template. */
  observe(method: string, route: string, status: number, tookMs: number): void {
    const series = this.#of(method, route, status);
    series.count += 1;
    series.sumMs += tookMs;
    for (let i = 0; i < boundsMs.length; i++) {
      if (tookMs > (boundsMs[i] as number)) continue;
      series.counts[i] = (series.counts[i] as number) + 1;
      return;
    }
  }

  /** In Prometheus's text format. */
  text(): string {
    const lines = [`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} histogram`];
    for (const ofRoute of this.#series.values()) {
      for (const series of ofRoute.values()) lines.push(...this.#lines(series));
    }
    return `${lines.join("\n")}\n`;
  }

  #lines({ labels, counts, count, sumMs }: Series): string[] {
    let below = 0;
    const buckets = boundsSeconds.map((bound, i) => {
      below += counts[i] as number;
      return `${this.#name}_bucket{le="${bound}",${labels}} ${below}`;
    });
    const all = `${this.#name}_bucket{le="+Inf",${labels}} ${count}`;
    const sum = `${this.#name}_sum{${labels}} ${sumMs / 1000}`;
    return [...buckets, all, sum, `${this.#name}_count{${labels}} ${count}`];
  }

  #of(method: string, route: string, status: number): Series {
    let ofRoute = this.#series.get(route);
    if (ofRoute === undefined) {
      ofRoute = new Map();
      this.#series.set(route, ofRoute);
    }
    const key = method + status;
    let series = ofRoute.get(key);
    if (series === undefined) {
      const labels = `method="${method}",route="${route}",status="${status}"`;
      series = { labels, counts: boundsMs.map(() => 0), count: 0, sumMs: 0 };
      ofRoute.set(key, series);
    }
    return series;
  }
}
