import test from 'ava';
import { toClusterName, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { PeerShard } from '../../common/model/peer-table.ts';
import { toWireName, type WireName } from '../../common/pure/dns-wire.ts';
import { toServedZones, whatIsAsked } from '../../agent/resolver/names.ts';
import { planAnswer, type Knowledge, type LocalShard } from '../../agent/resolver/plan.ts';
import { PeerBook } from '../../agent/resolver/peer-book.ts';
import { nginx, nginxAt, nginxGlobal, topology } from '../support/dns-fixtures.ts';

const zones = toServedZones({
  federation: 'myfederation',
  clusterDomain: 'cluster.local',
  domain: 'example.com',
});

function wire(name: string): WireName {
  const wired = toWireName(name);
  if (wired === undefined) throw new Error(name);
  return wired;
}

function peer(cluster: string, more: Partial<PeerShard> = {}): PeerShard {
  const [zone, region] = [`z-${cluster}`, 'r9'];
  return {
    cluster: toClusterName(cluster),
    zones: [zone],
    region,
    addresses: [`8.8.0.${cluster.charCodeAt(0)}`],
    hostnames: [],
    tcpPorts: [80],
    isHealthy: true,
    ...more,
  };
}

interface World {
  readonly local?: LocalShard | undefined;
  readonly peers?: readonly PeerShard[];
  readonly suspects?: readonly string[];
  readonly roundTrips?: Readonly<Record<string, number>>;
  readonly hasNoTable?: boolean;
}

/** The own cluster is `me`, in zone `here` of region `r1`. */
function know(world: World): Knowledge {
  const book = new PeerBook();
  if (world.hasNoTable !== true) {
    const upserts = world.peers === undefined ? [] : [{ key: nginx, shards: world.peers }];
    book.apply({ upserts, removals: [], isFull: true });
  }
  return {
    cluster: toClusterName('me'),
    topology: topology(['here'], 'r1'),
    hasPeerTable: book.isFilled,
    local: (key: ServiceKey) => (key === nginx ? world.local : undefined),
    peers: (key: ServiceKey) => book.get(key),
    hasNamespace: (namespace) => book.hasNamespace(namespace),
    hasLevel: (place) => book.hasLevel(place),
    isSuspect: (address) => world.suspects?.includes(address) ?? false,
    roundTripMs: (address) => world.roundTrips?.[address],
  };
}

function say(name: string, world: World): string {
  const planned = planAnswer(whatIsAsked(wire(name), zones), know(world));
  if (planned.kind !== 'found') return planned.kind;
  const { from, target, climb } = planned;
  const what = target.kind === 'addresses' ? target.addresses.join(' ') : target.hostname;
  return `${from} ${'up '.repeat(climb.length)}${what}`;
}

const short = 'nginx.web.myfederation';
const ready: LocalShard = { clusterIps: ['10.0.0.5'], ready: 1 };
const unready: LocalShard = { clusterIps: ['10.0.0.5'], ready: 0 };
const sameZone = peer('a', { zones: ['here'], region: 'r1' });
const sameRegion = peer('b', { zones: ['there'], region: 'r1' });
const far = peer('c', { region: 'r2' });
const farther = peer('d', { region: 'r3' });
const sick = (shard: PeerShard): PeerShard => ({ ...shard, isHealthy: false });
const mine = peer('me', { zones: ['here'], region: 'r1', addresses: ['8.8.0.1'] });
const named = peer('e', { addresses: [], hostnames: ['lb.elb.amazonaws.com'] });

const rows: readonly (readonly [title: string, name: string, world: World, expected: string])[] = [
  [
    'the local shard while it is ready',
    short,
    { local: ready, peers: [sameZone] },
    'local 10.0.0.5',
  ],
  [
    'under the cluster domain too',
    `${short}.svc.cluster.local`,
    { local: ready },
    'local 10.0.0.5',
  ],
  [
    'the local shard without any table',
    short,
    { local: ready, hasNoTable: true },
    'local 10.0.0.5',
  ],
  [
    'the nearest when the local one is not ready',
    short,
    { local: unready, peers: [far, sameRegion, sameZone] },
    'peer 8.8.0.97',
  ],
  ['the nearest when there is no local one', short, { peers: [far, sameRegion] }, 'peer 8.8.0.98'],
  [
    'a headless local shard does not answer',
    short,
    { local: { clusterIps: ['None'], ready: 3 }, peers: [far] },
    'peer 8.8.0.99',
  ],
  [
    'a sick one in the same zone is passed over',
    short,
    { peers: [sick(sameZone), far] },
    'peer 8.8.0.99',
  ],
  [
    'as near as the coordinator calls our own place',
    short,
    {
      local: unready,
      peers: [
        sameZone,
        peer('me', { zones: ['here'], region: 'aws-r1', isHealthy: false }),
        peer('w', { zones: ['here'], region: 'aws-r1' }),
      ],
    },
    'peer 8.8.0.119',
  ],
  [
    'the same zone name in another region is far',
    short,
    { peers: [peer('a', { zones: ['here'], region: 'r7' }), sameRegion] },
    'peer 8.8.0.98',
  ],
  [
    'the shorter round trip among equals',
    short,
    { peers: [far, farther], roundTrips: { '8.8.0.99': 80, '8.8.0.100': 10 } },
    'peer 8.8.0.100',
  ],
  [
    'a little faster is no reason to move',
    short,
    { peers: [far, farther], roundTrips: { '8.8.0.99': 10.5, '8.8.0.100': 10 } },
    'peer 8.8.0.99',
  ],
  [
    'the name order while not all are measured',
    short,
    { peers: [far, farther], roundTrips: { '8.8.0.100': 9 } },
    'peer 8.8.0.99',
  ],
  [
    'a measured one before a load balancer that is a name',
    short,
    { peers: [{ ...named, cluster: toClusterName('0') }, far], roundTrips: { '8.8.0.99': 90 } },
    'peer 8.8.0.99',
  ],
  ['the name order at last', short, { peers: [farther, far] }, 'peer 8.8.0.99'],
  [
    'own probes move on to the next',
    short,
    { peers: [sameZone, far], suspects: ['8.8.0.97'] },
    'peer 8.8.0.99',
  ],
  [
    'I6 suspicion of all is suspicion of none',
    short,
    { peers: [sameZone, far], suspects: ['8.8.0.97', '8.8.0.99'] },
    'peer 8.8.0.97',
  ],
  ['a load balancer that is a name', short, { peers: [named] }, 'peer lb.elb.amazonaws.com'],
  [
    'the own outside address is no other cluster',
    short,
    { local: unready, peers: [mine, far] },
    'peer 8.8.0.99',
  ],
  [
    'I6 nobody healthy: all known addresses',
    short,
    { local: unready, peers: [sick(mine), sick(far)] },
    'failOpen 8.8.0.1 8.8.0.99',
  ],
  [
    'nobody has an address',
    short,
    { local: unready, peers: [sick(peer('a', { addresses: [] }))] },
    'empty',
  ],
  ['a local Service that the table does not know yet', short, { local: unready }, 'empty'],
  ['an unknown Service', 'other.web.myfederation', { peers: [far] }, 'absent'],
  ['an unknown Service before the first table', short, { hasNoTable: true }, 'unready'],
  ['a name below a Service', `x.${short}`, { peers: [far] }, 'absent'],
  ['a namespace with Services', 'web.myfederation', { peers: [far] }, 'empty'],
  ['a namespace without', 'other.myfederation', { peers: [far] }, 'absent'],
  ['the federation itself', 'myfederation', {}, 'apex'],
  [
    'a namespace below the cluster domain',
    'web.myfederation.svc.cluster.local',
    { peers: [far] },
    'empty',
  ],
  [
    'ordinary cluster names are not ours',
    'nginx.web.svc.cluster.local',
    { local: ready },
    'refused',
  ],
  ['the root', '', {}, 'refused'],
  ['an address of the domain that is not ours', 'www.example.com', { peers: [far] }, 'refused'],
  ['the domain itself', 'example.com', { peers: [far] }, 'refused'],
  ['another federation', 'nginx.web.other.svc.example.com', { peers: [far] }, 'refused'],
  [
    'zone name with a healthy shard',
    nginxAt('z-c', 'r2'),
    { peers: [far, sameZone] },
    'peer 8.8.0.99',
  ],
  [
    'zone name without: up to the region',
    nginxAt('here', 'r1'),
    { peers: [sick(sameZone), sameRegion] },
    'peer up 8.8.0.98',
  ],
  [
    'zone name without region: up to global',
    nginxAt('here', 'r1'),
    { peers: [sick(sameZone), far] },
    'peer up up 8.8.0.99',
  ],
  ['region name', nginxAt('r1'), { peers: [sameZone, sameRegion, far] }, 'peer 8.8.0.97 8.8.0.98'],
  ['global name', nginxGlobal, { peers: [sameZone, far] }, 'peer 8.8.0.97 8.8.0.99'],
  [
    'public names trust live local health',
    nginxAt('here', 'r1'),
    { local: unready, peers: [mine, far] },
    'peer up up 8.8.0.99',
  ],
  [
    'I6 public names fail open',
    nginxAt('here', 'r1'),
    { peers: [sick(sameZone), sick(far)] },
    'failOpen up up 8.8.0.97 8.8.0.99',
  ],
  ['a zone that nobody stands in', nginxAt('q', 'r1'), { peers: [far] }, 'absent'],
  [
    'an unknown Service by its public name',
    'o.web.myfederation.svc.example.com',
    { peers: [far] },
    'absent',
  ],
  ['above the public names', 'web.myfederation.svc.example.com', { peers: [far] }, 'empty'],
  ['far above them', 'svc.r2.example.com', { peers: [far] }, 'empty'],
];

for (const [title, name, world, expected] of rows) {
  test(title, (t) => {
    t.is(say(name, world), expected);
  });
}

test('the order of shards does not show', (t) => {
  const peers = [farther, far, sameRegion, sameZone, named];
  t.is(say(short, { peers }), say(short, { peers: [...peers].reverse() }));
});

test('the peer table converges: deltas in any grouping, then the full table', (t) => {
  const key2 = toServiceKey({ namespace: 'db', name: 'pg' });
  const book = new PeerBook();
  book.apply({ upserts: [{ key: nginx, shards: [far] }], removals: [], isFull: false });
  book.apply({ upserts: [{ key: key2, shards: [sameZone] }], removals: [], isFull: false });
  book.apply({ upserts: [{ key: nginx, shards: [sameZone] }], removals: [key2], isFull: false });
  t.false(book.hasNamespace('db'));
  t.false(book.hasLevel({ zone: undefined, region: 'r2' }));
  t.true(book.hasLevel({ zone: 'here', region: 'r1' }));
  const gone = book.apply({ upserts: [{ key: key2, shards: [far] }], removals: [], isFull: true });
  t.deepEqual([...gone].sort(), [key2, nginx].sort());
  t.deepEqual(
    book.list().map(({ key }) => key),
    [key2],
  );
});
