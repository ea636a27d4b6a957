// The agent alone: the coordinator is away for days, the agent comes up on another node with an
// empty data folder, and goes on as before.

import test from 'ava';
import { decode, encode } from 'dns-packet';
import { toClusterName, toServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createAgent } from '../../agent/agent.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import { createAgentSession } from '../../agent/session/loop.ts';
import { toShard } from '../support/agent-fixture.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { createSimKube } from '../support/sim-kube.ts';
import { MemoryTables } from '../support/table-peers.ts';

const chance = {
  fraction: () => 0.5,
  uuid: (() => {
    let count = 0;
    return () => `00000000-0000-4000-8000-${String((count += 1)).padStart(12, '0')}`;
  })(),
  bytes: (count: number) => new Uint8Array(count),
};
const path = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
const noTopology = { zones: [], region: undefined, provider: undefined };
const names = ['web', 'mail', 'chat'];
const manifestOf = (name: string): ShardManifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop', labels: { app: name } },
  spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }], selector: { app: name } },
});

/** Agents over one cluster, one life after the other; nobody answers at the coordinator's. */
async function openWorld() {
  const clock = createManualClock();
  const sim = await createSimKube({ kinds: memberKinds(), clock, chance });
  const hand = sim.client('hand');
  const during = async <T>(call: Promise<T>, ms = 200): Promise<T> => {
    call.catch(() => undefined);
    await clock.advance(ms);
    return call;
  };
  const live = async (tables: MemoryTables, removalsPerMinute = 60) => {
    const record = await openAgentRecord(tables);
    const common = { clock, chance, log: silentLog, metrics: silentMetrics };
    const away = () =>
      Promise.reject(new MeshError('retryable', 'COORDINATOR_UNREACHABLE', 'nobody is there'));
    const session = createAgentSession({
      ...common,
      dialer: {
        fetchCa: away,
        join: away,
        connect: () => ({ send: () => undefined, end: () => undefined }),
      },
      record,
      cluster: toClusterName('a'),
      token: () => undefined,
      agentVersion: '0.1.0',
      topology: () => noTopology,
      kubernetesVersion: () => '',
    });
    const agent = createAgent(
      {
        ...common,
        kube: sim.client('agent'),
        session,
        busConnector: {
          identity: () => undefined,
          connect: () => {
            throw new Error('no bus');
          },
          onChange: () => () => undefined,
        },
        prober: {
          probe: (target) =>
            Promise.resolve({ target, ok: false, roundTripMs: 0, reason: 'TimedOut' }),
        },
        hostLookup: { lookup: () => Promise.reject(new Error('no names')) },
        recordedTopology: { read: () => undefined, write: () => undefined },
      },
      {
        cluster: toClusterName('a'),
        declared: { zone: undefined, region: undefined, provider: undefined },
        guard: { allowedNamespaces: [], removalsPerMinute },
        allowLoopback: false,
      },
    );
    const starting = agent.start();
    await clock.advance(7_000);
    await starting;
    return { agent, session, record, stop: () => during(agent.stop(), 10_000) };
  };
  const read = async (name: string): Promise<Service | undefined> =>
    (await during(hand.get(path, name))) as Service | undefined;
  return { clock, sim, hand, during, live, read };
}
type World = Awaited<ReturnType<typeof openWorld>>;

/** As a coordinator left it: three shards applied, a record that knows them. */
async function beforeTheCut(world: World): Promise<MemoryTables> {
  const tables = new MemoryTables();
  const record = await openAgentRecord(tables);
  await record.writeWelcome({
    kind: 'welcome',
    session: 1,
    federation: 'fed',
    domain: 'example.com',
    natsUrls: [],
    wantsInventory: false,
    ttlSeconds: 60,
  });
  await record.applyBatch({
    kind: 'batch',
    revision: 5 as never,
    receipt: { storeId: 's', epoch: 1, revision: 5 as never, mac: new Uint8Array(32) },
    upserts: names.map((name) => toShard(manifestOf(name))),
    removals: [],
    isComplete: true,
  });
  const first = await world.live(tables);
  await world.clock.advance(5_000);
  await first.stop();
  return tables;
}

