// `npm run bench -- api --peer`: the API of a coordinator beside a kube-apiserver with etcd, the
// same requests by the same client, in turn, on the same machine. Both flush before they
// acknowledge. Rows are medians over paired rounds; the ratio is the median of each round's own.
//
// Afterwards both hold many Services at once, and their resident memory is read.

import { systemClock } from '../../common/runtime/clock.ts';
import type { BenchContext } from '../context.ts';
import { noteConditions, type Comparison, type Report } from '../report.ts';
import { toNumberSetting, type BenchDefinition } from '../settings.ts';
import { openHttp2Pool, type Http2Pool } from './http2-pool.ts';
import { cpuMsOf, rssMiBOf } from './process-usage.ts';
import { startOurs, startPeer, type Target } from './target.ts';
import { runMany, toService, workloads, type Stage, type Workload } from './workloads.ts';

export const api: BenchDefinition = {
  name: 'api',
  summary: 'How fast the Kubernetes API is; with --peer, beside a real kube-apiserver with etcd.',
  settings: [
    {
      name: 'peer',
      kind: 'switch',
      default: 'false',
      description: 'Also measure a kube-apiserver and an etcd, which `npm run peers` builds.',
    },
    toNumberSetting('rounds', 5, [1, 50], 'Rounds, each of all rows, ours and theirs in turn.'),
    toNumberSetting('services', 1000, [50, 10_000], 'Services in a round.'),
    toNumberSetting(
      'held',
      10_000,
      [0, 100_000],
      'Services held when memory is read; 0: not read.',
    ),
  ],
  measure: (values, context) =>
    measureApi(
      {
        isWithPeer: values.isOn('peer'),
        rounds: values.number('rounds') ?? 0, // all have defaults
        services: values.number('services') ?? 0,
        held: values.number('held') ?? 0,
      },
      context,
    ),
};

interface Command {
  readonly isWithPeer: boolean;
  readonly rounds: number;
  readonly services: number;
  readonly held: number;
}

/** One row of one round on one server. */
interface Sample {
  readonly perSecond: number;
  readonly cpuMs: number;
}

interface Side {
  readonly target: Target;
  readonly pool: Http2Pool;
  readonly watchPool: Http2Pool;
  /** By workload, one for each round. */
  readonly samples: Map<string, Sample[]>;
}

const sessions = 4;
const watchSessions = 10;

async function measureApi(command: Command, context: BenchContext): Promise<Report> {
  const { rounds, services, held, isWithPeer } = command;
  const { say } = context;
  const conditions = noteConditions(systemClock);
  say(isWithPeer ? 'starting a coordinator and a kube-apiserver' : 'starting a coordinator');
  const ours = await openSide(await startOurs(context), context);
  const theirs = isWithPeer ? await openSide(await startPeer(context), context) : undefined;
  const sides = theirs === undefined ? [ours] : [ours, theirs];
  // Round 0 warms both up and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    // Who begins changes from round to round.
    const order = round % 2 === 0 ? sides : [...sides].reverse();
    say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
    for (const side of order) await makeNamespace(side, `bench-${round}`);
    for (const workload of workloads) {
      for (const side of order) await runRow(side, workload, { services, round });
    }
  }
  const memory = held === 0 ? [] : await compareMemory(ours, theirs, { held, say });
  return {
    bench: api.name,
    settings: { rounds, services, held },
    conditions: conditions(),
    measures: [],
    comparisons: [...workloads.map((workload) => compareRow(workload, ours, theirs)), ...memory],
    facts: {},
  };
}

async function openSide(target: Target, { lifecycle }: BenchContext): Promise<Side> {
  const pool = await openHttp2Pool(target.credentials, sessions);
  const watchPool = await openHttp2Pool(target.credentials, watchSessions);
  lifecycle.onClose({ name: 'connections', close: () => pool.close() });
  lifecycle.onClose({ name: 'watching connections', close: () => watchPool.close() });
  return { target, pool, watchPool, samples: new Map() };
}

async function makeNamespace({ pool }: Side, name: string): Promise<void> {
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const { status } = await pool.request({ method: 'POST', path: '/api/v1/namespaces', body });
  if (status !== 201) throw new Error(`the namespace ${name} was not made: ${status}`);
}

async function runRow(
  side: Side,
  workload: Workload,
  { services, round }: { readonly services: number; readonly round: number },
): Promise<void> {
  const { pool, watchPool, target, samples } = side;
  const stage: Stage = { pool, watchPool, namespace: `bench-${round}`, services, round };
  const [startMs, startCpuMs] = [systemClock.monotonicMs(), cpuMsOf(target.pids)];
  const done = await workload.run(stage);
  const tookMs = systemClock.monotonicMs() - startMs;
  if (round === 0) return;
  const cpuMs = (cpuMsOf(target.pids) - startCpuMs) / done;
  const known = samples.get(workload.name) ?? [];
  samples.set(workload.name, [...known, { perSecond: (1000 * done) / tookMs, cpuMs }]);
}

function compareRow(workload: Workload, ours: Side, theirs: Side | undefined): Comparison {
  const [mine, other] = [ours, theirs].map((side) => side?.samples.get(workload.name) ?? []);
  const speeds = (samples: readonly Sample[] = []) => samples.map(({ perSecond }) => perSecond);
  const cpu = (samples: readonly Sample[] = []) => samples.map(({ cpuMs }) => cpuMs);
  const ratios = speeds(mine).flatMap((speed, round) => {
    const peer = other?.[round]?.perSecond;
    return peer === undefined ? [] : [speed / peer];
  });
  return {
    name: workload.name,
    unit: workload.unit,
    isMoreBetter: true,
    ours: median(speeds(mine)) ?? Number.NaN,
    theirs: median(speeds(other)),
    ahead: median(ratios),
    oursCpuMs: median(cpu(mine)) ?? Number.NaN,
    theirsCpuMs: median(cpu(other)),
  };
}

async function compareMemory(
  ours: Side,
  theirs: Side | undefined,
  { held, say }: { readonly held: number; readonly say: (text: string) => void },
): Promise<readonly Comparison[]> {
  const read = async (side: Side): Promise<number> => {
    say(`creating ${held} Services to be held by ${side.target.name}`);
    await makeNamespace(side, 'held');
    await runMany(held, async (index) => {
      const body = JSON.stringify(toService(`held-${index}`));
      const path = '/api/v1/namespaces/held/services';
      const { status } = await side.pool.request({ method: 'POST', path, body });
      if (status !== 201) throw new Error(`create in held: ${status}`);
    });
    return rssMiBOf(side.target.pids);
  };
  const mine = await read(ours);
  const other = theirs === undefined ? undefined : await read(theirs);
  return [
    {
      name: `memory with ${held} Services`,
      unit: 'MiB',
      isMoreBetter: false,
      ours: mine,
      theirs: other,
      ahead: other === undefined ? undefined : other / mine,
    },
  ];
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
