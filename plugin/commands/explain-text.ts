// The text of explain service. Pure but for the ages of events.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { parseTimestamp, systemClock as clock } from '../../common/runtime/clock.ts';
import { conditionOf, conditionsOf, formatAge, listAt, textAt, toTable } from '../output.ts';
import type { ExplainedFacts } from './explain.ts';

// The newest; `kubectl get events` has the rest.
const eventsMax = 10;

export function explainText(facts: ExplainedFacts): string {
  const sections = [
    toHead(facts),
    toClusters(facts),
    toNames(facts.records),
    toEvents(facts.events),
  ];
  return sections.filter((text) => text !== '').join('\n');
}

function toHead({ service, policies }: ExplainedFacts): string {
  const { name, namespace = '' } = service.metadata;
  const ports = listAt(service, 'spec', 'ports').map(
    (port) => `${textAt(toObject(port), 'port')}/${textAt(toObject(port), 'protocol')}`,
  );
  const ingress = listAt(service, 'status', 'loadBalancer', 'ingress').map(
    (each) => textAt(toObject(each), 'ip') || textAt(toObject(each), 'hostname'),
  );
  const type = textAt(service, 'spec', 'type') || 'ClusterIP';
  const lines = [
    `Service ${namespace}/${name}: ${type}, ports ${ports.join(', ') || '<none>'}`,
    `Placement: ${policies.map(toPlacement).join('; ') || 'no ServicePolicy, so every cluster'}`,
    `Addresses: ${ingress.join(', ') || '<none yet>'}`,
    ...conditionsOf(service).map(
      ({ type: what, status, reason, message }) => `${what}: ${status} (${reason}) ${message}`,
    ),
  ];
  if (service.metadata.deletionTimestamp !== undefined) lines.push('It is being deleted.');
  return lines.map((line) => `${line}\n`).join('');
}

function toPlacement(policy: KubeObject): string {
  const clusters = listAt(policy, 'spec', 'placement', 'clusters').map(String);
  const isSelecting = textAt(policy, 'spec', 'placement', 'clusterSelector') !== '';
  const how = clusters.length > 0 ? clusters.join(', ') : isSelecting ? 'by labels' : 'by selector';
  return `ServicePolicy ${policy.metadata.name} (${how})`;
}

function toClusters({ clusters, shards, policies }: ExplainedFacts): string {
  const byCluster = new Map(shards.map((shard) => [textAt(shard, 'spec', 'cluster'), shard]));
  const gone = [...byCluster.keys()].filter((name) =>
    clusters.every(({ metadata }) => metadata.name !== name),
  );
  const rows = clusters
    .map((cluster) => [cluster.metadata.name, cluster] as const)
    .concat(gone.map((name) => [name, noCluster] as const))
    .map(([name, cluster]) => toClusterRow(name, cluster, byCluster.get(name), policies));
  if (rows.length === 0) return "No clusters yet. 'kubectl isthmus join CLUSTER' brings one in.\n";
  return toTable(['CLUSTER', 'READY', 'SHARD', 'ENDPOINTS', 'ADDRESSES', 'WHY'], rows);
}

const noCluster: KubeObject = { apiVersion: '', kind: 'Cluster', metadata: { name: '' } };

/** Conditions whose True is worth a word. */
const notes: ReadonlySet<string> = new Set(['Adopted', 'Moving']);

function toClusterRow(
  name: string,
  cluster: KubeObject,
  shard: KubeObject | undefined,
  policies: readonly KubeObject[],
): readonly string[] {
  const ready = conditionOf(cluster, 'Ready')?.status ?? 'Unknown';
  if (shard === undefined) return [name, ready, '<none>', '-', '-', whyNone(cluster, policies)];
  const at = (field: string): string => textAt(shard, 'status', field);
  const addresses = listAt(shard, 'status', 'ingress').map(String).join(',') || '<none>';
  const endpoints = `${at('ready') || '0'}/${at('total') || '0'}`;
  const conditions = conditionsOf(shard)
    .filter(({ type, status }) => status !== 'True' || notes.has(type))
    .filter(({ message }) => message !== at('message'))
    .map(({ type, reason, message }) => `${type}: ${message || reason}`);
  const why = [at('message') || at('reason'), ...conditions].filter((text) => text !== '');
  return [name, ready, at('health'), endpoints, addresses, why.join(' ')];
}

/** Why a cluster has no shard, as far as its own object and the policies tell. */
function whyNone(cluster: KubeObject, policies: readonly KubeObject[]): string {
  if (cluster.metadata.deletionTimestamp !== undefined) return 'The cluster is leaving.';
  const approved = conditionOf(cluster, 'Approved');
  if (approved?.status === 'False') return approved.message;
  if (textAt(cluster, 'spec', 'unschedulable') === 'true') {
    return `The cluster is cordoned (kubectl isthmus uncordon ${cluster.metadata.name}).`;
  }
  const [policy] = policies;
  if (policy !== undefined) return `ServicePolicy ${policy.metadata.name} does not choose it.`;
  return 'The placement does not choose it: a taint, or the annotation cluster-selector.';
}

function toNames(records: readonly KubeObject[]): string {
  if (records.length === 0) return 'No DNS names: none of its shards was ever healthy.\n';
  const rows = records
    .map((record) => ({
      name: textAt(record, 'spec', 'dnsName'),
      type: textAt(record, 'spec', 'recordType'),
      targets: listAt(record, 'spec', 'targets').map(String).join(','),
      isPublished: textAt(record, 'status', 'published') === 'true',
      why: textAt(record, 'status', 'message') || textAt(record, 'status', 'reason'),
    }))
    .sort((a, b) => a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .map(({ name, type, targets, isPublished, why }) => [
      name,
      type,
      targets,
      isPublished ? 'yes' : 'no',
      why,
    ]);
  return toTable(['NAME', 'TYPE', 'ANSWER', 'PUBLISHED', 'WHY'], rows);
}

function toEvents(events: readonly KubeObject[]): string {
  if (events.length === 0) return '';
  const timeOf = (event: KubeObject): string =>
    textAt(event, 'lastTimestamp') || textAt(event, 'eventTime');
  const newest = [...events]
    .sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1))
    .slice(-eventsMax)
    .map((event) => [
      formatAge(clock.now() - (parseTimestamp(timeOf(event)) ?? clock.now())),
      textAt(event, 'type'),
      textAt(event, 'reason'),
      textAt(event, 'message'),
    ]);
  return toTable(['LAST SEEN', 'TYPE', 'REASON', 'MESSAGE'], newest);
}

function toObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
