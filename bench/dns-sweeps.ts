// How long the turns of the DNS stage are while something changes for all Services at once: a zone
// comes, changes and goes; a namespace moves to another zone; a cluster's region is another one.
// Beside it: how soon a shard that dies meanwhile is out of DNS. All in this process, with a store in
// memory and embedded zones; a turn is told by what this thread ran in it, so that a busy machine
// adds little. Garbage collection is in it.

import type { DnsZoneSpec } from '../common/model/dns-zone.ts';
import type { ShardVerdict } from '../common/model/health.ts';
import {
  toClusterName,
  toContentHash,
  toLogKey,
  toServiceKey,
  type ServiceKey,
} from '../common/model/ids.ts';
import { isthmusApiVersion } from '../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../common/model/kube-object.ts';
import type { HealthView, PlacementView } from '../common/model/views.ts';
import { toPublicationKey } from '../common/pure/publication-object.ts';
import { systemChance } from '../common/runtime/chance.ts';
import { sleep, systemClock } from '../common/runtime/clock.ts';
import { silentLog } from '../common/runtime/log.ts';
import { silentMetrics } from '../common/runtime/metrics.ts';
import { threadCpuMs } from '../common/runtime/thread-cpu.ts';
import { acquireTerm } from '../coordinator/desired/term.ts';
import { createDnsStage } from '../coordinator/dns-stage.ts';
import { openLog, type LogFixture } from '../test/support/dns-fixtures.ts';
import { plainPlacement } from '../test/support/plain-placement.ts';
import { noteConditions, type Measure } from './report.ts';
import { toNumberSetting, type BenchDefinition } from './settings.ts';
import { summarize } from './statistics.ts';

const goalMs = 10; // I11
const domain = 'example.com';
const cluster = toClusterName('west');

export const dnsSweeps: BenchDefinition = {
  name: 'dns-sweeps',
  summary: 'How long the turns are while a change concerns the names of every Service.',
  settings: [toNumberSetting('services', 10_000, [100, 100_000], 'Services with names.')],
  measure: async (values, { say, lifecycle }) => {
    const services = values.number('services') ?? 0; // has a default
    const conditions = noteConditions(systemClock);
    const world = await openWorld(services);
    lifecycle.onClose({ name: 'stage', close: () => world.stage.stop() });
    const measures: Measure[] = [];
    const facts: Record<string, number> = {};
    for (const { name, run } of phases) {
      say(name);
      const { turns, elapsedMs } = await watchTurns(async () => {
        await run(world);
        await settle(world);
      });
      measures.push({
        name: `${name}: turn`,
        summary: summarize(turns),
        goal: { of: 'max', ms: goalMs },
      });
      facts[`${name}, ms`] = Math.round(elapsedMs);
    }
    say('a shard that dies during a sweep');
    const lost = await measureLoss(world);
    measures.push({ name: 'shard that dies meanwhile -> out of DNS', summary: summarize([lost]) });
    return {
      bench: dnsSweeps.name,
      settings: { services },
      conditions: conditions(),
      measures,
      facts,
    };
  },
};

type World = Awaited<ReturnType<typeof openWorld>>;

const phases: readonly { readonly name: string; readonly run: (world: World) => Promise<void> }[] =
  [
    { name: 'all Services are first published', run: async (world) => world.stage.start() },
    { name: 'zone made', run: (world) => world.putZone('second', {}) },
    { name: 'zone changed', run: (world) => world.putZone('second', { ttlSeconds: 120 }) },
    { name: 'zone that chooses labels made', run: (world) => world.putZone('labels', chosen) },
    { name: 'namespace moves in', run: (world) => world.putNamespace({ tier: 'gold' }) },
    { name: 'namespace moves out', run: (world) => world.putNamespace({}) },
    { name: 'region renamed', run: (world) => world.putCluster('eu-renamed') },
    { name: 'zone deleted', run: (world) => world.deleteZone('second') },
  ];

const chosen: Partial<DnsZoneSpec> = { namespaceSelector: { matchLabels: { tier: 'gold' } } };

