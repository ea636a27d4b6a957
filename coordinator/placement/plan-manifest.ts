// What a shard says before overrides: what the user wrote, and nothing that a cluster allocates or
// decides for itself. Pure.

import type { ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { Service, ServicePort, ServiceSpec } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { adoptionMark } from '../../common/pure/shard-marks.ts';

/** Federation v1's placement annotation. */
export const v1SelectorAnnotation = 'federation.alpha.kubernetes.io/cluster-selector';

// What a cluster allocates or decides for itself, and what it would refuse from elsewhere.
const neverSent = new Set([
  'clusterIP',
  'clusterIPs',
  'ipFamilies',
  'ipFamilyPolicy',
  'healthCheckNodePort',
  'type',
  'ports',
  'selector',
]);

const keptHere = /^(isthmus\.dev\/|kubectl\.kubernetes\.io\/last-applied-configuration$)/;

export function toManifest(service: Service, policy: ServicePolicy | undefined): ShardManifest {
  const { spec, metadata } = service;
  const { adoption = 'always' } = policy?.spec ?? {};
  const annotations = {
    ...Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(
        ([key]) => !keptHere.test(key) && key !== v1SelectorAnnotation,
      ),
    ),
    // For the agent, which keeps it to itself.
    ...(adoption === 'always' ? {} : { [adoptionMark]: adoption }),
  };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace ?? 'default',
      ...(isEmpty(metadata.labels) ? {} : { labels: metadata.labels ?? {} }),
      ...(isEmpty(annotations) ? {} : { annotations }),
    },
    spec: toShardSpec(spec),
  };
}

function toShardSpec(spec: ServiceSpec): ShardManifest['spec'] {
  const passed = Object.fromEntries(
    Object.entries(spec).filter(([field]) => !neverSent.has(field)),
  );
  return {
    ...passed,
    ...(spec.clusterIP === 'None' ? { clusterIP: 'None' } : {}),
    type: spec.type ?? 'ClusterIP',
    ...(spec.ports === undefined ? {} : { ports: spec.ports.map(withoutNodePort) }),
    ...(spec.selector === undefined ? {} : { selector: spec.selector }),
  };
}

function withoutNodePort({ nodePort: _allocated, ...port }: ServicePort): ServicePort {
  return port;
}

function isEmpty(map: object | undefined): boolean {
  return map === undefined || Object.keys(map).length === 0;
}
