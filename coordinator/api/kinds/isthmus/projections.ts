// isthmus.dev/v1alpha1 ServiceShard and DNSRecordSet: read-only views of what each cluster has of
// a Service, and of what each name answers and why.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import {
  isRecord,
  own,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
} from '../../machinery/schema/json-value.ts';
import type { KindDefinition, Verb } from '../../machinery/kind.ts';
import { conditions, objectSchema } from '../common-schema.ts';
import { ageColumn, column, formatSince, nameColumn } from '../columns.ts';
import { isthmusKind } from '../definition.ts';
import { flag, int32, kept, list, struct, text, texts, time } from '../schema-parts.ts';

const readOnly: readonly Verb[] = ['get', 'list', 'watch'];

const shardDescription = "One cluster's part of a Service: what is there, and how it is.";

const shardSpec = struct('ServiceShardSpec', 'Which shard it is.', {
  service: text('Name of the Service.'),
  cluster: text('Name of the cluster.'),
});

const shardStatus = struct('ServiceShardStatus', 'What is known of the shard.', {
  zones: texts('Zones of the cluster.'),
  region: text('Region of the cluster.'),
  ready: kept(int32('Endpoints that take connections.')),
  total: kept(int32('All endpoints.')),
  ingress: texts('Addresses that reach the shard from outside.'),
  health: text('healthy, or what keeps the shard out of DNS; unclaimed when nobody wants it.'),
  applied: kept(flag('True when the cluster has the Service as it is wanted.')),
  reason: text('Why it is so, in one CamelCase word.'),
  message: text('Why it is so, as a sentence.'),
  since: time('When the health last changed.'),
  lastProofOfLife: time('When the cluster was last heard of.'),
  conditions,
});

export const serviceShardKind: KindDefinition = isthmusKind({
  kind: 'ServiceShard',
  plural: 'serviceshards',
  shortNames: ['svcshard'],
  storage: 'projected',
  // A delete decides about a shard that nobody wants (coordinator/unclaimed-shards.ts).
  verbs: [...readOnly, 'delete'],
  description: shardDescription,
  schema: objectSchema('ServiceShard', shardDescription, { spec: shardSpec, status: shardStatus }),
  columns: [
    nameColumn,
    column('Cluster', 'Name of the cluster.', (shard) => specText(shard, 'cluster')),
    column('Service', 'Name of the Service.', (shard) => specText(shard, 'service')),
    column('Ready', 'Endpoints that take connections, of all.', formatReady),
    column('Ingress', 'Addresses from outside.', (shard) =>
      ownList(ownRecord(shard, 'status'), 'ingress').map(String).join(','),
    ),
    column('Health', 'healthy, or what is wrong.', (shard) => statusText(shard, 'health')),
    column('Last-Seen', 'Time since the cluster was last heard of.', formatLastSeen),
    ageColumn,
    column('Reason', 'Why, in one word.', (shard) => statusText(shard, 'reason'), { priority: 1 }),
    column('Message', 'Why, as a sentence.', (shard) => statusText(shard, 'message'), {
      priority: 1,
    }),
  ],
  fieldSelectors: {
    'spec.cluster': (shard) => specText(toJsonObject(shard), 'cluster'),
    'spec.service': (shard) => specText(toJsonObject(shard), 'service'),
    'status.reason': (shard) => statusText(toJsonObject(shard), 'reason'),
  },
});

function specText(object: JsonObject, field: string): string {
  return ownText(ownRecord(object, 'spec'), field);
}

function statusText(object: JsonObject, field: string): string {
  return ownText(ownRecord(object, 'status'), field);
}

function formatReady(shard: JsonObject): string {
  const status = ownRecord(shard, 'status');
  return `${String(own(status, 'ready') ?? 0)}/${String(own(status, 'total') ?? 0)}`;
}

const recordDescription = 'What one DNS name answers, and why.';

const alias = struct('RecordAlias', 'It answers with the addresses of another name.', {
  target: text('The other name.'),
  hostedZoneId: text('Hosted zone of that name, at AWS.'),
  evaluateTargetHealth: kept(flag('True: it is left out while that name is unhealthy.')),
});

const members = list(
  'Several weighted answers of one name, of which a client gets one.',
  struct('RecordMember', 'One of them.', {
    id: text('What tells it from the others, at Route 53.'),
    weight: kept(int32('Its share, beside the weights of the others.')),
    targets: texts('Addresses, or the one name that it is an alias of.'),
    alias,
  }),
);

