// Metrics behind a small port, so that stages count without knowing Prometheus. Names follow
// mesh_<stage>_<noun>_<unit>; labels come from closed sets and never hold Service names.

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Clock } from './clock.ts';
import { restOf } from './rest.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  /** Adds `by` (default 1) to a counter; declared at first use. */
  count(name: string, labels?: Labels, by?: number): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Labels): void;
  /** Takes away what a gauge says of labels that are no more. */
  readonly forget?: (name: string, labels: Labels) => void;
  /**
   * Observes seconds (or bytes, by the name's unit) in a histogram; its first use says where its
   * buckets end, default 1 ms to 30 s.
   */
  observe(name: string, value: number, labels?: Labels, buckets?: readonly number[]): void;
  /** Prometheus text format 0.0.4; absent where nothing is kept. */
  readonly expose?: () => Promise<string>;
}

export interface MetricsRegistry extends Metrics {
  readonly expose: () => Promise<string>;
}

const secondsBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

/**
 * Of Node's own, left out: what looks at every handle of the process at each scrape, which is a long
 * turn with thousands of connections, and the lag of the event loop, which lag.ts tells better. Its
 * timer would wake the process a hundred times a second, some 2 % of a core; it cannot be switched
 * off, but it can be rare.
 */
const leftOut = /^nodejs_(?:active|eventloop_lag)_/;
const rareMs = 3_600_000;

export interface MetricsOptions {
  /** With what Node tells of the process. */
  readonly withProcess: boolean;
  readonly clock: Pick<Clock, 'monotonicMs' | 'soon'>;
}

/** A registry of its own. What it exposes is written over many turns of the event loop (I11). */
export function createMetrics({ withProcess, clock }: MetricsOptions): MetricsRegistry {
  const registry = new Registry();
  if (withProcess) collectProcess(registry);
  const rest = restOf(clock);
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  return {
    count: (name, labels = {}, by = 1) => {
      const counter = known(counters, name, () => new Counter(declare(name, labels, registry)));
      counter.inc(labels, by);
    },
    gauge: (name, value, labels = {}) => {
      const gauge = known(gauges, name, () => new Gauge(declare(name, labels, registry)));
      gauge.set(labels, value);
    },
    forget: (name, labels) => gauges.get(name)?.remove(labels),
    observe: (name, value, labels = {}, buckets = secondsBuckets) => {
      const histogram = known(
        histograms,
        name,
        () => new Histogram({ ...declare(name, labels, registry), buckets: [...buckets] }),
      );
      histogram.observe(labels, value);
    },
    expose: async () => {
      const texts: string[] = [];
      for (const { name } of registry.getMetricsAsArray()) {
        await rest();
        texts.push(await registry.getSingleMetricAsString(name));
      }
      return `${texts.join('\n\n')}\n`;
    },
  };
}

function collectProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: rareMs });
  for (const { name } of registry.getMetricsAsArray()) {
    if (leftOut.test(name)) registry.removeSingleMetric(name);
  }
}

function known<M>(all: Map<string, M>, name: string, create: () => M): M {
  let metric = all.get(name);
  if (metric === undefined) {
    metric = create();
    all.set(name, metric);
  }
  return metric;
}

function declare(name: string, labels: Labels, registry: Registry) {
  return {
    name,
    help: name.replaceAll('_', ' '),
    labelNames: Object.keys(labels),
    registers: [registry],
  };
}

/** Counts nothing; for tests and the simulation. */
export const silentMetrics: Metrics = {
  count: () => undefined,
  gauge: () => undefined,
  observe: () => undefined,
};
