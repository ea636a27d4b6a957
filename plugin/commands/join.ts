// join: a token for one cluster and the line that installs its agent; with --kubeconfig instead the
// cluster's own credentials, for an agent that the coordinator runs.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { isDnsLabel } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { exitOk, UsageError, type Call, type Command, type FlagValues } from '../command.ts';
import { isthmus } from '../federation.ts';
import { conditionOf, textAt } from '../output.ts';
import { readDuration } from '../read-flags.ts';
import { clusterPath } from './clusters.ts';
import { joinHosted } from './join-hosted.ts';
import { toInstallation, type Installation } from './install-lines.ts';
import { waitUntilReady } from './wait-ready.ts';

const expiresDefault = 3600;
const waitDefault = 600;

export const join: Command = {
  words: ['join'],
  summary: 'Brings a cluster in: prints the one line that installs its agent there.',
  details: [
    'The token is for this cluster alone, for one agent alone and for a while; it pins the ' +
      "federation's CA. Whoever runs the line needs nothing else, and nothing is opened in the " +
      'cluster: the agent dials out.',
    'With --kubeconfig (and --context) the coordinator runs the agent itself and reaches the ' +
      "cluster's API server with these credentials, for clusters where nothing may be installed. " +
      'They are stored encrypted, can be replaced by the same command and be read by nobody. ' +
      'The federation is then the current context of KUBECONFIG, or --federation-context.',
  ],
  args: [{ name: 'CLUSTER' }],
  flags: [
    {
      name: 'expires',
      value: 'DURATION',
      description: 'How long the token is good for, 1m to 365d. Default 1h.',
    },
    {
      name: 'approval',
      value: 'MODE',
      choices: ['Automatic', 'Manual'],
      description:
        "Manual: the agent waits for 'kubectl isthmus approve'. Default: as the coordinator is set.",
    },
    {
      name: 'secret',
      value: 'NAME',
      description: 'The token goes into this Secret of the cluster, and into no Helm values.',
    },
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      choices: ['command', 'values', 'token'],
      description: 'The line to run, values for Helm, or the token alone. Default command.',
    },
    {
      name: 'coordinator',
      value: 'HOST:PORT',
      description: 'Where agents reach the coordinator. Default: as it says itself.',
    },
    { name: 'chart', value: 'CHART', description: "The agent's chart. Default ./charts/agent." },
    {
      name: 'agent-namespace',
      value: 'NAME',
      description: 'Namespace of the agent in its cluster. Default isthmus-system.',
    },
    {
      name: 'zone',
      value: 'NAME',
      description: "Zone of the cluster, instead of its nodes' labels.",
    },
    { name: 'region', value: 'NAME', description: 'Region of the cluster, likewise.' },
    { name: 'provider', value: 'NAME', description: 'Provider of the cluster, likewise.' },
    {
      name: 'kubeconfig',
      value: 'FILE',
      completes: 'files',
      description: "The cluster's own kubeconfig: the coordinator runs its agent (see above).",
    },
    {
      name: 'context',
      value: 'NAME',
      completes: 'contexts',
      description:
        "With --kubeconfig: the cluster's context in that file. Else: the federation's context.",
    },
    { name: 'wait', description: 'Waits until the cluster is Ready, and says what for.' },
    { name: 'timeout', value: 'DURATION', description: 'The longest wait. Default 10m.' },
  ],
  examples: [
    { says: 'Print the line to run against the cluster', line: 'kubectl isthmus join gke-berlin' },
    {
      says: 'Run it at once, with the kubeconfig of that cluster',
      line: 'kubectl isthmus join gke-berlin | KUBECONFIG=gke-berlin.kubeconfig sh',
    },
    {
      says: 'Keep the token out of what is kept in Git',
      line: 'kubectl isthmus join gke-berlin --secret isthmus-join -o values >values.yaml',
    },
    {
      says: 'A person has to let it in',
      line: 'kubectl isthmus join edge-7 --approval Manual --expires 7d',
    },
    {
      says: 'Nothing may be installed there: give the coordinator its credentials',
      line: 'kubectl isthmus join openstack --kubeconfig openstack.kubeconfig --context admin --wait',
    },
  ],
  run: (call) => {
    const [name = ''] = call.args;
    if (!isDnsLabel(name)) {
      throw new UsageError(
        `CLUSTER: "${name}" is not a DNS label (a-z, 0-9 and -, at most 63 characters): the name ` +
          'stands in DNS names and certificates',
      );
    }
    return call.flags.text('kubeconfig') === undefined
      ? joinByAgent(call, name)
      : hosted(call, name);
  },
};

