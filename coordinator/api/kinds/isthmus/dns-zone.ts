// isthmus.dev/v1alpha1 DNSZone: where the federation's public names are kept. Cluster-scoped: whoever
// writes one decides for every namespace.
//
//   S1. A zone uses a Secret only if who names it may read it: the right to write DNSZones is no
//       way to other people's credentials.

import { dnsZoneFinalizer, isthmusGroup } from '../../../../common/model/isthmus-kinds.ts';
import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { forbiddenBecause } from '../../machinery/answer/status-error.ts';
import type { AccessContext, KindDefinition } from '../../machinery/kind.ts';
import {
  isRecord,
  jsonEquals,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
} from '../../machinery/schema/json-value.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { objectSchema } from '../common-schema.ts';
import { isthmusKind } from '../definition.ts';
import { validateDnsZone, validateDnsZoneUpdate } from './dns-zone-rules.ts';
import { dnsZoneSpecSchema, dnsZoneStatusSchema } from './dns-zone-schema.ts';

const description =
  'A DNS zone in which the public names of Services are kept: at Route 53, at Cloud DNS, at a ' +
  'server that takes dynamic updates, or by the coordinator itself.';

export const dnsZoneKind: KindDefinition = isthmusKind({
  kind: 'DNSZone',
  plural: 'dnszones',
  shortNames: ['dnsz'],
  isNamespaced: false,
  hasStatus: true,
  description,
  schema: objectSchema(
    'DNSZone',
    description,
    { spec: dnsZoneSpecSchema, status: dnsZoneStatusSchema },
    { required: ['spec'] },
  ),
  columns: [
    nameColumn,
    column('Domain', 'Domain under which the names stand.', (zone) => specText(zone, 'domain')),
    column('Provider', 'Who serves the zone.', (zone) => specText(zone, 'provider')),
    column('Records', 'Record sets of ours in the zone.', (zone) =>
      statusNumber(zone, 'recordSets'),
    ),
    column('Pending', 'Services whose names wait to be written.', (zone) =>
      statusNumber(zone, 'pending'),
    ),
    column('Ready', 'True when names are written, or why not.', formatReady),
    ageColumn,
    column('Visibility', 'Whether names may carry private addresses.', formatVisibility, {
      priority: 1,
    }),
    column(
      'Message',
      'What is wrong, or that nothing is.',
      (zone) => ownText(conditionOf(zone, 'Ready'), 'message'),
      { priority: 1 },
    ),
  ],
  fieldSelectors: {
    'spec.provider': (zone) => specText(toJsonObject(zone), 'provider'),
    'spec.domain': (zone) => specText(toJsonObject(zone), 'domain'),
  },
  // Held until its names are gone from the provider (I7).
  prepareForCreate: (zone) => ({
    ...zone,
    metadata: {
      ...zone.metadata,
      finalizers: [...new Set([...(zone.metadata.finalizers ?? []), dnsZoneFinalizer])],
    },
  }),
  refuseWrite: refuseForeignSecret,
  validate: (zone) => validateDnsZone(toJsonObject(zone)),
  validateUpdate: (next, old) => validateDnsZoneUpdate(toJsonObject(next), toJsonObject(old)),
});

/** S1. Also when the place that the credentials are sent to becomes another. */
function refuseForeignSecret(
  next: KubeObject,
  old: KubeObject | undefined,
  { user, access }: AccessContext,
): void {
  const spec = ownRecord(toJsonObject(next), 'spec');
  const secret = own(spec, 'secretRef');
  if (!isRecord(secret)) return;
  const before = old === undefined ? {} : ownRecord(toJsonObject(old), 'spec');
  if (jsonEquals(useOf(spec), useOf(before))) return;
  const at = {
    group: '',
    version: '*',
    resource: 'secrets',
    subresource: '',
    namespace: ownText(secret, 'namespace'),
    name: ownText(secret, 'name'),
  };
  if (access.authorize({ ...at, user, verb: 'get', path: '', isResource: true }).allowed) return;
  throw forbiddenBecause({
    group: isthmusGroup,
    resource: 'dnszones',
    name: next.metadata.name,
    why:
      `user ${JSON.stringify(user.name)} cannot get the secret "${at.namespace}/${at.name}", ` +
      'which the zone would use (spec.secretRef)',
  });
}

function useOf(spec: JsonObject): JsonObject {
  return {
    secretRef: own(spec, 'secretRef'),
    route53: own(spec, 'route53'),
    cloudDNS: own(spec, 'cloudDNS'),
    rfc2136: own(spec, 'rfc2136'),
  };
}

function specText(zone: JsonObject, field: string): string {
  return ownText(ownRecord(zone, 'spec'), field);
}

function statusNumber(zone: JsonObject, field: string): string {
  return String(own(ownRecord(zone, 'status'), field) ?? '');
}

function formatVisibility(zone: JsonObject): string {
  return specText(zone, 'visibility') || 'Public';
}

function conditionOf(zone: JsonObject, type: string): JsonObject {
  const all = ownList(ownRecord(zone, 'status'), 'conditions').filter(isRecord);
  return all.find((each) => ownText(each, 'type') === type) ?? {};
}

/** The reason says more than False does. */
function formatReady(zone: JsonObject): string {
  const ready = conditionOf(zone, 'Ready');
  const status = ownText(ready, 'status') || 'Unknown';
  return status === 'True' ? status : ownText(ready, 'reason') || status;
}
