import test, { type ExecutionContext } from 'ava';
import { apiServiceKey, isFederated } from '../../common/model/ids.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { serviceKind } from '../../coordinator/api/kinds/service/service.ts';
import {
  keepKubernetesService,
  type KubernetesService,
} from '../../coordinator/api/kubernetes-service.ts';
import { toJsonObject } from '../../coordinator/api/machinery/schema/json-value.ts';
import { createProjection, type Projection } from '../../coordinator/desired/projection.ts';
import { createServiceApi, specOf, type ServiceApi } from '../support/service-api.ts';

interface World {
  readonly api: ServiceApi;
  readonly service: KubernetesService;
  readonly endpoints: Projection;
  readonly endpointSlices: Projection;
}

function keep(api: ServiceApi, clusterIP: string | undefined, port = 6443): World {
  const of = (group: string, resource: string): Projection =>
    createProjection({ epoch: 1, group, resource, clock: systemClock });
  const endpoints = of('', 'endpoints');
  const endpointSlices = of('discovery.k8s.io', 'endpointslices');
  const service = keepKubernetesService({
    at: { hosts: ['192.0.2.7', 'isthmus.example.com', '2001:db8::7'], port },
    clusterIP,
    api: api.fixture.api,
    desired: api.desired,
    endpoints,
    endpointSlices,
    clock: systemClock,
    chance: systemChance,
    log: silentLog,
  });
  return { api, service, endpoints, endpointSlices };
}

async function start(
  t: ExecutionContext,
  clusterIP: string | undefined = '10.96.0.1',
): Promise<World> {
  const world = keep(await createServiceApi(), clusterIP);
  t.teardown(() => world.service.stop());
  await world.service.idle();
  return world;
}

const https = { name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 };

test('the Service kubernetes is there as in every cluster', async (t) => {
  const { api } = await start(t);
  const answer = await api.get('kubernetes');
  t.deepEqual(specOf(answer), {
    clusterIP: '10.96.0.1',
    clusterIPs: ['10.96.0.1'],
    internalTrafficPolicy: 'Cluster',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    ports: [https],
    sessionAffinity: 'None',
    type: 'ClusterIP',
  });
  const { labels, finalizers } = answer.json['metadata'] as Record<string, unknown>;
  t.deepEqual(
    [labels, finalizers],
    [{ component: 'apiserver', provider: 'kubernetes' }, undefined],
  );
});

test('its Endpoints and EndpointSlices lead to the addresses that are advertised', async (t) => {
  const { endpoints, endpointSlices } = await start(t);
  const [only, ...others] = [...endpoints.list('')].map(({ object }) => object);
  t.is(others.length, 0);
  t.deepEqual(only === undefined ? undefined : toJsonObject(only)['subsets'], [
    {
      addresses: [{ ip: '192.0.2.7' }, { ip: '2001:db8::7' }],
      ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
    },
  ]);
  const slices = [...endpointSlices.list('')].map(({ object }) => object);
  t.deepEqual(
    slices.map((slice) => [
      slice.metadata.name,
      toJsonObject(slice)['addressType'],
      toJsonObject(slice)['endpoints'],
    ]),
    [
      ['kubernetes', 'IPv4', [{ addresses: ['192.0.2.7'], conditions: { ready: true } }]],
      ['kubernetes-ipv6', 'IPv6', [{ addresses: ['2001:db8::7'], conditions: { ready: true } }]],
    ],
  );
  t.deepEqual(slices[0]?.metadata.labels, { 'kubernetes.io/service-name': 'kubernetes' });
});

test('K1. deleted, it comes back with its address', async (t) => {
  const { api, service } = await start(t);
  const before = (await api.get('kubernetes')).json['metadata'] as { readonly uid: string };
  t.is((await api.remove('kubernetes')).status, 200);
  await service.idle();
  const answer = await api.get('kubernetes');
  t.is(specOf(answer)['clusterIP'], '10.96.0.1');
  t.not((answer.json['metadata'] as { readonly uid: string }).uid, before.uid);
});

test('K1. a user’s labels stay, other ports and another type do not', async (t) => {
  const { api, service } = await start(t);
  const ports = [{ name: 'https', port: 8443 }];
  const body = { metadata: { labels: { team: 'a' } }, spec: { type: 'NodePort', ports } };
  t.is((await api.patch('kubernetes', body)).status, 200);
  await service.idle();
  const answer = await api.get('kubernetes');
  t.deepEqual([specOf(answer)['type'], specOf(answer)['ports']], ['ClusterIP', [https]]);
  const { labels } = answer.json['metadata'] as Record<string, unknown>;
  t.deepEqual(labels, { component: 'apiserver', provider: 'kubernetes', team: 'a' });
});

test('K1. the next start leaves it as it is, or leads it to another port', async (t) => {
  const { api, service } = await start(t);
  await service.stop();
  const before = await api.get('kubernetes');
  const again = keep(api, '10.96.0.1');
  await again.service.idle();
  await again.service.stop();
  t.deepEqual((await api.get('kubernetes')).json, before.json);
  const moved = keep(api, '10.96.0.1', 7443);
  t.teardown(() => moved.service.stop());
  await moved.service.idle();
  t.deepEqual(specOf(await api.get('kubernetes'))['ports'], [{ ...https, targetPort: 7443 }]);
});

test('when another Service has the first address, it takes any other', async (t) => {
  const api = await createServiceApi();
  await api.create('early', { clusterIP: '10.96.0.1', ports: [{ port: 80 }] });
  const { service } = keep(api, '10.96.0.1');
  t.teardown(() => service.stop());
  await service.idle();
  t.regex(String(specOf(await api.get('kubernetes'))['clusterIP']), /^10\.96\.\d+\.(?!1$)\d+$/);
});

test('where Services have no addresses it has none either', async (t) => {
  const world = keep(await createServiceApi({ addresses: 'none' }), undefined);
  t.teardown(() => world.service.stop());
  await world.service.idle();
  const answer = await world.api.get('kubernetes');
  t.deepEqual([answer.status, specOf(answer)['clusterIP']], [200, undefined]);
});

test('K2. it gets no finalizer of the federation', (t) => {
  t.false(isFederated(apiServiceKey));
  const kind = serviceKind({ federation: true });
  const finalizersOf = (name: string): unknown =>
    kind.prepareForCreate?.(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'default' },
        spec: { ports: [{ port: 443 }] },
      },
      {
        user: { name: 'ana', groups: [] },
        nowMs: 0,
        secretBytes: () => new Uint8Array(),
        isDryRun: false,
        subresource: '',
        read: () => undefined,
        warn: () => undefined,
      },
    ).metadata.finalizers;
  t.deepEqual(
    [finalizersOf('kubernetes'), finalizersOf('nginx')],
    [undefined, ['isthmus.dev/shards']],
  );
});