const recordSpec = struct('DNSRecordSetSpec', 'The records.', {
  dnsName: text('The name, without a trailing dot.'),
  recordType: text('Type of the records.', ['A', 'AAAA', 'CNAME', 'SRV']),
  ttlSeconds: int32('Seconds that resolvers may keep the answer.'),
  targets: texts('Addresses, or the one name that it is an alias of; of all members.'),
  weights: list('Shares of the targets, in their order. Absent: all alike.', {
    type: 'number',
    description: 'One share.',
  }),
  members,
  alias,
  service: text('Name of the Service.'),
  level: text('How wide the name reaches.', ['global', 'region', 'zone', 'shard', 'alias']),
  zone: text('Domain under which the name stands.'),
  dnsZone: text('Name of the DNSZone that keeps it.'),
});

const recordStatus = struct('DNSRecordSetStatus', 'Whether the world sees it.', {
  published: kept(flag('True when the name answers so.')),
  state: text(
    'live: served everywhere. submitted: written, not yet at all servers. pending: it waits its ' +
      'turn. held: the zone is frozen, or the change waits to be confirmed. foreign: records of ' +
      'others stand in the way. rejected: the provider will not have it. failing: the provider ' +
      'cannot be written.',
    ['live', 'submitted', 'pending', 'held', 'foreign', 'rejected', 'failing'],
  ),
  reason: text('Why it is so, in one CamelCase word.'),
  message: text('Why it is so, as a sentence.'),
  since: time('When the state last changed; absent where names are live as soon as written.'),
});

export const dnsRecordSetKind: KindDefinition = isthmusKind({
  kind: 'DNSRecordSet',
  plural: 'dnsrecordsets',
  shortNames: ['dnsrs'],
  storage: 'projected',
  verbs: readOnly,
  description: recordDescription,
  schema: objectSchema('DNSRecordSet', recordDescription, {
    spec: recordSpec,
    status: recordStatus,
  }),
  columns: [
    column('Name', 'The DNS name.', (record) => specText(record, 'dnsName')),
    column('Type', 'Type of the records.', (record) => specText(record, 'recordType')),
    column(
      'TTL',
      'Seconds that resolvers may keep the answer.',
      (record) => Number(own(ownRecord(record, 'spec'), 'ttlSeconds') ?? 0),
      { type: 'integer' },
    ),
    column('Targets', 'What the name answers, with weights where they differ.', formatTargets),
    column('Zone', 'The DNSZone that keeps it.', (record) => specText(record, 'dnsZone')),
    column('State', 'live when the name answers so, or what it waits for.', (record) =>
      statusText(record, 'state'),
    ),
    column('Reason', 'Why, in one word.', (record) => statusText(record, 'reason')),
    ageColumn,
    column('Message', 'Why, as a sentence.', (record) => statusText(record, 'message'), {
      priority: 1,
    }),
  ],
  fieldSelectors: {
    'spec.service': (record) => specText(toJsonObject(record), 'service'),
    'spec.dnsName': (record) => specText(toJsonObject(record), 'dnsName'),
    'spec.dnsZone': (record) => specText(toJsonObject(record), 'dnsZone'),
    'status.state': (record) => statusText(toJsonObject(record), 'state'),
  },
});

/** `192.0.2.1,192.0.2.2`, and with members `192.0.2.1 (30),lb.example.net (70)`. */
function formatTargets(record: JsonObject): string {
  const spec = ownRecord(record, 'spec');
  const weighted = ownList(spec, 'members').filter(isRecord);
  if (weighted.length === 0) return ownList(spec, 'targets').map(String).join(',');
  return weighted
    .map((member) => {
      const targets = ownList(member, 'targets').map(String).join(' ');
      return `${targets} (${String(own(member, 'weight') ?? 0)})`;
    })
    .join(',');
}

/** A live cluster is heard every second; the time is kept only once it falls silent. */
function formatLastSeen(shard: JsonObject, nowMs: number): string {
  const seen = statusText(shard, 'lastProofOfLife');
  if (seen !== '') return formatSince(seen, nowMs);
  return statusText(shard, 'health') === 'pending' ? '<never>' : 'now';
}