// What only makes sense for an agent that somebody installs.
const agentFlags = [
  'expires',
  'approval',
  'secret',
  'output',
  'coordinator',
  'chart',
  'agent-namespace',
];

async function hosted(call: Call, name: string): Promise<number> {
  const odd = agentFlags.find((flag) => call.flags.text(flag) !== undefined);
  if (odd !== undefined) {
    throw new UsageError(`--${odd} and --kubeconfig exclude each other: no agent is installed`);
  }
  const withinSeconds = readDuration(call.flags, 'timeout', waitDefault);
  await joinHosted(call, name, placeOf(call.flags));
  if (!call.flags.isOn('wait')) return exitOk;
  return waitUntilReady(call, { cluster: name, token: undefined, withinSeconds });
}

async function joinByAgent(call: Call, name: string): Promise<number> {
  const { flags, io } = call;
  const expirationSeconds = readDuration(flags, 'expires', expiresDefault);
  const withinSeconds = readDuration(flags, 'timeout', waitDefault);
  const known = await call.federation().get(clusterPath(name));
  const made = await makeToken(call, name, expirationSeconds);
  const token = textAt(made, 'status', 'token');
  const format = flags.text('output') ?? 'command';
  const told = `token ${made.metadata.name}, for cluster ${name} alone, until ${textAt(made, 'status', 'expirationTimestamp')}`;
  if (known !== undefined) {
    io.say(
      `Cluster ${name} is in the federation already: with this token another agent takes its place.`,
    );
    if (conditionOf(known, 'HostedAgent') !== undefined) {
      io.say(
        `The coordinator runs its agent: end that with 'kubectl isthmus credentials remove ${name}'.`,
      );
    }
  }
  if (format === 'token') io.out(`${token}\n`);
  else {
    const lines = toInstallation(toInput(call, { name, made, token }));
    io.out(format === 'values' ? lines.values : lines.command);
    if (format === 'values' && lines.secret !== undefined) {
      io.say(`Once, against the cluster ${name}:\n${lines.secret}`);
    }
  }
  io.say(`(${told}; run it with the context of ${name})`);
  if (!flags.isOn('wait')) return exitOk;
  return waitUntilReady(call, { cluster: name, token: made.metadata.name, withinSeconds });
}

function makeToken({ flags, federation }: Call, cluster: string, expirationSeconds: number) {
  const approval = flags.text('approval');
  // A name is a DNS label with five characters more.
  const generateName = `${cluster.slice(0, 57).replace(/-+$/, '')}-`;
  return federation().post(`${isthmus}/jointokens`, {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'JoinToken',
    metadata: { generateName },
    spec: { cluster, expirationSeconds, ...(approval === undefined ? {} : { approval }) },
  });
}

function toInput(
  { flags, io }: Call,
  of: { readonly name: string; readonly made: KubeObject; readonly token: string },
): Installation {
  const told = textAt(of.made, 'status', 'coordinator');
  const coordinator = flags.text('coordinator') ?? told;
  if (coordinator === '') {
    throw new MeshError(
      'fatal',
      'NO_COORDINATOR',
      'the coordinator does not say where agents reach it: name it with --coordinator HOST:PORT',
    );
  }
  if (!/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/.test(coordinator)) {
    throw new UsageError(
      `--coordinator: "${coordinator}" is not host:port, such as isthmus.example.com:7443`,
    );
  }
  if (/^(127\.|localhost:|\[::1\])/.test(coordinator)) {
    io.say(
      `Agents reach the coordinator at ${coordinator} only on its own machine: start it with ` +
        '--advertise and a --mesh-listen address that the cluster reaches, or name one with ' +
        '--coordinator.',
    );
  }
  return {
    cluster: of.name,
    coordinator,
    token: of.token,
    secret: flags.text('secret'),
    chart: flags.text('chart') ?? './charts/agent',
    namespace: flags.text('agent-namespace') ?? 'isthmus-system',
    place: placeOf(flags),
  };
}

export interface Place {
  readonly zone?: string;
  readonly region?: string;
  readonly provider?: string;
}

function placeOf(flags: FlagValues): Place {
  const given = ['zone', 'region', 'provider'].flatMap((name) => {
    const text = flags.text(name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return Object.fromEntries(given);
}
