// What the coordinator's metrics say of the turns of its event loops. Adapter (HTTP).

import type { GcKind } from '../../common/runtime/gc-pauses.ts';
import { lagBucketsSeconds } from '../../common/runtime/lag.ts';
import { summarize, type Summary } from '../statistics.ts';

/** By bucket, each with those of the lower ones, as Prometheus counts; the last is all. */
interface Counts {
  readonly wall: readonly number[];
  readonly cpu: readonly number[];
  readonly own: readonly number[];
  /** Collections. */
  readonly minor: readonly number[];
  readonly major: readonly number[];
}

/** Of one thread; milliseconds. Undefined where there was none of 2 ms. */
export type ThreadTurns = { readonly [Metric in keyof Counts]: Summary | undefined };

export async function readTurns(
  admin: string,
): Promise<{ readonly main: Counts; readonly door: Counts }> {
  const response = await fetch(`${admin}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  return { main: readThread(text, 'main'), door: readThread(text, 'door') };
}

function readThread(text: string, thread: string): Counts {
  const read = (metric: string, labels = ''): readonly number[] =>
    [...lagBucketsSeconds.map(String), '+Inf'].map((bound) => {
      const line = `${metric}_bucket{le="${bound}",thread="${thread}"${labels}} `;
      const at = text.indexOf(line);
      return at < 0 ? 0 : Number.parseFloat(text.slice(at + line.length));
    });
  const pauses = (kind: GcKind): readonly number[] =>
    read('mesh_event_loop_gc_pause_seconds', `,kind="${kind}"`);
  const incremental = pauses('incremental');
  return {
    wall: read('mesh_event_loop_turn_seconds'),
    cpu: read('mesh_event_loop_turn_cpu_seconds'),
    own: read('mesh_event_loop_turn_own_cpu_seconds'),
    minor: pauses('minor'),
    major: pauses('major').map((count, index) => count + (incremental[index] ?? 0)),
  };
}

/** What came between the two. */
export function summarizeThread(before: Counts, after: Counts): ThreadTurns {
  const of = (metric: keyof Counts): Summary | undefined =>
    summarizeBuckets(before[metric], after[metric]);
  return {
    wall: of('wall'),
    cpu: of('cpu'),
    own: of('own'),
    minor: of('minor'),
    major: of('major'),
  };
}

/** Every turn as long as its bucket allows. */
function summarizeBuckets(
  before: readonly number[],
  after: readonly number[],
): Summary | undefined {
  const values: number[] = [];
  let lower = 0;
  after.forEach((count, index) => {
    const upTo = count - (before[index] ?? 0);
    const ms = (lagBucketsSeconds[index] ?? Number.POSITIVE_INFINITY) * 1000;
    for (let each = lower; each < upTo; each += 1) values.push(ms);
    lower = upTo;
  });
  return summarize(values);
}