test('with an empty data folder and no coordinator the agent keeps and repairs every shard', async (t) => {
  const world = await openWorld();
  await beforeTheCut(world);
  // While no agent ran, somebody edited one and deleted another.
  await world.during(
    world.hand.mergePatch(path, 'web', { spec: { selector: { app: 'x' } } }, 'hand'),
  );
  await world.during(world.hand.delete(path, 'chat', {}));
  const { agent, record, stop } = await world.live(new MemoryTables());
  t.is(agent.status().federation, 'fed');
  await world.clock.advance(2_000);
  t.deepEqual((await world.read('web'))?.spec.selector, { app: 'web' });
  t.is(await world.read('chat'), undefined, 'nothing says that it was wished for');
  t.deepEqual([...record.keys()].sort(), ['shop/mail', 'shop/web']);
  t.is(
    record.shard(toServiceKey({ namespace: 'shop', name: 'web' }))?.hash,
    toShard(manifestOf('web')).hash,
  );

  await world.during(world.hand.delete(path, 'mail', {}));
  await world.clock.advance(1_000);
  t.not(await world.read('mail'), undefined, 'a shard that goes is made anew');
  await world.during(
    world.hand.mergePatch(path, 'mail', { metadata: { labels: { app: 'x' } } }, 'hand'),
  );
  await world.clock.advance(1_000);
  t.is((await world.read('mail'))?.metadata.labels?.['app'], 'mail');
  await stop();
  await world.sim.close();
});

test('with an empty data folder the agent answers pods with their own cluster’s shard', async (t) => {
  const world = await openWorld();
  await beforeTheCut(world);
  const slices = { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', namespace: 'shop' };
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.8.0.5'], conditions: { ready: true } }],
    ports: [{ port: 80, protocol: 'TCP' }],
  };
  await world.during(world.hand.create(slices, slice));
  await world.during(
    world.hand.mergePatch(
      path,
      'web',
      { spec: { clusterIP: '10.0.0.9', clusterIPs: ['10.0.0.9'] } },
      'hand',
    ),
  );
  const { agent, stop } = await world.live(new MemoryTables());
  await world.clock.advance(2_000);
  const question = encode({ type: 'query', questions: [{ name: 'web.shop.fed', type: 'A' }] });
  const reply = await agent.resolver.answer(question, 'udp');
  if (!(reply instanceof Uint8Array)) return t.fail();
  const data = (decode(Buffer.from(reply)).answers ?? []).map((one) =>
    'data' in one ? one.data : '',
  );
  t.deepEqual(data, ['10.0.0.9']);
  await stop();
  await world.sim.close();
});

test('I2: an order that waited for its confirmation is an order still, and wished for never again', async (t) => {
  const world = await openWorld();
  const tables = await beforeTheCut(world);
  const record = await openAgentRecord(tables);
  const key = toServiceKey({ namespace: 'shop', name: 'web' });
  await record.applyBatch({
    kind: 'batch',
    revision: 6 as never,
    receipt: { storeId: 's', epoch: 1, revision: 6 as never, mac: new Uint8Array(32) },
    upserts: [],
    removals: [{ cluster: toClusterName('a'), key, mode: 'delete', revision: 6 as never }],
    isComplete: false,
  });
  const careful = await world.live(tables, 0);
  await world.clock.advance(5_000);
  await careful.stop();
  t.is((await world.read('web'))?.metadata.annotations?.['isthmus.dev/removal-order'], 'delete 6');

  const { record: fresh, stop } = await world.live(new MemoryTables(), 0);
  await world.clock.advance(2_000);
  t.is(fresh.shard(key), undefined);
  t.like(fresh.order(key), { mode: 'delete', revision: 6 });
  const confirm = { metadata: { annotations: { 'isthmus.dev/confirm-removal': 'true' } } };
  await world.during(world.hand.mergePatch(path, 'web', confirm, 'hand'));
  await world.clock.advance(2_000);
  t.is(await world.read('web'), undefined);
  await stop();
  await world.sim.close();
});
