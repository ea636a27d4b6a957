// What the demo itself asks of the federation's API: join tokens, and whether the clusters are in.

import type { Cluster, JoinToken } from '../common/model/isthmus-kinds.ts';
import type { KubeClient } from '../common/runtime/kube-client.ts';
import { connectKube } from '../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../common/runtime/kubeconfig.ts';
import type { Chance } from '../common/runtime/chance.ts';
import { sleep, type Clock } from '../common/runtime/clock.ts';

const apiVersion = 'isthmus.dev/v1alpha1';
const pollMs = 200;

export async function connectFederation(options: {
  readonly kubeconfig: string;
  readonly clock: Clock;
  readonly chance: Chance;
}): Promise<KubeClient> {
  const { kubeconfig, clock, chance } = options;
  const config = await loadKubeEndpoint({ kubeconfigPath: kubeconfig, context: undefined }, {});
  return connectKube({ config, clock, chance });
}

export interface MadeToken {
  readonly name: string;
  readonly token: string;
}

/** A token with which only `cluster` can join, within the hour. */
export async function makeJoinToken(kube: KubeClient, cluster: string): Promise<MadeToken> {
  const created = (await kube.create(
    { apiVersion, plural: 'jointokens' },
    {
      apiVersion,
      kind: 'JoinToken',
      metadata: { name: '', generateName: `${cluster}-` },
      spec: { cluster, expirationSeconds: 3600 },
    },
  )) as JoinToken; // the API answers with the kind that was created
  const token = created.status?.token;
  if (token === undefined) throw new Error(`the API made no join token for ${cluster}`);
  return { name: created.metadata.name, token };
}

/** Once its cluster has joined, nobody needs a token any more. */
export async function removeJoinToken(kube: KubeClient, { name }: MadeToken): Promise<void> {
  await kube.delete({ apiVersion, plural: 'jointokens' }, name, {});
}

/** Resolves with the names that are not Ready when all are, or when the time is up. */
export async function waitForClusters(
  kube: KubeClient,
  names: readonly string[],
  options: { readonly clock: Clock; readonly withinMs: number },
): Promise<readonly string[]> {
  const { clock, withinMs } = options;
  const until = clock.monotonicMs() + withinMs;
  for (;;) {
    const clusters = (await kube.list({ apiVersion, plural: 'clusters' })) as readonly Cluster[];
    const ready = new Set(clusters.filter(isReady).map(({ metadata }) => metadata.name));
    const missing = names.filter((name) => !ready.has(name));
    if (missing.length === 0 || clock.monotonicMs() > until) return missing;
    await sleep(clock, pollMs);
  }
}

function isReady(cluster: Cluster): boolean {
  return (
    cluster.status?.conditions?.some(
      ({ type, status }) => type === 'Ready' && status === 'True',
    ) === true
  );
}
