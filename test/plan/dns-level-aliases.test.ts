// Short names of the user's own, and which Service has one that several want.

import test from 'ava';
import {
  isthmusGroup,
  type DnsAlias,
  type ServicePolicy,
} from '../../common/model/isthmus-kinds.ts';
import { toLogKey, toServiceKey } from '../../common/model/ids.ts';
import { createAliasRegistry } from '../../coordinator/dns/publish/alias-registry.ts';
import type { AliasesInput } from '../../coordinator/dns/publish/input.ts';
import type { ViewEvent } from '../../coordinator/desired/store.ts';
import { rfc2136, testRows } from '../support/dns/level-rows.ts';

const a = { cluster: 'a', region: 'eu', zones: ['eu-1'], ips: ['8.8.0.1'] };
const ofA = ['GLOBAL A 8.8.0.1', 'eu A 8.8.0.1', 'eu-1.eu A 8.8.0.1'];
const places = [
  { region: 'eu', zones: ['eu-1'] },
  { region: 'us', zones: ['us-1'] },
];
const granted = (...aliases: readonly DnsAlias[]): { readonly aliases: AliasesInput } => ({
  aliases: { granted: aliases, refused: [] },
});
const other = toServiceKey({ namespace: 'shop', name: 'cart' });

testRows(test, rfc2136, [
  {
    title: 'a short name leads to the global name, a region’s or a zone’s',
    shards: [a],
    more: granted(
      { name: 'nginx.example.com' },
      { name: 'eu.nginx.example.com', region: 'eu' },
      { name: 'eu-1.nginx.example.com', region: 'eu', zone: 'eu-1' },
    ),
    records: [
      ...ofA,
      'nginx.example.com CNAME GLOBAL',
      'eu.nginx.example.com CNAME eu',
      'eu-1.nginx.example.com CNAME eu-1.eu',
    ],
  },
  {
    title: 'a short name stays when its region has lost all shards, and leads where that leads',
    shards: [
      { ...a, state: 'dead' },
      { cluster: 'b', ips: ['8.8.0.2'] },
    ],
    more: granted({ name: 'eu.nginx.example.com', region: 'eu' }),
    records: [
      'GLOBAL A 8.8.0.2',
      'eu CNAME GLOBAL',
      'eu-1.eu CNAME eu',
      'eu.nginx.example.com CNAME eu',
    ],
  },
  {
    title: 'a level that has no name of its own is replaced by the next one above',
    shards: [a],
    more: {
      places,
      shape: { ...rfc2136, levelNamesMax: 2 },
      ...granted({ name: 'us.example.com', region: 'us', zone: 'us-1' }),
    },
    records: [...ofA, 'us.example.com CNAME GLOBAL'],
    notes: ['NameBudget'],
  },
  {
    title: 'a level where no cluster is registered is told; the name leads above it',
    shards: [a],
    more: {
      places: places.slice(0, 1),
      ...granted({ name: 'x.example.com', region: 'eu', zone: 'eu-9' }),
    },
    records: [...ofA, 'x.example.com CNAME eu'],
    notes: ['AliasLevelUnknown'],
  },
  {
    title: 'a short name outside the zone is another zone’s',
    shards: [a],
    more: granted({ name: 'nginx.example.net' }),
    records: ofA,
  },
  {
    title: 'I4 a short name of the form of the federation’s own is none',
    shards: [a],
    more: granted(
      { name: 'cart.shop.myfederation.svc.example.com' },
      { name: 'x.myfederation.svc.us.example.com' },
    ),
    records: ofA,
    notes: ['AliasConflict'],
  },
  {
    title: 'a short name that another Service has is not published, and that is told',
    shards: [a],
    more: { aliases: { granted: [], refused: [{ name: 'nginx.example.com', by: other }] } },
    records: ofA,
    notes: ['AliasConflict'],
  },
  {
    title: 'a zone that denies short names has none, and that is told',
    shards: [a],
    more: { shape: { ...rfc2136, takesAliases: false }, ...granted({ name: 'x.example.com' }) },
    records: ofA,
    notes: ['AliasDenied'],
  },
  {
    title: 'without names there are no short names',
    shards: [{ ...a, state: 'notReady' }],
    more: granted({ name: 'nginx.example.com' }),
    records: [],
    reason: 'NeverHealthy',
  },
]);

const web = toServiceKey({ namespace: 'web', name: 'nginx' });

function policy(
  name: string,
  from: { readonly namespace: string; readonly serviceName: string; readonly second: number },
  ...names: readonly string[]
): ServicePolicy {
  return {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServicePolicy',
    metadata: {
      name,
      namespace: from.namespace,
      creationTimestamp: `2026-11-25T00:00:0${from.second}Z`,
    },
    spec: {
      serviceName: from.serviceName,
      dns: { aliases: names.map((alias) => ({ name: alias })) },
    },
  };
}

function event(kind: ViewEvent['kind'], object: ServicePolicy): ViewEvent {
  const { namespace = '', name } = object.metadata;
  const key = toLogKey({ group: isthmusGroup, resource: 'servicepolicies', namespace, name });
  // Registries read key and object alone.
  return { kind, current: { key, object } } as ViewEvent;
}

test('the oldest policy has a name, in whatever order the policies are heard of', (t) => {
  const older = policy('p', { namespace: 'web', serviceName: 'nginx', second: 1 }, 'x.example.com');
  const newer = policy('q', { namespace: 'shop', serviceName: 'cart', second: 2 }, 'x.example.com');
  for (const order of [
    [older, newer],
    [newer, older],
  ]) {
    const registry = createAliasRegistry();
    for (const one of order) registry.fold(event('added', one));
    t.deepEqual(registry.of(web).granted, [{ name: 'x.example.com' }]);
    t.deepEqual(registry.of(other), {
      granted: [],
      refused: [{ name: 'x.example.com', by: web }],
    });
  }
});

test('whose short names may be others now is told: also who gets a name that is free again', (t) => {
  const registry = createAliasRegistry();
  const older = policy('p', { namespace: 'web', serviceName: 'nginx', second: 1 }, 'x.example.com');
  const newer = policy('q', { namespace: 'shop', serviceName: 'cart', second: 2 }, 'x.example.com');
  t.deepEqual(registry.fold(event('added', older)), [web]);
  t.deepEqual(registry.fold(event('added', newer)), [other, web].sort());
  t.deepEqual(registry.fold(event('deleted', older)), [other, web].sort());
  t.deepEqual(registry.of(other).granted, [{ name: 'x.example.com' }]);
  t.deepEqual(registry.of(web), { granted: [], refused: [] });
});

test('a policy that an older one of its Service overrules wants nothing', (t) => {
  const registry = createAliasRegistry();
  const first = policy('p', { namespace: 'web', serviceName: 'nginx', second: 1 });
  const second = policy(
    'q',
    { namespace: 'web', serviceName: 'nginx', second: 2 },
    'x.example.com',
  );
  const third = policy('r', { namespace: 'shop', serviceName: 'cart', second: 3 }, 'x.example.com');
  for (const one of [first, second, third]) registry.fold(event('added', one));
  t.deepEqual(registry.of(web), { granted: [], refused: [] });
  t.deepEqual(registry.of(other).granted, [{ name: 'x.example.com' }]);
  // With the first one gone the second counts, and takes the name, since it is older.
  t.deepEqual(registry.fold(event('deleted', first)), [other, web].sort());
  t.deepEqual(registry.of(web).granted, [{ name: 'x.example.com' }]);
});
