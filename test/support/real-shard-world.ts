// A shard applier whose member cluster is a real kube-apiserver: an assignment that the test
// writes, its results and events, and the writes that it sends.

import type { ExecutionContext } from 'ava';
import { splitServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { JsonObject, KubeObject, Service } from '../../common/model/kube-object.ts';
import type { ShardManifest, ShardResult } from '../../common/model/shard.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { createInformer } from '../../common/runtime/informer.ts';
import type { KubeClient, ResourcePath } from '../../common/runtime/kube-client.ts';
import { connectKube } from '../../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { RecordEvent } from '../../agent/shard/assignment.ts';
import { createShardApplier } from '../../agent/shard/loop.ts';
import type { LocalGuard } from '../../agent/shard/plan-guard.ts';
import { createTestAssignment, type TestAssignment } from './agent-fixture.ts';
import { eventually } from './eventually.ts';
import type { KubeApiserver } from './kube-apiserver.ts';

export interface RealShardWorld {
  readonly assignment: TestAssignment;
  readonly results: ReadonlyMap<ServiceKey, ShardResult>;
  readonly events: readonly Parameters<RecordEvent>[0][];
  /** Writes that the applier sent, Events apart: `apply shop/web`. */
  readonly writes: readonly string[];
  read(key: ServiceKey): Promise<Service | undefined>;
  /** As `manager`, whom managedFields names. */
  edit(key: ServiceKey, patch: JsonObject, manager?: string): Promise<void>;
  create(path: string, body: object): Promise<KubeObject>;
  /** Waits for a result with this reason. */
  untilTold(key: ServiceKey, reason: string): Promise<ShardResult>;
  /** Lets the watch bring what others wrote, and the applier answer it. */
  settle(key: ServiceKey): Promise<void>;
}

const withinMs = 20_000;

export async function openRealShardWorld(
  t: ExecutionContext,
  server: KubeApiserver,
  options: { readonly user?: string; readonly guard?: LocalGuard } = {},
): Promise<RealShardWorld> {
  const from = { kubeconfigPath: server.kubeconfigOf(options.user ?? 'admin'), context: undefined };
  const config = await loadKubeEndpoint(from, {});
  const base = { clock: systemClock, chance: systemChance, log: silentLog };
  const client = connectKube({ config, ...base });
  const writes: string[] = [];
  const kube = countWrites(client, writes);
  const services = createInformer({
    kube,
    log: silentLog,
    path: { apiVersion: 'v1', plural: 'services' },
    pick: (object) => object as Service,
  });
  const assignment = createTestAssignment();
  const results = new Map<ServiceKey, ShardResult>();
  const events: Parameters<RecordEvent>[0][] = [];
  const applier = createShardApplier(
    {
      ...base,
      kube,
      services,
      assignment,
      gate: { isFresh: () => true, subscribe: () => () => undefined },
      report: (result) => {
        const { key, outcome } = result;
        results.set(key, result);
        // As the session does: an order that was obeyed is over.
        if (outcome === 'removed' || outcome === 'released') assignment.forget(key);
      },
      record: (event) => void events.push(event),
      metrics: silentMetrics,
    },
    {
      federation: 'fed',
      guard: options.guard ?? { allowedNamespaces: [], removalsPerMinute: 100 },
    },
  );
  t.teardown(async () => {
    await applier.stop();
    services.stop();
    client.close();
  });
  await eventually(withinMs, () => Promise.resolve(services.hasSynced() ? [] : ['no list yet']));
  const pathOf = (key: ServiceKey): string => {
    const { namespace, name } = splitServiceKey(key);
    return `/api/v1/namespaces/${namespace}/services/${name}`;
  };
  const read = async (key: ServiceKey): Promise<Service | undefined> => {
    const { status, json } = await server.ask({ path: pathOf(key) });
    return status === 200 ? (json as Service) : undefined;
  };
  return {
    assignment,
    results,
    events,
    writes,
    read,
    edit: async (key, body, manager = 'somebody') => {
      const headers = { 'content-type': 'application/merge-patch+json' };
      const path = `${pathOf(key)}?fieldManager=${manager}`;
      const { status, text } = await server.ask({ method: 'PATCH', path, headers, body });
      if (status !== 200) throw new Error(`PATCH ${path}: ${status} ${text}`);
    },
    create: async (path, body) => {
      const { status, text, json } = await server.ask({ method: 'POST', path, body });
      if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`);
      return json as KubeObject;
    },
    untilTold: async (key, reason) => {
      await eventually(withinMs, () => {
        const told = results.get(key);
        return Promise.resolve(told?.reason === reason ? [] : [`${key}: ${JSON.stringify(told)}`]);
      });
      const told = results.get(key);
      if (told === undefined) throw new Error(`nothing told of ${key}`);
      return told;
    },
    settle: (key) =>
      eventually(withinMs, async () => {
        const live = await read(key);
        const seen = services.get(key)?.metadata.resourceVersion;
        // What the cluster does not keep is tried again after a while: one key waits for that.
        const waiting = results.get(key)?.reason.startsWith('Fields') === true ? 1 : 0;
        const isSeen = seen === live?.metadata.resourceVersion && applier.depth() === waiting;
        const told = JSON.stringify(results.get(key));
        return isSeen ? [] : [`${key}: seen ${seen}, depth ${applier.depth()}, told ${told}`];
      }),
  };
}

function countWrites(kube: KubeClient, writes: string[]): KubeClient {
  const note = (verb: string, { plural, namespace }: ResourcePath, name: string): void => {
    if (plural === 'services') writes.push(`${verb} ${namespace ?? ''}/${name}`);
  };
  return {
    ...kube,
    create: (path, object) => {
      note('create', path, object.metadata.name);
      return kube.create(path, object);
    },
    apply: (path, name, configuration, options) => {
      note('apply', path, name);
      return kube.apply(path, name, configuration, options);
    },
    jsonPatch: (path, name, patch, fieldManager) => {
      note('patch', path, name);
      return kube.jsonPatch(path, name, patch, fieldManager);
    },
    delete: (path, name, options) => {
      note('delete', path, name);
      return kube.delete(path, name, options);
    },
  };
}

/** A manifest in namespace default unless it says otherwise. */
export function toManifest(
  name: string,
  spec: ShardManifest['spec'],
  metadata: Partial<ShardManifest['metadata']> = {},
): ShardManifest {
  const namespace = metadata.namespace ?? 'default';
  return { apiVersion: 'v1', kind: 'Service', metadata: { ...metadata, name, namespace }, spec };
}
