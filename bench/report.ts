// How results are printed: a table for people, one JSON object for programs.

import { cpus, loadavg, totalmem } from 'node:os';
import { toTimestamp, type Clock } from '../common/runtime/clock.ts';
import type { Summary } from './statistics.ts';

export interface Measure {
  readonly name: string;
  /** Milliseconds; undefined when nothing was measured. */
  readonly summary: Summary | undefined;
  /** The percentile that has a bound, and the bound. */
  readonly goal?: { readonly of: 'p99' | 'max'; readonly ms: number };
}

export interface Conditions {
  readonly date: string;
  readonly node: string;
  readonly cpus: string;
  readonly memoryMiB: number;
  /** One-minute load average before and after, other programs' included. */
  readonly load: readonly [number, number];
}

export interface Report {
  readonly bench: string;
  readonly settings: Readonly<Record<string, number>>;
  readonly conditions: Conditions;
  readonly measures: readonly Measure[];
  /** Further facts, named with their unit. */
  readonly facts: Readonly<Record<string, number>>;
}

/** Called at the start; the returned function completes the conditions at the end. */
export function noteConditions(clock: Clock): () => Conditions {
  const before = loadNow();
  const date = toTimestamp(clock.now());
  return () => ({
    date,
    node: process.version,
    cpus: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    load: [before, loadNow()],
  });
}

function loadNow(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

export function toJson(report: Report): string {
  const measures = report.measures.map(({ name, summary, goal }) => ({
    name,
    unit: 'ms',
    ...(summary === undefined ? { count: 0 } : roundAll(summary)),
    ...(goal === undefined ? {} : { goal: { ...goal, isMet: isMet(summary, goal) } }),
  }));
  return JSON.stringify({ ...report, measures });
}

export function toTable(report: Report): string {
  const head = ['milliseconds', 'n', 'min', 'p50', 'p90', 'p99', 'max', 'goal'];
  const rows = report.measures.map(({ name, summary, goal }) => [
    name,
    String(summary?.count ?? 0),
    ...(['min', 'p50', 'p90', 'p99', 'max'] as const).map((field) =>
      summary === undefined ? '-' : summary[field].toFixed(1),
    ),
    goal === undefined ? '' : `${goal.of} ${goal.ms}: ${isMet(summary, goal) ? 'met' : 'MISSED'}`,
  ]);
  const { conditions, settings, facts } = report;
  return [
    `${report.bench}: ${pairs(settings)}`,
    `${conditions.date}, Node ${conditions.node}, ${conditions.cpus}, load ${conditions.load.join(' -> ')}`,
    '',
    ...align([head, ...rows]),
    '',
    ...align(Object.entries(facts).map(([name, value]) => [name, String(value)])),
  ].join('\n');
}

function isMet(summary: Summary | undefined, goal: NonNullable<Measure['goal']>): boolean {
  return summary !== undefined && summary[goal.of] <= goal.ms;
}

function roundAll(summary: Summary): Record<string, number> {
  return Object.fromEntries(
    Object.entries(summary).map(([name, value]) => [name, Math.round(Number(value) * 10) / 10]),
  );
}

function pairs(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}

/** Columns under each other: the first to the left, the others to the right. */
function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
