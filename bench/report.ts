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

/** The same work done by us and by a peer, in turn. */
export interface Comparison {
  readonly name: string;
  /** Of `ours` and `theirs`, such as `requests/s`. */
  readonly unit: string;
  /** Whether more or less of it is ahead. */
  readonly isMoreBetter: boolean;
  /** Medians over the rounds. */
  readonly ours: number;
  readonly theirs: number | undefined;
  /** How many times ahead we are: median of the rounds' own ratios, below 1 when behind. */
  readonly ahead: number | undefined;
  /** CPU of the server's processes for one of these, milliseconds. */
  readonly oursCpuMs?: number;
  readonly theirsCpuMs?: number | undefined;
}

/** One row per thing that was looked at, in numbers that no summary holds. */
export interface Grid {
  /** Of the columns; the first is of what the rows are. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly [string, ...(number | string)[]])[];
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
  readonly comparisons?: readonly Comparison[];
  readonly grid?: Grid;
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
    ...(rows.length === 0 ? [] : [...align([head, ...rows]), '']),
    ...toComparisonLines(report.comparisons ?? []),
    ...toGridLines(report.grid),
    ...align(Object.entries(facts).map(([name, value]) => [name, String(value)])),
  ].join('\n');
}

function toComparisonLines(comparisons: readonly Comparison[]): readonly string[] {
  if (comparisons.length === 0) return [];
  const head = ['', 'unit', 'ours', 'theirs', 'ahead', 'ours CPU ms', 'theirs CPU ms'];
  const rows = comparisons.map((each) => [
    each.name,
    each.unit,
    toShort(each.ours),
    toShort(each.theirs),
    each.ahead === undefined ? '-' : `${each.ahead.toFixed(2)}x${each.ahead < 1 ? ' BEHIND' : ''}`,
    toShort(each.oursCpuMs),
    toShort(each.theirsCpuMs),
  ]);
  return [...align([head, ...rows]), ''];
}

function toGridLines(grid: Grid | undefined): readonly string[] {
  if (grid === undefined) return [];
  return [...align([grid.head, ...grid.rows.map((row) => row.map(String))]), ''];
}

function toShort(value: number | undefined): string {
  if (value === undefined) return '-';
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
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
