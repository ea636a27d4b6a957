// cordon and uncordon: whether a cluster gets new shards.

import { exitOk, type Call, type Command } from '../command.ts';
import { textAt } from '../output.ts';
import { clusterArgument, clusterPath, requireCluster } from './clusters.ts';

export const cordon: Command = {
  words: ['cordon'],
  summary: 'Keeps new shards out of a cluster; those that are there stay.',
  args: [clusterArgument],
  flags: [],
  examples: [{ says: 'Before maintenance', line: 'kubectl isthmus cordon gke-berlin' }],
  run: (call) => schedule(call, true),
};

export const uncordon: Command = {
  words: ['uncordon'],
  summary: 'Lets a cordoned cluster get shards again.',
  args: [clusterArgument],
  flags: [],
  examples: [{ says: 'After maintenance', line: 'kubectl isthmus uncordon gke-berlin' }],
  run: (call) => schedule(call, false),
};

async function schedule(
  { args: [name = ''], io, federation }: Call,
  isCordoned: boolean,
): Promise<number> {
  const cluster = await requireCluster(federation(), name);
  const done = isCordoned ? 'cordoned' : 'uncordoned';
  const isSo = (textAt(cluster, 'spec', 'unschedulable') === 'true') === isCordoned;
  if (!isSo) {
    const unschedulable = isCordoned ? true : null;
    await federation().mergePatch(clusterPath(name), { spec: { unschedulable } });
  }
  io.out(`cluster.isthmus.dev/${name} ${isSo ? `already ${done}` : done}\n`);
  return exitOk;
}
