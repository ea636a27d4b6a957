// How a real mesh looks to its users: the guide's Service nginx, its names, its clusters.

import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { domain, federation, type MemberCluster } from '../../demo/clusters.ts';
import { globalNameOf, regionNameOf, zoneNameOf } from '../../demo/guide/expected-dns.ts';
import type { RealMesh } from './real-mesh.ts';

export const scope = { federation, domain };

/** Zone, region and global names of the guide's Service. */
export function namesOfNginx(clusters: readonly MemberCluster[]): readonly string[] {
  const regions = [...new Set(clusters.map(({ region }) => region))];
  return [
    globalNameOf(scope),
    ...regions.map((region) => regionNameOf(region, scope)),
    ...clusters.map((cluster) => zoneNameOf(cluster, scope)),
  ];
}

export async function getNginx(kube: KubeClient): Promise<KubeObject | undefined> {
  return kube.get({ apiVersion: 'v1', plural: 'services', namespace: 'default' }, 'nginx');
}

/** The address that clients outside can use. */
export function publicAddressOf(service: KubeObject | undefined): string | undefined {
  const status = service?.status as { loadBalancer?: { ingress?: { ip?: string }[] } } | undefined;
  return status?.loadBalancer?.ingress?.find(({ ip }) => ip?.startsWith('127.') === true)?.ip;
}

/** `True`, `False`, `Unknown` or `absent`. */
export async function conditionOf(
  kube: KubeClient,
  cluster: string,
  type: string,
): Promise<string> {
  const path = { apiVersion: 'isthmus.dev/v1alpha1', plural: 'clusters' };
  const status = (await kube.get(path, cluster))?.status as JsonObject | undefined;
  const conditions = (status?.['conditions'] ?? []) as { type: string; status: string }[];
  return conditions.find((condition) => condition.type === type)?.status ?? 'absent';
}

/** Makes the Pod nginx of a member cluster ready, or not. */
export async function annotateReady(
  mesh: RealMesh,
  cluster: string,
  isReady: boolean,
): Promise<void> {
  const annotation = `demo.isthmus.dev/ready=${isReady}`;
  await mesh.kubectl(cluster, ['annotate', '--overwrite', 'pod', 'nginx', annotation]);
}

/** Clusters whose nginx does not carry this label with this value. */
export async function withoutLabel(
  mesh: RealMesh,
  clusters: readonly string[],
  label: { readonly name: string; readonly value: string },
): Promise<readonly string[]> {
  const faults = await Promise.all(
    clusters.map(async (cluster) => {
      const found = (await getNginx(mesh.kube(cluster)))?.metadata.labels?.[label.name];
      return found === label.value ? [] : [`${cluster}: ${label.name}=${found ?? 'absent'}`];
    }),
  );
  return faults.flat();
}
