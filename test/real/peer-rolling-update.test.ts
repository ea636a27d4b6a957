// A rolling update of 500 Pods in a real cluster, with the real EndpointSlice controller: what an
// agent tells of it is never a zero, and is bounded.

import { startReporter } from '../../agent/health/loop.ts';
import { pickSlice } from '../../agent/health/pick-slice.ts';
import { observeShards } from '../../agent/health/shard-observations.ts';
import { toClusterName, toRevision } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { TelemetryMessage } from '../../common/model/telemetry.ts';
import { shardOfMark } from '../../common/pure/shard-marks.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { createInformer } from '../../common/runtime/informer.ts';
import { connectKube } from '../../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createEmptyInformer } from '../../common/runtime/scoped-informer.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import {
  decodeProbeRequest,
  decodeReport,
  decodeSyncRequest,
  encodeProbeReply,
  encodeReport,
} from '../../common/wire/telemetry-codec.ts';
import { eventually } from '../support/eventually.ts';
import { startKubeApiserver, type KubeApiserver } from '../support/kube-apiserver.ts';
import { testWithPeers } from '../support/peers.ts';

const test = testWithPeers('etcd', 'kube-apiserver', 'kube-controller-manager');
const namespace = '/api/v1/namespaces/default';
const podCount = 500;
const batch = 50;
const atOnce = 10;

test('I3: a rolling update of 500 Pods never tells a zero, and at most a message each 100 ms', async (t) => {
  t.timeout(240_000);
  const server = await startKubeApiserver({ controllers: ['endpointslice-controller'] });
  t.teardown(() => server.stop());
  // The controller leaves out Pods of a Node that is not there.
  await server.ask({ method: 'POST', path: '/api/v1/nodes', body: { metadata: { name: 'n1' } } });
  await server.ask({ method: 'POST', path: `${namespace}/services`, body: service });
  const agent = await observe(server);
  t.teardown(agent.stop);
  const untilTold = (ready: number): Promise<void> =>
    eventually(60_000, async () =>
      agent.told.at(-1)?.ready === ready ? [] : [`${agent.told.at(-1)?.ready}, not ${ready}`],
    );

  await inBatches(podCount, (index) => startPod(server, `old-${index}`, index));
  await untilTold(podCount);

  agent.told.length = 0;
  const startMs = systemClock.monotonicMs();
  for (let from = 0; from < podCount; from += batch) {
    await inBatches(batch, (index) => startPod(server, `new-${from + index}`, 500 + from + index));
    await inBatches(batch, (index) => endPod(server, `old-${from + index}`));
  }
  const last = agent.told.length;
  await eventually(60_000, async () =>
    agent.told.length >= last && agent.told.at(-1)?.total === podCount
      ? []
      : [JSON.stringify(agent.told.at(-1))],
  );
  const tookMs = systemClock.monotonicMs() - startMs;
  t.true(Math.min(...agent.told.map(({ ready }) => ready)) >= podCount / 2);
  t.true(agent.told.length <= tookMs / 100 + 2, `${agent.told.length} in ${tookMs} ms`);

  await inBatches(podCount, (index) => endPod(server, `new-${index}`));
  await untilTold(0);
});

const service = {
  metadata: { name: 'nginx', annotations: { [shardOfMark]: 'fed' } },
  spec: { selector: { run: 'nginx' }, ports: [{ port: 80 }] },
};

async function startPod(server: KubeApiserver, name: string, index: number): Promise<void> {
  const containers = [{ name: 'nginx', image: 'nginx' }];
  const metadata = { name, labels: { run: 'nginx' } };
  const spec = { nodeName: 'n1', containers, automountServiceAccountToken: false };
  const path = `${namespace}/pods`;
  await expect(server.ask({ method: 'POST', path, body: { metadata, spec } }), 201);
  const podIP = `10.8.${Math.floor(index / 250)}.${(index % 250) + 1}`;
  const status = {
    phase: 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    conditions: [{ type: 'Ready', status: 'True' }],
  };
  await expect(
    server.ask({
      method: 'PATCH',
      path: `${path}/${name}/status`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { status },
    }),
    200,
  );
}

async function endPod(server: KubeApiserver, name: string): Promise<void> {
  const path = `${namespace}/pods/${name}?gracePeriodSeconds=0`;
  await expect(server.ask({ method: 'DELETE', path }), 200);
}

async function expect(
  asked: Promise<{ readonly status: number; readonly json: unknown }>,
  status: number,
): Promise<void> {
  const answer = await asked;
  if (answer.status !== status) throw new Error(JSON.stringify(answer.json));
}

async function inBatches(count: number, run: (index: number) => Promise<void>): Promise<void> {
  const indexes = Array.from({ length: count }, (_, index) => index).values();
  const work = async (): Promise<void> => {
    for (const index of indexes) await run(index);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

interface Told {
  readonly ready: number;
  readonly total: number;
}

async function observe(server: KubeApiserver) {
  const runtime = { clock: systemClock, chance: systemChance };
  const config = await loadKubeEndpoint(
    { kubeconfigPath: server.kubeconfig, context: undefined },
    process.env,
  );
  const kube = connectKube({ config, ...runtime });
  const common = { kube, log: silentLog };
  const slicesPath = { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices' };
  const observations = observeShards({
    services: createInformer({
      ...common,
      path: { apiVersion: 'v1', plural: 'services' },
      pick: (object) => object as Service, // watched under the path of Services
    }),
    slices: createInformer({ ...common, path: slicesPath, pick: pickSlice }),
    nodes: createEmptyInformer(),
    federation: 'fed',
    preferredAddresses: [],
    clock: systemClock,
  });
  const told: Told[] = [];
  const bus = recordingBus((message) => {
    if (message.kind === 'delta' && message.report === 'health') told.push(...message.changed);
  });
  const reporter = startReporter(
    {
      ...runtime,
      bus,
      codec: { encodeReport, decodeSyncRequest, decodeProbeRequest, encodeProbeReply },
      observations,
      freshness: {
        isFresh: () => true,
        isStale: () => false,
        ageMs: () => 0,
        version: () => '',
        look: () => undefined,
        subscribe: () => () => undefined,
        stop: () => undefined,
      },
      incarnation: () => ({ session: 1, boot: 1 }),
      viewRevision: () => toRevision(1),
      metrics: silentMetrics,
    },
    { federation: 'fed', cluster: toClusterName('a') },
  );
  const stop = (): void => {
    reporter.stop();
    observations.stop();
    kube.close();
  };
  return { told, stop };
}

function recordingBus(note: (message: TelemetryMessage) => void): TelemetryBus {
  return {
    isConnected: () => true,
    publish: (_subject, payload) => note(decodeReport(payload)),
    subscribe: () => ({ cancel: () => undefined }),
    serve: () => ({ cancel: () => undefined }),
    request: () => Promise.reject(new Error('agents ask nothing')),
    onConnection: () => () => undefined,
    close: () => Promise.resolve(),
  };
}
