// The command line of every process of the demo. Pure.

import {
  domain,
  federation,
  loadBalancerPrefix,
  memberClusters,
  type MemberCluster,
} from './clusters.ts';
import type { Layout } from './layout.ts';
import type { PartProgram } from './part.ts';

export interface Choices {
  readonly layout: Layout;
  readonly ports: ReadonlyMap<string, number>;
  readonly loadBalancerBase: number;
  readonly natsServer: string;
  /** Members with a real API server. */
  readonly isReal: boolean;
}

// Four control planes start at once, on what may be two cores.
const realReadyMs = 120_000;

export const coordinatorName = 'coordinator';

export function agentName(cluster: string): string {
  return `${cluster}/agent`;
}

export function coordinatorPart(choices: Choices): PartProgram {
  const { layout, natsServer } = choices;
  return {
    name: coordinatorName,
    script: 'coordinator/main.js',
    logPath: layout.logOf(coordinatorName),
    args: toFlags({
      'data-dir': layout.coordinatorDir,
      federation,
      domain,
      'api-listen': addressOf(choices, 'api'),
      'mesh-listen': addressOf(choices, 'mesh'),
      'nats-listen': addressOf(choices, 'nats'),
      'dns-listen': addressOf(choices, 'dns'),
      'admin-listen': addressOf(choices, 'admin'),
      'nats-server': natsServer,
      'allow-loopback': true,
    }),
  };
}

export function clusterPart(cluster: MemberCluster, choices: Choices): PartProgram {
  const { layout, loadBalancerBase } = choices;
  const labels: Flags = cluster.isDeclared
    ? { 'private-addresses': true }
    : { 'node-zone': cluster.zone, 'node-region': cluster.region };
  return {
    name: cluster.name,
    script: choices.isReal ? 'demo/real/main.js' : 'demo/cluster/main.js',
    ...(choices.isReal ? { readyMs: realReadyMs } : {}),
    logPath: layout.logOf(cluster.name),
    args: toFlags({
      name: cluster.name,
      'data-dir': layout.clusterDir(cluster.name),
      'api-listen': addressOf(choices, `${cluster.name}/api`),
      octet: String(cluster.octet),
      'load-balancers': loadBalancerPrefix(loadBalancerBase, memberClusters.indexOf(cluster)),
      provider: cluster.provider,
      ...labels,
    }),
  };
}

export function agentPart(
  cluster: MemberCluster,
  choices: Choices,
  at: { readonly kubeconfig: string; readonly tokenFile: string },
): PartProgram {
  const { layout } = choices;
  const name = agentName(cluster.name);
  const declared: Flags = cluster.isDeclared
    ? { zone: cluster.zone, region: cluster.region, provider: cluster.provider }
    : {};
  return {
    name,
    script: 'agent/main.js',
    logPath: layout.logOf(name),
    args: toFlags({
      cluster: cluster.name,
      kubeconfig: at.kubeconfig,
      coordinator: addressOf(choices, 'mesh'),
      'token-file': at.tokenFile,
      'data-dir': layout.agentDir(cluster.name),
      'resolver-listen': addressOf(choices, `${cluster.name}/resolver`),
      'admin-listen': addressOf(choices, `${cluster.name}/admin`),
      'allow-loopback': true,
      ...declared,
    }),
  };
}

type Flags = Readonly<Record<string, string | true>>;

function toFlags(values: Flags): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, value],
  );
}

function addressOf({ ports }: Choices, name: string): string {
  return `127.0.0.1:${ports.get(name) ?? 0}`;
}
