// explain service: what each cluster has of a Service, what each name answers, and why.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { exitOk, type Call, type Command } from '../command.ts';
import { isthmus } from '../federation.ts';
import { formatObjects, textAt } from '../output.ts';
import { clustersPath } from './clusters.ts';
import { explainText } from './explain-text.ts';
import { namespaceFlag } from './unclaimed.ts';

export const explain: Command = {
  words: ['explain'],
  summary: 'Says of a Service what each cluster has, what each name answers, and why.',
  details: [
    'For each cluster: whether the shard is there, how many endpoints are ready, its addresses, and ' +
      'what keeps it out of DNS. For each name: its answer, and why it is that one. Then what ' +
      'happened lately.',
  ],
  args: [
    { name: 'service', choices: ['service'] },
    { name: 'NAME', completes: 'services' },
  ],
  flags: [
    namespaceFlag,
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      description: 'json or yaml: the objects behind it, as a List.',
      choices: ['json', 'yaml'],
    },
  ],
  examples: [
    { says: 'Why is it not in DNS?', line: 'kubectl isthmus explain service nginx -n shop' },
  ],
  run: async (call) => {
    const { args, flags, io } = call;
    const name = (args[1] ?? '').replace(/^(service|svc)\//, '');
    const namespace = flags.text('namespace') ?? call.federation().namespace;
    const facts = await readFacts(call, namespace, name);
    const format = flags.text('output');
    if (format === 'json' || format === 'yaml') {
      const { service, shards, records, policies, clusters } = facts;
      io.out(formatObjects([service, ...policies, ...shards, ...records, ...clusters], format));
    } else io.out(explainText(facts));
    return exitOk;
  },
};

export interface ExplainedFacts {
  readonly service: KubeObject;
  readonly clusters: readonly KubeObject[];
  readonly policies: readonly KubeObject[];
  readonly shards: readonly KubeObject[];
  readonly records: readonly KubeObject[];
  /** Oldest first. */
  readonly events: readonly KubeObject[];
}

async function readFacts(
  { federation }: Call,
  namespace: string,
  name: string,
): Promise<ExplainedFacts> {
  const to = federation();
  const core = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const own = `${isthmus}/namespaces/${encodeURIComponent(namespace)}`;
  const service = await to.get(`${core}/services/${encodeURIComponent(name)}`);
  if (service === undefined) throw await noService(to.list('/api/v1/services'), namespace, name);
  const selector = `?fieldSelector=${encodeURIComponent(`spec.service=${name}`)}`;
  const regarding = `involvedObject.kind=Service,involvedObject.name=${name}`;
  const [clusters, policies, shards, records, events] = await Promise.all([
    to.list(clustersPath),
    to.list(`${own}/servicepolicies`),
    to.list(`${own}/serviceshards${selector}`),
    to.list(`${own}/dnsrecordsets${selector}`),
    to.list(`${core}/events?fieldSelector=${encodeURIComponent(regarding)}`),
  ]);
  return {
    service,
    clusters,
    policies: policies.filter((policy) => textAt(policy, 'spec', 'serviceName') === name),
    shards,
    records,
    events,
  };
}

/** The usual slip is the namespace. */
async function noService(
  all: Promise<readonly KubeObject[]>,
  namespace: string,
  name: string,
): Promise<MeshError> {
  const elsewhere = await all.then(
    (services) => services.filter(({ metadata }) => metadata.name === name),
    () => [],
  );
  const places = elsewhere.map(({ metadata }) => metadata.namespace ?? '').join(', ');
  const hint = places === '' ? '' : `; there is one in: ${places} (name it with -n)`;
  const text = `the federation has no Service "${name}" in namespace "${namespace}"${hint}`;
  return new MeshError('fatal', 'NO_SERVICE', text);
}
