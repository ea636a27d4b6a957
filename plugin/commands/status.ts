// status: the federation at one look, and below it what is not as it should be, with the way out.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { exitOk, type Command } from '../command.ts';
import { isthmus } from '../federation.ts';
import { conditionOf, formatValue, listAt, textAt, toTable } from '../output.ts';
import { readServerVersion } from '../server-version.ts';
import { clustersPath } from './clusters.ts';
import { readZones } from './dns-facts.ts';
import { findProblems, toSkew } from './problems.ts';

export const status: Command = {
  words: ['status'],
  summary: 'Shows the federation at one look: clusters, agents, and what is not as it should be.',
  args: [],
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      description: 'json or yaml instead of tables.',
      choices: ['json', 'yaml'],
    },
  ],
  examples: [
    { says: 'Look', line: 'kubectl isthmus status' },
    {
      says: 'What is wrong, for a script',
      line: "kubectl isthmus status -o json | jq '.problems'",
    },
  ],
  run: async ({ flags, io, federation }) => {
    const to = federation();
    const [version, clusters, zones, allShards, allServices] = await Promise.all([
      readServerVersion(to),
      to.list(clustersPath),
      readZones(to),
      to.listUpTo(`${isthmus}/serviceshards`, objectsMax),
      to.listUpTo('/api/v1/services', objectsMax),
    ]);
    const isCounted = allShards !== 'tooMany' && allServices !== 'tooMany';
    const [shards, services] = isCounted ? [allShards, allServices] : [[], []];
    const counts = isCounted ? countShards(shards) : undefined;
    const rows = clusters.map((cluster) => toRow(cluster, version.isthmus, counts));
    const problems = findProblems({ clusters, shards, services, zones, version: version.isthmus });
    const format = flags.text('output');
    if (format === 'json' || format === 'yaml') {
      const named = rows.map((row) => Object.fromEntries(row.map((cell, at) => [keys[at], cell])));
      const federationFacts = { server: to.server, context: to.contextName, ...version };
      io.out(formatValue({ federation: federationFacts, clusters: named, problems }, format));
      return exitOk;
    }
    io.out(
      `Federation ${to.server} (context ${to.contextName}), coordinator ${version.isthmus}\n\n`,
    );
    if (rows.length === 0)
      io.out("No clusters yet. 'kubectl isthmus join CLUSTER' brings one in.\n");
    else io.out(toTable(header, rows));
    io.out(`\n${isCounted ? toServicesLine(services, shards) : notCounted}\n`);
    if (problems.length > 0) {
      io.out(`\nTo look at:\n${problems.map(({ text }) => `- ${text}\n`).join('')}`);
    }
    return exitOk;
  },
};

// Half a minute of reading, and some hundred MiB: more is no look any more.
const objectsMax = 50_000;
const notCounted = `Services and shards: more than ${objectsMax}, which are not counted here.`;

const header = [
  'CLUSTER',
  'READY',
  'APPROVED',
  'SCHEDULING',
  'AGENT',
  'SKEW',
  'KUBERNETES',
  'REGION',
  'ZONES',
  'TELEMETRY',
  'SHARDS',
];
const keys = header.map((name) => name.toLowerCase());

interface Counts {
  readonly healthy: number;
  readonly all: number;
}

function countShards(shards: readonly KubeObject[]): ReadonlyMap<string, Counts> {
  const counts = new Map<string, Counts>();
  for (const shard of shards) {
    const cluster = textAt(shard, 'spec', 'cluster');
    const { healthy, all } = counts.get(cluster) ?? { healthy: 0, all: 0 };
    const isHealthy = textAt(shard, 'status', 'health') === 'healthy';
    counts.set(cluster, { healthy: healthy + (isHealthy ? 1 : 0), all: all + 1 });
  }
  return counts;
}

function toRow(
  cluster: KubeObject,
  coordinator: string,
  counts: ReadonlyMap<string, Counts> | undefined,
): readonly string[] {
  const at = (...path: readonly string[]): string => textAt(cluster, ...path);
  const { healthy, all } = counts?.get(cluster.metadata.name) ?? { healthy: 0, all: 0 };
  const agent = at('status', 'agentVersion');
  const hosted = conditionOf(cluster, 'HostedAgent') === undefined ? '' : ' (hosted)';
  const zones = listAt(cluster, 'status', 'zones').map(String).join(',');
  return [
    cluster.metadata.name,
    conditionOf(cluster, 'Ready')?.status ?? 'Unknown',
    toApproved(cluster),
    toScheduling(cluster),
    `${agent === '' ? '<none>' : agent}${hosted}`,
    toSkew(agent, coordinator),
    at('status', 'kubernetesVersion') || '<unknown>',
    at('spec', 'region') || at('status', 'region') || '<none>',
    at('spec', 'zone') || zones || '<none>',
    { True: 'Fresh', False: 'Stale' }[conditionOf(cluster, 'Telemetry')?.status ?? ''] ?? 'Unknown',
    counts === undefined ? '-' : `${healthy}/${all}`,
  ];
}

function toApproved(cluster: KubeObject): string {
  const approved = conditionOf(cluster, 'Approved');
  if (approved?.status === 'True') return 'Yes';
  if (approved === undefined) {
    return textAt(cluster, 'status', 'publicKeyHash') === '' ? 'Unknown' : 'Yes';
  }
  return approved.reason === 'WaitingForApproval' ? 'Waiting' : approved.reason;
}

function toScheduling(cluster: KubeObject): string {
  if (cluster.metadata.deletionTimestamp !== undefined) return 'Leaving';
  return textAt(cluster, 'spec', 'unschedulable') === 'true' ? 'Disabled' : 'Enabled';
}

function toServicesLine(services: readonly KubeObject[], shards: readonly KubeObject[]): string {
  const federated = new Set(
    shards.map((shard) => `${shard.metadata.namespace ?? ''}/${textAt(shard, 'spec', 'service')}`),
  );
  const healthy = shards.filter((shard) => textAt(shard, 'status', 'health') === 'healthy');
  const own = services.filter(
    ({ metadata }) => metadata.namespace !== 'default' || metadata.name !== 'kubernetes',
  );
  return (
    `Services: ${own.length}, of which ${federated.size} have shards. ` +
    `Shards: ${shards.length}, of which ${healthy.length} are healthy.`
  );
}
