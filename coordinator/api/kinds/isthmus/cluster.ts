// isthmus.dev/v1alpha1 Cluster: one member of the federation, where it stands and how it is.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import {
  isRecord,
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
} from '../../machinery/schema/json-value.ts';
import type { KindDefinition } from '../../machinery/kind.ts';
import { conditions, objectSchema } from '../common-schema.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { isthmusKind, labelName } from '../definition.ts';
import { boundList, boundText, flag, struct, time } from '../schema-parts.ts';
import {
  approvalSchema,
  keepIdentity,
  prepareApproval,
  validateApproval,
} from './cluster-approval.ts';
import { formatScheduling, schedulingFields, validateScheduling } from './cluster-scheduling.ts';

const description = 'A member cluster of the federation. It appears when its agent joins.';

// Labels of nodes hold 63 characters, as labels of DNS do.
const placeMax = 63;
const zonesMax = 256;
const versionMax = 128;
const sha256 = '^[0-9a-f]{64}$';

const spec = struct('ClusterSpec', 'Where the cluster stands, and what may come to it.', {
  zone: boundText(
    'Zone of the whole cluster, which wins over what the agent finds on the nodes. In DNS names ' +
      'it stands in lower case, with a hyphen for whatever a DNS label cannot hold.',
    { maxLength: placeMax },
  ),
  region: boundText(
    'Region of the cluster, which wins over what the agent finds on the nodes. In DNS names it ' +
      'stands as the zone does.',
    { maxLength: placeMax },
  ),
  provider: boundText(
    'Who runs the machines, such as gce, aws or openstack. It is shown to people and decides ' +
      'nothing but what qualifyRegion says.',
    { maxLength: placeMax },
  ),
  qualifyRegion: flag(
    'True: the region stands in DNS names behind its provider (aws-us-east-1), so that two ' +
      'clouds with a region of one name are two regions. Set it on all clusters of the region.',
  ),
  ...schedulingFields,
});

const status = struct(
  'ClusterStatus',
  'What is known of the cluster. Written by the coordinator.',
  {
    conditions,
    zones: boundList(
      'Zones that its nodes are in, as their labels say.',
      boundText('One zone.', { maxLength: placeMax }),
      zonesMax,
    ),
    region: boundText('Region that its nodes are in.', { maxLength: placeMax }),
    provider: boundText('Provider found on its nodes.', { maxLength: placeMax }),
    kubernetesVersion: boundText('Version of its API server, such as v1.34.0.', {
      maxLength: versionMax,
    }),
    agentVersion: boundText('Version of its agent.', { maxLength: versionMax }),
    publicKeyHash: boundText(
      'SHA-256 (hex) of the public key that joined. An agent with another key is refused.',
      { pattern: sha256 },
    ),
    revokedPublicKeyHash: boundText(
      'The same once that key was revoked: until it is approved again or another one is let in.',
      { pattern: sha256 },
    ),
    joinedAt: time('When its agent first joined.'),
    approval: approvalSchema,
    certificateExpirationTimestamp: time(
      "End of its agent's newest certificate, which the agent renews after two thirds of its life.",
    ),
    trustDigest: boundText(
      "Digest of the CAs that its agent trusts; another one than its peers' while it has not learned " +
        'of a new CA.',
      { pattern: '^[0-9a-f]{32}$' },
    ),
  },
);

const clusterRules = isthmusKind({
  kind: 'Cluster',
  plural: 'clusters',
  shortNames: ['cl'],
  isNamespaced: false,
  hasStatus: true,
  approvalField: 'approval',
  description,
  schema: objectSchema('Cluster', description, { spec, status }),
  columns: [
    nameColumn,
    column('Ready', 'True when the cluster takes part.', (cluster) =>
      conditionOf(cluster, 'Ready'),
    ),
    column('Approved', 'Yes when its agent may take part.', formatApproved),
    column('Scheduling', 'Enabled when new shards may come.', formatScheduling),
    column('Region', 'Region of the cluster.', (cluster) => declaredOrFound(cluster, 'region')),
    column('Zones', 'Zones of the cluster.', formatZones),
    column('Provider', 'Who runs the machines.', (cluster) => declaredOrFound(cluster, 'provider')),
    column('Version', 'Version of its API server.', (cluster) =>
      ownText(ownRecord(cluster, 'status'), 'kubernetesVersion'),
    ),
    column('Telemetry', 'Fresh when reports of health arrive.', formatTelemetry),
    ageColumn,
  ],
  // The name is a label of DNS names and a part of a certificate's.
  nameRule: labelName,
  validate: (cluster) => validateScheduling(toJsonObject(cluster)),
  prepareForUpdate: (next, old, context) => {
    if (context.subresource === 'approval') return prepareApproval(next, old, context);
    return context.subresource === 'status' ? keepIdentity(next, old) : next;
  },
});

export const clusterKind: KindDefinition = {
  ...clusterRules,
  validateChange: (next, old, subresource) => [
    ...(clusterRules.validateChange?.(next, old, subresource) ?? []),
    ...(subresource === 'approval' ? validateApproval(next, old) : []),
  ],
};

const approvals: Readonly<Record<string, string>> = {
  WaitingForApproval: 'Waiting',
  Denied: 'Denied',
  Revoked: 'Revoked',
};

/** Of clusters that joined with a former version nobody says: they are in. */
function formatApproved(cluster: JsonObject): string {
  const status = ownRecord(cluster, 'status');
  const all = ownList(status, 'conditions').filter(isRecord);
  const found = all.find((each) => ownText(each, 'type') === 'Approved');
  if (found === undefined) return ownText(status, 'publicKeyHash') === '' ? 'Unknown' : 'Yes';
  return approvals[ownText(found, 'reason')] ?? 'Yes';
}

function conditionOf(cluster: JsonObject, type: string): string {
  const all = ownList(ownRecord(cluster, 'status'), 'conditions').filter(isRecord);
  const found = all.find((each) => ownText(each, 'type') === type);
  return found === undefined ? 'Unknown' : ownText(found, 'status');
}

/** The condition's reason says more than True and False do. */
function formatTelemetry(cluster: JsonObject): string {
  const state = conditionOf(cluster, 'Telemetry');
  return { True: 'Fresh', False: 'Stale' }[state] ?? 'Unknown';
}

function declaredOrFound(cluster: JsonObject, field: string): string {
  return ownText(ownRecord(cluster, 'spec'), field) || ownText(ownRecord(cluster, 'status'), field);
}

function formatZones(cluster: JsonObject): string {
  const zone = ownText(ownRecord(cluster, 'spec'), 'zone');
  if (zone !== '') return zone;
  return ownList(ownRecord(cluster, 'status'), 'zones').map(String).join(',');
}
