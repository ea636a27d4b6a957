// isthmus.dev/v1alpha1 Cluster: one member of the federation, where it stands and how it is.

import type { JsonObject } from '../../../common/model/kube-object.ts';
import { invalidValue } from '../machinery/rules/field-errors.ts';
import { isRecord, ownList, ownRecord, ownText } from '../machinery/schema/json-value.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import { checkLabel1123 } from '../machinery/rules/name-rules.ts';
import { conditions, objectSchema } from './common-schema.ts';
import { ageColumn, column, nameColumn } from './columns.ts';
import { isthmusKind } from './definition.ts';
import { struct, text, texts, time } from './schema-parts.ts';

const description = 'A member cluster of the federation. It appears when its agent joins.';

const spec = struct('ClusterSpec', 'Where the cluster stands, as its administrator says.', {
  zone: text('Zone of the whole cluster. Wins over what the agent finds on the nodes.'),
  region: text('Region of the cluster. Wins over what the agent finds on the nodes.'),
  provider: text('Who runs the machines, such as gce, aws or openstack. Shown only.'),
});

const status = struct('ClusterStatus', 'What is known of the cluster.', {
  conditions,
  zones: texts('Zones that its nodes are in.'),
  region: text('Region that its nodes are in.'),
  provider: text('Provider found on its nodes.'),
  kubernetesVersion: text('Version of its API server.'),
  agentVersion: text('Version of its agent.'),
  publicKeyHash: text('SHA-256 (hex) of the public key that joined. Another key is refused.'),
  joinedAt: time('When its agent first joined.'),
});

export const clusterKind: KindDefinition = isthmusKind({
  kind: 'Cluster',
  plural: 'clusters',
  shortNames: ['cl'],
  isNamespaced: false,
  hasStatus: true,
  description,
  schema: objectSchema('Cluster', description, { spec, status }),
  columns: [
    nameColumn,
    column('Ready', 'True when the cluster takes part.', (cluster) =>
      conditionOf(cluster, 'Ready'),
    ),
    column('Region', 'Region of the cluster.', (cluster) => declaredOrFound(cluster, 'region')),
    column('Zones', 'Zones of the cluster.', formatZones),
    column('Provider', 'Who runs the machines.', (cluster) => declaredOrFound(cluster, 'provider')),
    column('Version', 'Version of its API server.', (cluster) =>
      ownText(ownRecord(cluster, 'status'), 'kubernetesVersion'),
    ),
    column('Telemetry', 'Fresh when reports of health arrive.', formatTelemetry),
    ageColumn,
  ],
  validate: ({ metadata }) => {
    const wrong = metadata.name === '' ? undefined : checkLabel1123(metadata.name);
    return wrong === undefined ? [] : [invalidValue('metadata.name', metadata.name, wrong)];
  },
});

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
