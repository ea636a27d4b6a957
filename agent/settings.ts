// The agent's settings: one table for flags, environment, YAML and help.

import { parseClusterName, type ClusterName } from '../common/model/ids.ts';
import type { LogLevel } from '../common/runtime/log.ts';
import {
  parseListenAddress,
  type Address,
  type Program,
  type Setting,
  type SettingValues,
  processSettings,
} from '../common/runtime/settings.ts';
import type { AgentSettings } from './agent-ports.ts';
import {
  replicaSettings,
  scopeSettings,
  toReadSettings,
  toReplicaSettings,
  type ReplicaSettings,
} from './replica-settings.ts';

const settings: readonly Setting[] = [
  {
    name: 'kubeconfig',
    kind: 'text',
    description: 'Kubeconfig of the member cluster. Default: the credentials of the Pod we run in.',
  },
  {
    name: 'context',
    kind: 'text',
    description: 'Context in the kubeconfig. Default: its current one.',
  },
  {
    name: 'hosted',
    kind: 'switch',
    description:
      'Run by a coordinator: credentials and token come on stdin, and its end is the end.',
  },
  {
    name: 'cluster',
    kind: 'text',
    description: 'Name of this cluster in the federation, a DNS label.',
  },
  { name: 'coordinator', kind: 'text', description: 'host:port of the coordinator for agents.' },
  {
    name: 'token',
    kind: 'text',
    description: 'Join token, needed once. Prefer --token-file: arguments can be read by others.',
  },
  { name: 'token-file', kind: 'text', description: 'File with the join token.' },
  {
    name: 'data-dir',
    kind: 'text',
    default: './isthmus-agent-data',
    description: 'Folder of key, certificate and assignment.',
  },
  {
    name: 'resolver-listen',
    kind: 'address',
    default: '127.0.0.1:9053',
    description: 'DNS for the pods of this cluster, UDP and TCP.',
  },
  {
    name: 'admin-listen',
    kind: 'address',
    default: '127.0.0.1:9080',
    description: 'Health and metrics (HTTP).',
  },
  { name: 'zone', kind: 'text', description: 'Zone of the cluster, instead of its node labels.' },
  {
    name: 'region',
    kind: 'text',
    description: 'Region of the cluster, instead of its node labels.',
  },
  { name: 'provider', kind: 'text', description: 'Provider of the cluster, instead of its nodes.' },
  {
    name: 'allowed-namespaces',
    kind: 'list',
    description:
      'Only these namespaces may get shards; * stands for any characters. Default: all but kube-*.',
  },
  {
    name: 'removals-per-minute',
    kind: 'number',
    default: '60',
    min: 0,
    max: 100_000,
    description:
      'Most shards deleted in one minute without a confirmation by the people of this cluster ' +
      '(annotation isthmus.dev/confirm-removal=true on the Service). 0: confirm each.',
  },
  {
    name: 'allow-loopback',
    kind: 'switch',
    description: 'Lets loopback addresses be probed: the demo and tests only.',
  },
  ...scopeSettings,
  ...replicaSettings,
  ...processSettings,
];

export function agentProgram(version: string): Program {
  return {
    name: 'isthmus-agent',
    summary: 'joins one Kubernetes cluster to a federation of Services.',
    version,
    settings,
  };
}

/** Everything that main.ts needs, checked. */
export interface AgentOptions {
  readonly agent: AgentSettings;
  readonly kubeconfig: {
    readonly kubeconfigPath: string | undefined;
    readonly context: string | undefined;
  };
  readonly coordinator: Address;
  /** A coordinator started it: see hosted/parent.ts. */
  readonly isHosted: boolean;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly dataDir: string;
  readonly resolverListen: Address;
  readonly adminListen: Address;
  /** undefined: this process is the whole agent. */
  readonly replica: ReplicaSettings | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'pretty';
}

export type AgentOptionsOutcome =
  | { readonly kind: 'options'; readonly options: AgentOptions }
  | { readonly kind: 'error'; readonly message: string };

export function toAgentOptions(values: SettingValues): AgentOptionsOutcome {
  const cluster = parseClusterName(values.text('cluster') ?? '');
  const coordinator = parseListenAddress(values.text('coordinator') ?? '');
  if (cluster === undefined) {
    return fail('--cluster is needed: a DNS label of lower-case letters, digits and hyphens');
  }
  if (coordinator === undefined || coordinator.port === 0 || coordinator.host === '0.0.0.0') {
    return fail('--coordinator is needed: host:port, such as coordinator.example.com:7443');
  }
  if (values.text('context') !== undefined && values.text('kubeconfig') === undefined) {
    return fail('--context needs --kubeconfig');
  }
  const own = ['kubeconfig', 'token', 'token-file'].find((name) => values.text(name) !== undefined);
  if (values.isOn('hosted') && own !== undefined) {
    return fail(`--hosted and --${own} exclude each other: they come on stdin`);
  }
  if (values.text('token') !== undefined && values.text('token-file') !== undefined) {
    return fail('--token and --token-file exclude each other');
  }
  const odd = values.list('allowed-namespaces').find((name) => !/^[-*a-z0-9]{1,63}$/.test(name));
  if (odd !== undefined) {
    return fail(`--allowed-namespaces: ${odd} is no name of a namespace, nor a pattern with *`);
  }
  const replica = toReplicaSettings(values);
  if (typeof replica === 'string') return fail(replica);
  const scope = toReadSettings(values);
  if (typeof scope === 'string') return fail(scope);
  const options = toOptions(values, cluster, coordinator);
  return {
    kind: 'options',
    options: { ...options, replica, agent: { ...options.agent, ...scope } },
  };
}

function toOptions(
  values: SettingValues,
  cluster: ClusterName,
  coordinator: Address,
): Omit<AgentOptions, 'replica'> {
  const any: Address = { host: '127.0.0.1', port: 0 };
  return {
    agent: {
      cluster,
      declared: {
        zone: values.text('zone'),
        region: values.text('region'),
        provider: values.text('provider'),
      },
      guard: {
        allowedNamespaces: values.list('allowed-namespaces'),
        removalsPerMinute: values.number('removals-per-minute') ?? 60,
      },
      allowLoopback: values.isOn('allow-loopback'),
      // Its own API server is all that a hosted agent sees of its cluster: it must notice an end.
      ...(values.isOn('hosted') ? { apiCheckMs: 1_000 } : {}),
    },
    kubeconfig: { kubeconfigPath: values.text('kubeconfig'), context: values.text('context') },
    coordinator,
    isHosted: values.isOn('hosted'),
    token: values.text('token'),
    tokenFile: values.text('token-file'),
    dataDir: values.text('data-dir') ?? '.',
    resolverListen: values.address('resolver-listen') ?? any,
    adminListen: values.address('admin-listen') ?? any,
    logLevel: (values.text('log-level') ?? 'info') as LogLevel, // one of the choices
    logFormat: values.text('log-format') === 'pretty' ? 'pretty' : 'json',
  };
}

function fail(message: string): AgentOptionsOutcome {
  return { kind: 'error', message: `${message}\nSee 'isthmus-agent --help'.` };
}