async function openWorld(services: number) {
  const log = await openLog();
  const keys = Array.from({ length: services }, (_, at) =>
    toServiceKey({ namespace: 'web', name: `s-${String(at).padStart(6, '0')}` }),
  );
  const dead = new Set<ServiceKey>();
  const { placement, health, lose } = createViews(log, keys, dead);
  const stage = createDnsStage({
    desired: log.desired,
    placement,
    health,
    term: await acquireTerm({ desired: log.desired, holder: 'bench' }),
    recorder: { record: () => undefined },
    config: { federation: 'fed', domain, ttlSeconds: 60, addressRules: { allowLoopback: false } },
    clock: systemClock,
    chance: systemChance,
    log: silentLog,
    metrics: silentMetrics,
  });
  const put = async (resource: string, object: KubeObject): Promise<void> => {
    const group = object.apiVersion === isthmusApiVersion ? 'isthmus.dev' : '';
    const { name, namespace } = object.metadata;
    await log.put(toLogKey({ group, resource, name, ...(namespace && { namespace }) }), object);
  };
  const world = {
    log,
    keys,
    stage,
    lose,
    putCluster: (region: string) =>
      put('clusters', {
        apiVersion: isthmusApiVersion,
        kind: 'Cluster',
        metadata: { name: cluster },
        spec: { region, zone: `${region}-a` },
      }),
    putNamespace: (labels: Readonly<Record<string, string>>) =>
      put('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'web', labels } }),
    putZone: (name: string, spec: Partial<DnsZoneSpec>) =>
      put('dnszones', {
        apiVersion: isthmusApiVersion,
        kind: 'DNSZone',
        metadata: { name, uid: name, generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
        spec: { domain: `${name}.test`, provider: 'Embedded', ...spec },
      }),
    deleteZone: async (name: string): Promise<void> => {
      await log.put(toLogKey({ group: 'isthmus.dev', resource: 'dnszones', name }), undefined);
    },
  };
  await world.putCluster('eu');
  await world.putNamespace({});
  for (const key of keys) {
    const [namespace = '', name = ''] = key.split('/');
    await put('services', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, uid: key },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    });
  }
  await stage.prepare();
  return world;
}

/** One healthy shard of each Service. */
function createViews(log: LogFixture, keys: readonly ServiceKey[], dead: Set<ServiceKey>) {
  type Listener = Parameters<HealthView['subscribe']>[0];
  const listeners = new Set<Listener>();
  const shards = keys.map((key) => ({ key, bytes: new Uint8Array(), hash: toContentHash('') }));
  const placement: PlacementView = {
    ...plainPlacement,
    revision: () => log.desired.revision(),
    shard: () => undefined,
    shardsOf: () => shards,
    clustersOf: () => [cluster],
    subscribe: () => () => undefined,
  };
  const addressOf = (key: ServiceKey): string => {
    const at = Number(key.slice(-6));
    return `8.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`;
  };
  const health: HealthView = {
    cluster: () => undefined,
    shard: (_cluster, key): ShardVerdict => ({
      key,
      cluster,
      state: dead.has(key) ? 'dead' : 'healthy',
      reason: dead.has(key) ? 'Gone' : 'Ready',
      message: '',
      sinceMs: 1,
      ready: 1,
      total: 1,
      addresses: [{ ip: addressOf(key) }],
      clusterIps: [],
      ports: [],
    }),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const lose = (key: ServiceKey): void => {
    dead.add(key);
    for (const listener of listeners) listener({ cluster, key });
  };
  return { placement, health, lose };
}

async function settle({ stage }: World): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await sleep(systemClock, 20);
    await stage.idle();
  }
}

/** Milliseconds that this thread ran in each turn that did something, while `run` goes on. */
async function watchTurns(
  run: () => Promise<void>,
): Promise<{ readonly turns: readonly number[]; readonly elapsedMs: number }> {
  const turns: number[] = [];
  let isOver = false;
  let beforeMs = threadCpuMs() ?? systemClock.monotonicMs();
  const tick = (): void => {
    const nowMs = threadCpuMs() ?? systemClock.monotonicMs();
    if (nowMs - beforeMs > 0.5) turns.push(nowMs - beforeMs);
    beforeMs = nowMs;
    if (!isOver) systemClock.soon(tick);
  };
  tick();
  const startMs = systemClock.monotonicMs();
  await run();
  isOver = true;
  return { turns, elapsedMs: systemClock.monotonicMs() - startMs };
}

/** In the middle of a sweep. */
async function measureLoss(world: World): Promise<number> {
  const key = world.keys.at(-1);
  if (key === undefined) return 0;
  await world.putCluster('eu-again');
  await sleep(systemClock, 20);
  const at = toPublicationKey(key, domain);
  const before = world.log.desired.get(at)?.revision;
  const startMs = systemClock.monotonicMs();
  world.lose(key);
  while (world.log.desired.get(at)?.revision === before) await sleep(systemClock, 1);
  const tookMs = systemClock.monotonicMs() - startMs;
  await settle(world);
  return tookMs;
}
