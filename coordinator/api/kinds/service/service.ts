// v1 Service. At the federation it carries the finalizer that holds it until its shards are
// ordered away; in a member cluster it gets addresses from that cluster's allocator.

import { shardsFinalizer } from '../../../../common/model/isthmus-kinds.ts';
import { isFederated, toServiceKey } from '../../../../common/model/ids.ts';
import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import type { ServicePools } from '../../allocation/service-pools.ts';
import type { KindDefinition, WriteContext } from '../../machinery/kind.ts';
import { listLabel1035Faults } from '../../machinery/rules/name-rules.ts';
import { maskTrailingDash } from '../../machinery/rules/object-rules.ts';
import {
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import { loggedKind } from '../definition.ts';
import { allocateService } from './service-allocation.ts';
import { serviceColumns } from './service-columns.ts';
import { setServiceDefaults } from './service-defaults.ts';
import { dropByType, hideInternalPolicy } from './service-prepare.ts';
import { validateService, validateServiceChange } from './service-rules.ts';
import { serviceSchema } from './service-schema.ts';
import { validateServiceStatus } from './service-status-rules.ts';
import { warnOfService, warnOfServiceStatus } from './service-warnings.ts';

/** Gives a Service its addresses and node ports; `old` is undefined for a create. */
export type Allocate = (service: KubeObject, old: KubeObject | undefined) => KubeObject;

export interface ServiceKindOptions {
  /** True at the federation: removal of the shards comes before the Service goes. */
  readonly federation: boolean;
  /** Addresses and ports of the federation; without them a Service keeps what it says. */
  readonly pools?: ServicePools | undefined;
  /** A simulated member cluster's own way of giving addresses. */
  readonly allocate?: Allocate | undefined;
}

export function serviceKind(options: ServiceKindOptions): KindDefinition {
  const { federation, pools, allocate } = options;
  const rules = { givesHealthCheckPorts: pools !== undefined };
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
    columns: serviceColumns,
    fieldSelectors: {
      'spec.clusterIP': (service) => ownText(specOf(service), 'clusterIP'),
      'spec.type': (service) => ownText(specOf(service), 'type'),
    },
    // Older members know this grammar only; 1.34 has it as its default too.
    nameRule: (name, isPrefix) => listLabel1035Faults(isPrefix ? maskTrailingDash(name) : name),
    setDefaults: (service) => toKubeObject(setServiceDefaults(toJsonObject(service))),
    allocate: (next, old, context) => {
      const allocated = allocateService(next, old, { pools, context });
      return allocate === undefined
        ? allocated
        : { ...allocated, object: allocate(allocated.object, old) };
    },
    prepareForCreate: (service, context) => {
      const status = { loadBalancer: {} };
      const prepared = hideInternalPolicy({ ...toJsonObject(service), status });
      for (const warning of warnOfService(prepared)) context.warn(warning);
      return held(toKubeObject(prepared), federation);
    },
    prepareForUpdate: (next, old, context) => {
      const prepared =
        context.subresource === 'status' ? toJsonObject(next) : prepareChange(next, old, context);
      if (context.subresource === 'status') {
        for (const warning of warnOfServiceStatus(prepared)) context.warn(warning);
      }
      // A manifest that is put back whole does not know the finalizer; without it a delete would
      // leave before its shards are ordered away.
      const isGoing = old.metadata.deletionTimestamp !== undefined;
      return held(toKubeObject(prepared), federation && !isGoing);
    },
    validate: (service) => validateService(toJsonObject(service), undefined, rules),
    validateChange: (next, old, subresource) =>
      subresource === 'status'
        ? validateServiceStatus(toJsonObject(next), toJsonObject(old))
        : validateServiceChange(toJsonObject(next), toJsonObject(old), rules),
  });
}

function prepareChange(next: KubeObject, old: KubeObject, context: WriteContext): JsonObject {
  const dropped = dropByType(toJsonObject(next), toJsonObject(old));
  const prepared = hideInternalPolicy(dropped);
  for (const warning of warnOfService(prepared)) context.warn(warning);
  return prepared;
}

function specOf(service: KubeObject): JsonObject {
  return ownRecord(toJsonObject(service), 'spec');
}

function held(service: KubeObject, isHeld: boolean): KubeObject {
  const finalizers = service.metadata.finalizers ?? [];
  const { namespace = '', name } = service.metadata;
  if (!isHeld || !isFederated(toServiceKey({ namespace, name }))) return service;
  if (finalizers.includes(shardsFinalizer)) return service;
  const metadata = { ...service.metadata, finalizers: [...finalizers, shardsFinalizer] };
  return { ...service, metadata };
}
