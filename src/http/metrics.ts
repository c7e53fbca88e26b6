/**
 * What `/metrics` says: the node's own counters, how long requests over HTTP took, and the process's vital signs.
 *
 * The node counts in plain numbers, which cost nothing on the hot path; they become Prometheus's only when somebody
 * asks. So do requests over HTTP (`durations.ts`).
 */

import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { MetricSample } from "../node/api.ts";
import { Durations } from "./durations.ts";

/** One registry a process: its collectors watch the whole process, and cannot be stopped once started. */
let processRegistry: Registry | undefined;

function processMetrics(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
    countFromTheStart(processRegistry);
  }
  return processRegistry;
}

/** The collectors begin with the first scrape; what the process had used by then belongs to its totals, too. */
function countFromTheStart(registry: Registry): void {
  const { user, system } = process.cpuUsage();
  const used = { process_cpu_user_seconds_total: user, process_cpu_system_seconds_total: system };
  for (const [name, micros] of Object.entries({ ...used, process_cpu_seconds_total: user + system })) {
    const metric = registry.getSingleMetric(name);
    if (metric instanceof Counter) metric.inc(micros / 1e6);
  }
}

export class HttpMetrics {
  readonly #durations = new Durations(
    "cartwheel_http_request_duration_seconds",
    "Time from a request's arrival until its answer was given to its connection",
  );

  /** The text format's media type. */
  get contentType(): string {
    return processMetrics().contentType;
  }

  /** Counts one answer; `route` is the path's template, so that keys never become labels. */
  observe(method: string, route: string, status: number, durationMs: number): void {
    this.#durations.observe(method, route, status, durationMs);
  }

  /** Everything, with the node's samples, in the text format. */
  async text(samples: readonly MetricSample[]): Promise<string> {
    const [node, vital] = await Promise.all([nodeRegistry(samples).metrics(), processMetrics().metrics()]);
    return [node, this.#durations.text(), vital]
      .filter((text) => text.trim() !== "")
      .map(withoutUnmeasured)
      .join("\n");
  }
}

/**
 * Where nothing was measured since the last scrape, or ever, prom-client says that the event loop's mean delay is not a
 * number, and its least one the largest that it can count to, three hundred years. Such samples are left out.
 */
function withoutUnmeasured(text: string): string {
  return text.replace(/^[^#\n].* (?:NaN|Nan)\n|^nodejs_eventloop_lag_min_seconds 9223372036\..*\n/gm, "");
}

/** The samples as a registry of their own, made anew for each scrape: a counter of prom-client cannot be set. */
function nodeRegistry(samples: readonly MetricSample[]): Registry {
  const registry = new Registry();
  const metrics = new Map<string, Counter | Gauge>();
  for (const sample of samples) {
    let metric = metrics.get(sample.name);
    if (metric === undefined) {
      const labelNames = labelsOf(samples, sample.name);
      const settings = { name: sample.name, help: sample.help, labelNames, registers: [registry] };
      metric = sample.kind === "counter" ? new Counter(settings) : new Gauge(settings);
      metrics.set(sample.name, metric);
    }
    metric.inc({ ...sample.labels }, sample.value);
  }
  return registry;
}

function labelsOf(samples: readonly MetricSample[], name: string): string[] {
  return [...new Set(samples.filter((sample) => sample.name === name).flatMap((sample) => Object.keys(sample.labels)))];
}
