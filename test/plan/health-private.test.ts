// Private addresses: an outside address for whom a private DNSZone publishes, and for nobody else.

import test from 'ava';
import { toClusterName, type ServiceKey } from '../../common/model/ids.ts';
import type { DnsZoneSpec } from '../../common/model/dns-zone.ts';
import type { DnsZoneState, DnsZoneView, PlacementView } from '../../common/model/views.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { ClusterReports } from '../../coordinator/health/fold.ts';
import { createShardTable } from '../../coordinator/health/shard-table.ts';
import { createPrivateViews } from '../../coordinator/private-views.ts';
import { createSeededChance } from '../sim/seeded-chance.ts';
import { nginx } from '../support/dns-fixtures.ts';

const a = toClusterName('a');

async function judge(addresses: readonly string[], isPrivate: boolean) {
  const reports = {
    readiness: () => ({ key: nginx, ready: 1, serving: 1, total: 1 }),
    ingress: () => ({ key: nginx, addresses: addresses.map((ip) => ({ ip })) }),
  } as unknown as ClusterReports; // all that a verdict asks of it
  const placement = { shard: () => ({}), shardsOf: () => [] } as unknown as PlacementView;
  const shards = createShardTable({
    placement,
    surroundings: () => ({ life: 'reporting', deathReason: '', reports }),
    minReady: () => 1,
    rules: { allowLoopback: false },
    isPrivate: () => isPrivate,
    onChange: () => undefined,
    clock: systemClock,
    chance: createSeededChance('private'),
    log: silentLog,
    metrics: silentMetrics,
  });
  shards.mark(a, nginx);
  await shards.idle();
  const { state = '', message = '' } = shards.get(a, nginx) ?? {};
  return { state, message };
}

test('a shard of private addresses alone is healthy where a private zone publishes it', async (t) => {
  t.is((await judge(['10.0.0.7'], true)).state, 'healthy');
  t.is((await judge(['8.8.0.1'], false)).state, 'healthy');
  t.is((await judge(['127.0.0.1'], true)).state, 'noAddress');
});

test('elsewhere it has no address, and is told which ones do not count and why', async (t) => {
  const { state, message } = await judge(
    ['10.0.0.7', '100.64.0.1', 'fd00::1', '192.168.0.1'],
    false,
  );
  t.is(state, 'noAddress');
  t.regex(message, /10\.0\.0\.7, 100\.64\.0\.1, fd00::1 and 1 more.*visibility Private/);
  t.is((await judge([], false)).message, 'The Service has no outside address.');
});

function zone(name: string, spec: Partial<DnsZoneSpec>): DnsZoneState {
  const full = { domain: 'example.com', provider: 'Embedded' as const, ...spec };
  return { name, uid: name, generation: 1, spec: full, isDeleting: false, isPublishing: true };
}

test('health looks again when a private zone comes, chooses otherwise or goes, and else not', (t) => {
  const zones = new Map([['public', zone('public', {})]]);
  let tell: Parameters<DnsZoneView['subscribe']>[0] = () => undefined;
  const view: DnsZoneView = {
    zones: () => [...zones.values()],
    zone: (name) => zones.get(name),
    zonesOf: () => [...zones.keys()],
    subscribe: (listener) => {
      tell = listener;
      return () => undefined;
    },
  };
  const views = createPrivateViews(() => view);
  const told: (ServiceKey | undefined)[] = [];
  views.subscribe((key) => void told.push(key));
  const put = (name: string, spec: Partial<DnsZoneSpec> | undefined): number => {
    if (spec === undefined) zones.delete(name);
    else zones.set(name, zone(name, spec));
    tell({ dnsZone: name, key: undefined });
    return told.length;
  };
  t.false(views.has(nginx));
  t.is(put('public', { ttlSeconds: 30 }), 0);
  t.is(put('inside', { visibility: 'Private' }), 1);
  t.true(views.has(nginx));
  t.is(put('inside', { visibility: 'Private', frozen: true }), 1);
  t.is(put('inside', { visibility: 'Private', namespaces: ['web'] }), 2);
  tell({ dnsZone: 'public', key: nginx });
  t.is(told.length, 2);
  tell({ dnsZone: 'inside', key: nginx });
  t.deepEqual(told, [undefined, undefined, nginx]);
  t.is(put('inside', undefined), 4);
  t.false(views.has(nginx));
});
