// Clusters of a bench, each with a join token made through the API, as a user would make it.

import type { KubeClient } from '../common/runtime/kube-client.ts';
import { makeJoinToken } from '../demo/federation-api.ts';
import type { WorkerCluster } from './worker-messages.ts';

const tokensAtOnce = 8;

export async function makeClusters(
  kube: KubeClient,
  count: number,
): Promise<readonly WorkerCluster[]> {
  const clusters: WorkerCluster[] = [];
  for (let from = 0; from < count; from += tokensAtOnce) {
    const indexes = Array.from(
      { length: Math.min(tokensAtOnce, count - from) },
      (_, offset) => from + offset,
    );
    const made = await Promise.all(
      indexes.map(async (index) => {
        const name = `bench-${index}`;
        const { token } = await makeJoinToken(kube, name);
        return { name, index, token };
      }),
    );
    clusters.push(...made);
  }
  return clusters;
}
