// unclaimed, claim and release: shards that an agent holds, that nobody wants and nobody ordered
// away. A person decides.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import {
  exitOk,
  outputFlag,
  UsageError,
  type Argument,
  type Call,
  type Command,
  type Flag,
} from '../command.ts';
import { isthmus } from '../federation.ts';
import { formatObjects, listAt, textAt, toTable } from '../output.ts';
import { readFormat } from '../read-flags.ts';

export const unclaimedPath = `${isthmus}/serviceshards?fieldSelector=${encodeURIComponent('status.reason=Unclaimed')}`;

export const namespaceFlag: Flag = {
  name: 'namespace',
  short: 'n',
  value: 'NAME',
  description: "Namespace of the Service. Default: the context's.",
  completes: 'namespaces',
};

const shardArgument: Argument = { name: 'SERVICE.CLUSTER', completes: 'unclaimed' };

export const unclaimed: Command = {
  words: ['unclaimed'],
  summary: 'Shows the shards that nobody wants and nobody ordered away.',
  details: [
    "Such a shard was there before this federation knew of it, for example after a restore of an older backup. It is left alone until a person says 'claim' or 'release'.",
  ],
  args: [],
  flags: [outputFlag],
  examples: [{ says: 'Look', line: 'kubectl isthmus unclaimed' }],
  run: async ({ flags, io, federation }) => {
    const format = readFormat(flags);
    const shards = await federation().list(unclaimedPath);
    if (format !== undefined) io.out(formatObjects(shards, format));
    else if (shards.length === 0) io.say('No unclaimed shards.');
    else {
      const rows = shards.map((shard) => [
        shard.metadata.namespace ?? '',
        shard.metadata.name,
        textAt(shard, 'spec', 'cluster'),
        textAt(shard, 'status', 'message'),
      ]);
      io.out(toTable(['NAMESPACE', 'NAME', 'CLUSTER', 'MESSAGE'], rows));
    }
    return exitOk;
  },
};

export const release: Command = {
  words: ['release'],
  summary: 'Gives an unclaimed shard up: the Service stays in its cluster, without our marks.',
  args: [shardArgument],
  flags: [
    namespaceFlag,
    { name: 'delete', description: 'Deletes the Service in that cluster instead.' },
  ],
  examples: [
    { says: 'Leave it to the cluster', line: 'kubectl isthmus release nginx.gke-berlin -n shop' },
    { says: 'Delete it there', line: 'kubectl isthmus release nginx.gke-berlin -n shop --delete' },
  ],
  run: async (call) => {
    const { path, shown } = pathOf(call);
    const isDeleted = call.flags.isOn('delete');
    await call.federation().delete(path, {
      propagationPolicy: isDeleted ? 'Background' : 'Orphan',
    });
    call.io.out(`serviceshard.isthmus.dev/${shown} ${isDeleted ? 'deleted' : 'released'}\n`);
    return exitOk;
  },
};

export const claim: Command = {
  words: ['claim'],
  summary: 'Takes an unclaimed shard into the federation again, where its Service is.',
  details: [
    'It widens the placement of the Service by this cluster. A shard whose Service is no longer in ' +
      'the federation is claimed by creating that Service; the message says how.',
  ],
  args: [shardArgument],
  flags: [namespaceFlag],
  examples: [{ says: 'Keep it', line: 'kubectl isthmus claim nginx.gke-berlin -n shop' }],
  run: async (call) => {
    const { path, shown, namespace } = pathOf(call);
    const shard = await call.federation().get(path);
    if (shard === undefined || textAt(shard, 'status', 'reason') !== 'Unclaimed') {
      const text = `shard ${shown} in namespace ${namespace} is not unclaimed`;
      throw new MeshError('fatal', 'NOT_UNCLAIMED', `${text}; see 'kubectl isthmus unclaimed'`);
    }
    await widenPlacement(call, shard, namespace);
    call.io.out(`serviceshard.isthmus.dev/${shown} claimed\n`);
    return exitOk;
  },
};

function pathOf({ args: [given = ''], flags, federation }: Call) {
  const shown = given.replace(/^serviceshards?(\.isthmus\.dev)?\//, '');
  if (!/^[^./]+\.[^/]+$/.test(shown)) {
    throw new UsageError(
      `SERVICE.CLUSTER: "${shown}" is not such a name, as 'unclaimed' prints it`,
    );
  }
  const namespace = flags.text('namespace') ?? federation().namespace;
  const path = `${isthmus}/namespaces/${encodeURIComponent(namespace)}/serviceshards`;
  return { path: `${path}/${encodeURIComponent(shown)}`, shown, namespace };
}

async function widenPlacement(call: Call, shard: KubeObject, namespace: string): Promise<void> {
  const [service, cluster] = [textAt(shard, 'spec', 'service'), textAt(shard, 'spec', 'cluster')];
  const to = call.federation();
  const refuse = (text: string): MeshError => new MeshError('fatal', 'CANNOT_CLAIM', text);
  const there = await to.get(`/api/v1/namespaces/${namespace}/services/${service}`);
  if (there === undefined) {
    throw refuse(
      `the federation has no Service ${namespace}/${service}: create it, as it is in the cluster, ` +
        `with: kubectl --context ${cluster} -n ${namespace} get service ${service} -o yaml`,
    );
  }
  const policies = await to.list(`${isthmus}/namespaces/${namespace}/servicepolicies`);
  const policy = policies.find((each) => textAt(each, 'spec', 'serviceName') === service);
  const clusters = listAt(policy, 'spec', 'placement', 'clusters').map(String);
  if (policy === undefined || clusters.length === 0 || clusters.includes(cluster)) {
    const why =
      policy === undefined
        ? `no ServicePolicy speaks of it`
        : `its ServicePolicy ${policy.metadata.name} chooses by labels`;
    throw refuse(
      `Service ${namespace}/${service} is not placed in ${cluster}, and ${why}: change the labels ` +
        `or taints of the Cluster, or the policy, so that it is (kubectl isthmus explain service ${service} -n ${namespace})`,
    );
  }
  await to.mergePatch(
    `${isthmus}/namespaces/${namespace}/servicepolicies/${policy.metadata.name}`,
    { spec: { placement: { clusters: [...clusters, cluster] } } },
  );
}
