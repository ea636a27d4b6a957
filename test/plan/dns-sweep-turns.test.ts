// While a change concerns the names of every Service nobody is held up: what runs do begins in turns,
// a large Service has turns of its own, and a dead shard goes before what is due.

import test from 'ava';
import {
  toClusterName,
  toLogKey,
  toLogPrefix,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { DnsZoneState, HealthView, PlacementView } from '../../common/model/views.ts';
import { keepProcessAlive, systemClock, type Clock } from '../../common/runtime/clock.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createTurns } from '../../common/runtime/turn-pace.ts';
import { followNew } from '../../coordinator/desired/store.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { createHostnameTable } from '../../coordinator/dns/publish/hostname-table.ts';
import { createDns } from '../../coordinator/dns/publish/loop.ts';
import { reconcile } from '../../coordinator/dns/publish/reconcile.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';
import { createViews } from '../support/dns/zones-world.ts';
import { openLog, type LogFixture } from '../support/dns-fixtures.ts';

const chance = createSeededChance('sweep');

/** Its time goes on only as `spend` says; `turn` is one turn of the event loop. */
function createSpentClock() {
  let nowMs = 0;
  let soon: { run: () => void }[] = [];
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    soon: (run) => {
      const entry = { run };
      soon.push(entry);
      return { cancel: () => (entry.run = () => undefined) }; // in this turn as well
    },
  };
  const turn = async (): Promise<void> => {
    const now = soon;
    soon = [];
    for (const { run } of now) run();
    await new Promise(setImmediate);
  };
  return { clock, spend: (ms: number) => (nowMs += ms), turn };
}

const openLoop = (clock: Clock, run: (key: string) => void) =>
  createLoop<string>({
    name: 'test',
    clock,
    chance,
    log: silentLog,
    run: (key) => {
      run(key); // planning, before it waits for anything
      return Promise.resolve(undefined);
    },
  });

test('L6 T1 I11 runs begin for a millisecond of a turn, and what is urgent goes before the rest', async (t) => {
  const { clock, spend, turn } = createSpentClock();
  const runs: string[] = [];
  const loop = openLoop(clock, (key) => {
    runs.push(key);
    spend(0.6);
  });
  for (let at = 0; at < 20; at += 1) loop.mark(`edit-${at}`);
  await turn();
  t.is(runs.length, 2);
  for (const key of ['dead-0', 'dead-1', 'dead-2']) loop.markFirst(key);
  await turn();
  await turn();
  t.deepEqual(runs.slice(2, 5), ['dead-0', 'dead-1', 'dead-2']);
  for (let more = 0; more < 20; more += 1) await turn();
  t.is(runs.length, 23);
});

test('T2 loops share a turn, one run each, however much one of them has to do', async (t) => {
  const { clock, spend, turn } = createSpentClock();
  const runs: string[] = [];
  const run = (key: string): void => {
    runs.push(key);
    spend(0.3);
  };
  const [sweep, lone, other] = [openLoop(clock, run), openLoop(clock, run), openLoop(clock, run)];
  for (let at = 0; at < 1000; at += 1) sweep.mark(`sweep-${at}`);
  await turn();
  lone.mark('lone');
  for (const key of ['other-0', 'other-1']) other.mark(key);
  const before = runs.length;
  await turn();
  t.deepEqual(runs.slice(before), ['sweep-4', 'lone', 'other-0', 'sweep-5']);
  await turn();
  t.is(runs[before + 4], 'other-1');
});

test('I11 each who asks for a turn has it alone, in the order of asking', async (t) => {
  const { clock, turn } = createSpentClock();
  const ownTurn = createTurns(clock);
  const done: string[] = [];
  for (const name of ['a', 'b', 'c']) void ownTurn().then(() => done.push(name));
  const seen: string[] = [];
  for (let more = 0; more < 4; more += 1) {
    await turn();
    seen.push(done.join(''));
  }
  t.deepEqual(seen, ['a', 'ab', 'abc', 'abc']);
  void ownTurn().then(() => done.push('d'));
  await turn();
  t.is(done.join(''), 'abcd');
});

test('T1 few runs begin in a turn, however little each does before it waits', async (t) => {
  const { clock, turn } = createSpentClock();
  const runs: string[] = [];
  const loops = ['a', 'b', 'c'].map(() => openLoop(clock, (key) => void runs.push(key)));
  for (let at = 0; at < 10; at += 1) for (const loop of loops) loop.mark(`key-${at}`);
  await turn();
  t.is(runs.length, 8);
  for (let more = 0; more < 4; more += 1) await turn();
  t.is(runs.length, 30);
});

const publicationsPrefix = toLogPrefix('isthmus.dev', 'publications');

