import test from 'ava';
import { toClusterName, type ServiceKey } from '../../common/model/ids.ts';
import type { PeerShard } from '../../common/model/peer-table.ts';
import type { ProbeTarget } from '../../common/model/telemetry.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { LocalShard } from '../../agent/resolver/plan.ts';
import { createResolver } from '../../agent/resolver/resolver.ts';
import { decode, nginx, nginxAt, question, topology } from '../support/dns-fixtures.ts';

/** Time that passes only when told; what is due runs in order. */
class StillClock implements Clock {
  #ms = 0;
  #due: { readonly at: number; readonly run: () => void }[] = [];
  now = (): number => this.#ms;
  monotonicMs = (): number => this.#ms;
  after(delayMs: number, run: () => void) {
    const entry = { at: this.#ms + delayMs, run };
    this.#due.push(entry);
    return { cancel: () => void (this.#due = this.#due.filter((other) => other !== entry)) };
  }
  soon(run: () => void) {
    return this.after(0, run);
  }
  async pass(ms: number): Promise<void> {
    const end = this.#ms + ms;
    for (;;) {
      const [next] = this.#due.filter(({ at }) => at <= end).sort((x, y) => x.at - y.at);
      if (next === undefined) break;
      this.#due = this.#due.filter((entry) => entry !== next);
      this.#ms = Math.max(this.#ms, next.at);
      next.run();
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    }
    this.#ms = end;
  }
  pending(): number {
    return this.#due.length;
  }
}

function peer(cluster: string, address: string, more: Partial<PeerShard> = {}): PeerShard {
  const base = {
    zones: [`z-${cluster}`],
    region: 'r2',
    hostnames: [],
    tcpPorts: [80],
    isHealthy: true,
  };
  return { cluster: toClusterName(cluster), addresses: [address], ...base, ...more };
}

function createWorld() {
  const clock = new StillClock();
  const local = new Map<ServiceKey, LocalShard>();
  const listeners = new Set<(key: ServiceKey) => void>();
  const down = new Set<string>();
  const hosts = new Map<string, readonly string[]>([
    ['lb.elb.amazonaws.com', ['52.0.0.1', '2600:1f18::1']],
  ]);
  const probed: string[] = [];
  const lookedUp: string[] = [];
  let isReachable = true;
  let federation: string | undefined = 'myfederation';
  const resolver = createResolver({
    cluster: toClusterName('me'),
    local: () => local,
    subscribeLocal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    topology: () => topology(['here'], 'r1'),
    federation: () => federation,
    domain: () => 'example.com',
    isCoordinatorReachable: () => isReachable,
    prober: {
      probe: (target: ProbeTarget) => {
        probed.push(target.address);
        const ok = !down.has(target.address);
        return Promise.resolve({ target, ok, roundTripMs: 10, reason: ok ? '' : 'TimedOut' });
      },
    },
    hostLookup: {
      lookup: (hostname) => {
        lookedUp.push(hostname);
        const addresses = hosts.get(hostname);
        return addresses === undefined
          ? Promise.reject(new Error('no such host'))
          : Promise.resolve({ addresses, ttlSeconds: 20 });
      },
    },
    clock,
    log: silentLog,
    metrics: silentMetrics,
  });
  return {
    clock,
    down,
    hosts,
    probed,
    lookedUp,
    resolver,
    setLocal: (shard: LocalShard) => {
      local.set(nginx, shard);
      for (const listener of listeners) listener(nginx);
    },
    setReachable: (is: boolean) => void (isReachable = is),
    setFederation: (name: string | undefined) => void (federation = name),
    peers: (...shards: readonly PeerShard[]) =>
      resolver.applyPeers({ upserts: [{ key: nginx, shards }], removals: [], isFull: true }),
    ask: async (name = 'nginx.web.myfederation', type = 'A') =>
      decode(await resolver.answer(question(name, type), 'udp')),
  };
}

const values = ({ answers }: { readonly answers: readonly string[] }) =>
  answers.map((line) => line.split(' ')[2]);
const b = peer('b', '8.8.0.2');
const c = peer('c', '8.8.0.3', { region: 'r3' });

test('answers follow local health and the peer table at once', async (t) => {
  const world = createWorld();
  t.is((await world.ask()).code, 'SERVFAIL');
  world.peers(b, c);
  t.deepEqual(values(await world.ask()), ['8.8.0.2']);
  world.setLocal({ clusterIps: ['10.0.0.9'], ready: 2 });
  t.deepEqual(values(await world.ask()), ['10.0.0.9']);
  t.deepEqual(values(await world.ask()), ['10.0.0.9']);
  world.setLocal({ clusterIps: ['10.0.0.9'], ready: 0 });
  t.deepEqual(values(await world.ask()), ['8.8.0.2']);
  world.peers({ ...b, isHealthy: false }, c);
  t.deepEqual(values(await world.ask()), ['8.8.0.3']);
});

test('R3 a type without data is NODATA with the SOA, under both zones', async (t) => {
  const world = createWorld();
  world.peers(b);
  for (const [zone, name] of [
    ['myfederation', 'nginx.web.myfederation'],
    ['myfederation.svc.cluster.local', 'nginx.web.myfederation.svc.cluster.local'],
  ] as const) {
    for (const type of ['AAAA', 'TXT', 'SRV']) {
      const said = await world.ask(name, type);
      t.deepEqual(said, { code: 'NOERROR', answers: [], authorities: [`${zone} SOA`] });
    }
  }
  t.is((await world.ask('other.web.myfederation')).code, 'NXDOMAIN');
  t.is((await world.ask('example.org')).code, 'REFUSED');
  t.deepEqual(values(await world.ask('myfederation', 'NS')), ['ns.dns.myfederation']);
});

test('a load balancer that is a name is answered as a complete chain, and asked again later', async (t) => {
  const world = createWorld();
  world.peers(peer('b', '', { addresses: [], hostnames: ['lb.elb.amazonaws.com'] }));
  const chain = [
    'nginx.web.myfederation CNAME lb.elb.amazonaws.com',
    'lb.elb.amazonaws.com A 52.0.0.1',
  ];
  t.deepEqual((await world.ask()).answers, chain);
  t.deepEqual((await world.ask()).answers, chain);
  t.deepEqual(values(await world.ask(undefined, 'AAAA')), ['lb.elb.amazonaws.com', '2600:1f18::1']);
  t.is(world.lookedUp.length, 1);
  await world.clock.pass(21_000);
  world.hosts.delete('lb.elb.amazonaws.com');
  t.deepEqual((await world.ask()).answers, chain);
  t.is(world.lookedUp.length, 2);
});

test('a load balancer that never resolved is a server failure, not an empty answer', async (t) => {
  const world = createWorld();
  world.peers(peer('b', '', { addresses: [], hostnames: ['gone.elb.amazonaws.com'] }));
  t.is((await world.ask()).code, 'SERVFAIL');
});

test('with the coordinator away own probes move pods off a dead address and back', async (t) => {
  const world = createWorld();
  world.peers(b, c);
  world.setReachable(false);
  t.deepEqual(values(await world.ask()), ['8.8.0.2']);
  world.down.add('8.8.0.2');
  await world.clock.pass(100);
  t.deepEqual(values(await world.ask()), ['8.8.0.2']); // B1: once is not twice
  await world.clock.pass(2_100);
  t.deepEqual(values(await world.ask()), ['8.8.0.3']);
  world.down.clear();
  await world.clock.pass(11_000);
  t.deepEqual(values(await world.ask()), ['8.8.0.2']);
});

test('B2 with the coordinator back its verdict counts again', async (t) => {
  const world = createWorld();
  world.peers(b, c);
  world.setReachable(false);
  world.down.add('8.8.0.2');
  await world.ask();
  await world.clock.pass(5_000);
  t.deepEqual(values(await world.ask()), ['8.8.0.3']);
  world.setReachable(true);
  t.deepEqual(values(await world.ask()), ['8.8.0.2']);
});

test('while the coordinator is there round trips are measured once, and nothing when nobody asks', async (t) => {
  const world = createWorld();
  world.peers(b, c);
  await world.clock.pass(120_000);
  t.deepEqual(world.probed, []);
  await world.ask();
  await world.clock.pass(120_000);
  await world.ask();
  t.deepEqual(world.probed, ['8.8.0.2', '8.8.0.3']);
  world.probed.splice(0);
  world.setReachable(false);
  await world.ask();
  await world.clock.pass(120_000);
  const count = world.probed.length;
  t.true(count > 0 && count <= 2 * 8);
  t.is(world.clock.pending(), 0);
});

test('the peer table is kept over a restart, and the coordinator has the last word', async (t) => {
  const before = createWorld();
  before.peers(b, c);
  const after = createWorld();
  after.resolver.importPeers([]);
  t.is((await after.ask('other.web.myfederation')).code, 'SERVFAIL');
  after.resolver.importPeers(before.resolver.exportPeers());
  after.setReachable(false);
  t.deepEqual(values(await after.ask()), ['8.8.0.2']);
  after.peers(c);
  after.resolver.importPeers(before.resolver.exportPeers());
  t.deepEqual(values(await after.ask()), ['8.8.0.3']);
});

test('public names are answered from the table with their whole chain', async (t) => {
  const world = createWorld();
  world.peers({ ...b, isHealthy: false }, c);
  const zone = nginxAt('z-b', 'r2');
  t.deepEqual((await world.ask(zone)).answers, [
    `${zone} CNAME ${nginxAt('r2')}`,
    `${nginxAt('r2')} CNAME ${nginxAt()}`,
    `${nginxAt()} A 8.8.0.3`,
  ]);
});

test('before the federation is known nothing is denied', async (t) => {
  const world = createWorld();
  world.setFederation(undefined);
  world.peers(b);
  t.is((await world.ask()).code, 'SERVFAIL');
  world.setFederation('myfederation');
  t.is((await world.ask()).code, 'NOERROR');
});

test('a measured round trip decides among equals', async (t) => {
  const world = createWorld();
  world.peers(peer('b', '8.8.0.2', { region: 'r3' }), c);
  t.deepEqual(values(await world.ask()), ['8.8.0.2']);
  await world.clock.pass(1);
  t.deepEqual(values(await world.ask()), ['8.8.0.2']);
  const target = { address: '8.8.0.3', port: 80, method: 'tcp' } as const;
  world.resolver.noteProbe({ target, ok: true, roundTripMs: 3, reason: '' });
  t.deepEqual(values(await world.ask()), ['8.8.0.3']);
});
