// Phases of the lag bench as a table, each held against the bound. Pure.

import type { Grid } from '../report.ts';
import type { Summary } from '../statistics.ts';
import type { ExecutedTurn } from './executed-time.ts';
import type { ThreadTurns } from './lag-turns.ts';

const goalMs = 10; // I11

export interface Phase {
  readonly name: string;
  /** sharedMs(). */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly main: ThreadTurns;
  /** The thread that has the connections. */
  readonly door: ThreadTurns;
  /** How late the timer of a process was that does nothing. */
  readonly idle: Summary | undefined;
}

/** `turns`: the long ones of all phases, undefined where nobody could look. */
export function toTable(
  phases: readonly Phase[],
  turns: readonly ExecutedTurn[] | undefined,
): { readonly grid: Grid; readonly facts: Readonly<Record<string, number>> } {
  const rows = phases.map((phase) => ({ phase, executed: turns && turnsOf(phase, turns) }));
  const head = [
    'milliseconds',
    'turns',
    'CPU p90',
    'CPU max',
    'executed',
    'own max',
    'young GC',
    'old GC',
    'door CPU max',
    'executed',
    'own max',
    'old GC',
    'wall max',
    'idle process',
    `max ${goalMs}`,
  ];
  const count = (isCounted: (row: (typeof rows)[number]) => boolean): number =>
    rows.filter(isCounted).length;
  return {
    grid: { head, rows: rows.map(toRow) },
    facts: {
      'phases over 10 ms': count(({ phase }) => isOver(phase.main.cpu)),
      'phases over 10 ms by our own code': count(({ phase }) => isOver(phase.main.own)),
      'phases over 10 ms at the door': count(({ phase }) => isOver(phase.door.cpu)),
      'phases over 10 ms at the door by its own code': count(({ phase }) => isOver(phase.door.own)),
      ...(turns !== undefined && {
        'phases over 10 ms of what was executed': count(
          ({ executed }) => longest(executed, 'main') > goalMs,
        ),
        'phases over 10 ms of what was executed at the door': count(
          ({ executed }) => longest(executed, 'door') > goalMs,
        ),
      }),
    },
  };
}

function turnsOf(phase: Phase, turns: readonly ExecutedTurn[]): readonly ExecutedTurn[] {
  return turns.filter(({ fromMs, untilMs }) => untilMs > phase.fromMs && fromMs < phase.untilMs);
}

type Executed = readonly ExecutedTurn[] | undefined;

/** Milliseconds; 0 where no turn was long. */
function longest(executed: Executed, thread: string): number {
  const own = (executed ?? []).filter((turn) => turn.thread === thread);
  return Math.max(0, ...own.map(({ executedMs }) => executedMs));
}

function toRow(row: { readonly phase: Phase; readonly executed: Executed }): Grid['rows'][number] {
  const { phase, executed } = row;
  const { main, door } = phase;
  const executedMax = (thread: string): number | string =>
    rounded(longest(executed, thread)) || '-';
  return [
    phase.name,
    main.cpu?.count ?? 0,
    main.cpu?.p90 ?? '-',
    maxOf(main.cpu),
    executedMax('main'),
    maxOf(main.own),
    maxOf(main.minor),
    maxOf(main.major),
    maxOf(door.cpu),
    executedMax('door'),
    maxOf(door.own),
    maxOf(door.major),
    maxOf(main.wall),
    maxOf(phase.idle),
    judge(phase, executed),
  ];
}

/** What the machine stood still is nobody's: where it is known, what was executed decides. */
function judge({ main, door }: Phase, executed: Executed): string {
  if (![main, door].some(({ cpu }) => isOver(cpu))) return 'met';
  const isOwn = [main, door].some(({ own }) => isOver(own));
  if (executed === undefined) return isOwn ? 'MISSED' : 'missed by collecting';
  const over = executed.filter(({ executedMs }) => executedMs > goalMs);
  if (over.length === 0) return 'met, stood still';
  return over.some(({ ownMs }) => ownMs > goalMs) ? 'MISSED' : 'missed by collecting';
}

function isOver(summary: Summary | undefined): boolean {
  return summary !== undefined && summary.max > goalMs;
}

function maxOf(summary: Summary | undefined): number | string {
  return summary === undefined ? '-' : rounded(summary.max);
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