const serviceAt = (key: ServiceKey) => {
  const [namespace = '', name = ''] = key.split('/');
  return toLogKey({ group: '', resource: 'services', namespace, name });
};

async function putService(log: LogFixture, key: ServiceKey): Promise<void> {
  const [namespace = '', name = ''] = key.split('/');
  await log.put(serviceAt(key), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, uid: key },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  });
}

async function openStage(log: LogFixture, provider: 'Route53' | 'Embedded') {
  const zone: { -readonly [field in keyof DnsZoneState]: DnsZoneState[field] } = {
    name: 'example.com',
    uid: 'zone',
    generation: 1,
    spec: { domain: 'example.com', provider },
    isDeleting: false,
    isPublishing: true,
  };
  const listeners = new Set<() => void>();
  return {
    zone,
    tellZone: () => listeners.forEach((listener) => listener()),
    options: {
      desired: log.desired,
      zones: {
        zones: () => [zone],
        zone: () => zone,
        zonesOf: () => ['example.com'],
        subscribe: (listener: (due: { dnsZone: string; key: undefined }) => void) => {
          const tell = (): void => listener({ dnsZone: 'example.com', key: undefined });
          listeners.add(tell);
          return () => void listeners.delete(tell);
        },
      },
      term: await acquireTerm({ desired: log.desired, holder: 'test' }),
      recorder: { record: () => undefined },
      config: { federation: 'fed', ttlSeconds: 60, addressRules: { allowLoopback: false } },
      chance,
      log: silentLog,
      metrics: silentMetrics,
      clock: systemClock,
    },
  };
}

test('I11 a Service of many shards or many names has turns of its own, and a small one none', async (t) => {
  const log = await openLog();
  const key = toServiceKey({ namespace: 'web', name: 'nginx' });
  await putService(log, key);
  const { health, placement } = createViews(log);
  const count = async (shards: number, levels: number, provider: 'Route53' | 'Embedded') => {
    const { options } = await openStage(log, provider);
    const clusters = Array.from({ length: shards }, (_, at) => toClusterName(`c-${at}`));
    let turns = 0;
    const facts = {
      places: () => Array.from({ length: levels }, (_, at) => ({ region: `r-${at}`, zones: [] })),
      aliases: () => ({ granted: [], refused: [] }),
      levelNamesMax: () => levels,
      hostnames: createHostnameTable({ ...options, lookUp: undefined, onChange: () => undefined }),
      ownTurn: () => {
        turns += 1;
        return Promise.resolve();
      },
    };
    const views = { health, placement: { ...placement, clustersOf: () => clusters } };
    const memory = { complaints: new Map(), quiet: new Map() };
    await reconcile({ ...options, ...views, facts }, memory, key);
    return turns;
  };
  // Planned, audited and compared.
  t.is(await count(100, 400, 'Route53'), 3);
  t.is(await count(300, 0, 'Embedded'), 3);
  t.is(await count(3, 50, 'Route53'), 0);
  t.is(await count(100, 400, 'Embedded'), 0); // that makes such names up itself
});

test('M3 a shard that dies in the middle of a sweep over all Services is out of DNS before the rest', async (t) => {
  const alive = keepProcessAlive();
  const log = await openLog();
  const keys = Array.from({ length: 400 }, (_, at) =>
    toServiceKey({ namespace: 'web', name: `s-${String(at).padStart(3, '0')}` }),
  );
  for (const key of keys) await putService(log, key);
  const { options, zone, tellZone } = await openStage(log, 'Embedded');
  const cluster = toClusterName('a');
  const { health } = createViews(log);
  const last = keys.at(-1);
  let isDead = false;
  const listeners = new Set<Parameters<HealthView['subscribe']>[0]>();
  const views: { readonly placement: PlacementView; readonly health: HealthView } = {
    placement: { ...createViews(log).placement, clustersOf: () => [cluster] },
    health: {
      ...health,
      shard: (at, key) => {
        const verdict = health.shard(at, key);
        const isLost = isDead && key === last;
        return verdict && isLost ? { ...verdict, state: 'dead', sinceMs: 2 } : verdict;
      },
      subscribe: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
  };
  const dns = createDns({ ...options, ...views });
  dns.start();
  await dns.idle();
  const order: string[] = [];
  const watch = followNew(log.desired, publicationsPrefix, ({ current }) => {
    order.push(current.object.metadata.name);
    if (order.length !== 100) return;
    isDead = true;
    for (const listener of listeners) listener({ cluster, key: last });
  });
  zone.spec = { ...zone.spec, ttlSeconds: 120 };
  tellZone();
  await dns.idle();
  await dns.stop();
  watch.cancel();
  alive.cancel();
  t.true(order.length >= 400);
  const at = order.indexOf('s-399.example.com');
  // Behind those that were being written.
  t.true(at >= 100 && at < 120, `${at}`);
});
