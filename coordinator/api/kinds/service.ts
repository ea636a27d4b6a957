// v1 Service. At the federation it carries the finalizer that holds it until its shards are
// ordered away; in a member cluster it gets addresses from that cluster's allocator.

import { shardsFinalizer } from '../../../common/model/isthmus-kinds.ts';
import type { JsonObject, KubeObject } from '../../../common/model/kube-object.ts';
import {
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../machinery/schema/json-value.ts';
import type { Column, KindDefinition, WriteContext } from '../machinery/kind.ts';
import { ageColumn, column, nameColumn } from './columns.ts';
import { loggedKind } from './definition.ts';
import {
  clearLoadBalancer,
  isHeadless,
  prepareServiceForCreate,
  prepareServiceForUpdate,
  setServiceDefaults,
} from './service-defaults.ts';
import { validateService, validateServiceUpdate } from './service-rules.ts';
import { serviceSchema } from './service-schema.ts';

/** Gives a Service its addresses and node ports; `old` is undefined for a create. */
export type Allocate = (service: KubeObject, old: KubeObject | undefined) => KubeObject;

export interface ServiceKindOptions {
  /** True at the federation: removal of the shards comes before the Service goes. */
  readonly federation: boolean;
  readonly allocate?: Allocate | undefined;
}

export function serviceKind(options: ServiceKindOptions): KindDefinition {
  const { federation, allocate = (service) => service } = options;
  return loggedKind({
    version: 'v1',
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    hasStatus: true,
    allowsCreateOnUpdate: true,
    deleteAnswer: 'object',
    schema: serviceSchema,
    description: serviceSchema.description,
    columns,
    fieldSelectors: {
      'spec.clusterIP': (service) => ownText(specOf(service), 'clusterIP'),
      'spec.type': (service) => ownText(specOf(service), 'type'),
    },
    setDefaults: onJson(setServiceDefaults),
    prepareForCreate: (service, context) => {
      const prepared = toKubeObject(prepareServiceForCreate(toJsonObject(service)));
      warnOf(toJsonObject(prepared), context);
      return allocate(federation ? withShardsFinalizer(prepared) : prepared, undefined);
    },
    prepareForUpdate: (next, old, context) => {
      const before = toJsonObject(old);
      const prepared = prepareServiceForUpdate(toJsonObject(next), before);
      warnOf(prepared, context);
      const cleared = toKubeObject(clearLoadBalancer(prepared, before));
      // A manifest that is put back whole does not know the finalizer; without it a delete would
      // leave before its shards are ordered away.
      const isGoing = old.metadata.deletionTimestamp !== undefined;
      return allocate(federation && !isGoing ? withShardsFinalizer(cleared) : cleared, old);
    },
    validate: (service) => validateService(toJsonObject(service)),
    validateUpdate: (next, old) => validateServiceUpdate(toJsonObject(next), toJsonObject(old)),
  });
}

function onJson(change: (service: JsonObject) => JsonObject): (service: KubeObject) => KubeObject {
  return (service) => toKubeObject(change(toJsonObject(service)));
}

function specOf(service: KubeObject): JsonObject {
  return ownRecord(toJsonObject(service), 'spec');
}

function withShardsFinalizer(service: KubeObject): KubeObject {
  const finalizers = service.metadata.finalizers ?? [];
  if (finalizers.includes(shardsFinalizer)) return service;
  const metadata = { ...service.metadata, finalizers: [...finalizers, shardsFinalizer] };
  return { ...service, metadata };
}

function warnOf(service: JsonObject, context: WriteContext): void {
  const spec = ownRecord(service, 'spec');
  const type = ownText(spec, 'type');
  if (isHeadless(spec) && ownText(spec, 'sessionAffinity') === 'ClientIP') {
    context.warn('spec.SessionAffinity is ignored for headless services');
  }
  if (ownText(spec, 'externalName') !== '' && type !== 'ExternalName') {
    context.warn('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
}

const none = '<none>';

const columns: readonly Column[] = [
  nameColumn,
  column('Type', 'How the Service is exposed.', (service) =>
    ownText(ownRecord(service, 'spec'), 'type'),
  ),
  column('Cluster-IP', 'Virtual address inside the cluster.', (service) =>
    String(ownList(ownRecord(service, 'spec'), 'clusterIPs')[0] ?? none),
  ),
  column('External-IP', 'Addresses that reach the Service from outside.', formatExternalIp),
  column('Port(s)', 'Ports on which the Service is reached.', formatPorts),
  ageColumn,
  column(
    'Selector',
    'Labels of the pods behind the Service.',
    (service) => formatLabels(ownRecord(ownRecord(service, 'spec'), 'selector')),
    { priority: 1 },
  ),
];

function formatExternalIp(service: JsonObject): string {
  const spec = ownRecord(service, 'spec');
  const externalIps = ownList(spec, 'externalIPs').map(String);
  switch (ownText(spec, 'type')) {
    case 'ClusterIP':
    case 'NodePort':
      return externalIps.length > 0 ? externalIps.join(',') : none;
    case 'LoadBalancer': {
      const all = [...ingressOf(service), ...externalIps];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return ownText(spec, 'externalName');
    default:
      return '<unknown>';
  }
}

function ingressOf(service: JsonObject): readonly string[] {
  const loadBalancer = ownRecord(ownRecord(service, 'status'), 'loadBalancer');
  const addresses = ownList(loadBalancer, 'ingress')
    .filter(isRecord)
    .map((entry) => ownText(entry, 'ip') || ownText(entry, 'hostname'))
    .filter((address) => address !== '');
  return [...new Set(addresses)].sort();
}

function formatPorts(service: JsonObject): string {
  const ports = ownList(ownRecord(service, 'spec'), 'ports').filter(isRecord);
  if (ports.length === 0) return none;
  return ports
    .map((port) => {
      const nodePort = own(port, 'nodePort');
      const number = String(own(port, 'port') ?? 0);
      const protocol = ownText(port, 'protocol');
      return nodePort === undefined
        ? `${number}/${protocol}`
        : `${number}:${String(nodePort)}/${protocol}`;
    })
    .join(',');
}

/** `k=v,k2=v2`, sorted. */
export function formatLabels(labels: JsonObject): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`);
  return pairs.length === 0 ? none : pairs.sort().join(',');
}
