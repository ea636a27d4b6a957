// unjoin: takes a cluster out, in the order in which nothing dangles: its names, its shards, its
// identity. The order is the coordinator's; this asks for it and tells how it goes.

import { MeshError } from '../../common/pure/errors.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { exitFailed, exitOk, type Call, type Command } from '../command.ts';
import { conditionOf, formatAge } from '../output.ts';
import { readDuration } from '../read-flags.ts';
import { clusterArgument, clusterPath, requireCluster } from './clusters.ts';

const waitDefault = 900;

export const unjoin: Command = {
  words: ['unjoin'],
  summary: 'Takes a cluster out of the federation: its names, then its shards, then its identity.',
  details: [
    'Names go first, and one TTL passes, so that nobody is sent to what is about to go. The agent ' +
      'then removes the shards; with --keep-shards the Services stay in the cluster and are ' +
      'ordinary Services again. Interrupting this command interrupts nothing.',
    'A cluster that is away is waited for (spec.unjoinWaitSeconds, 10 minutes by default); then ' +
      'the Cluster goes and its Services stay behind unmanaged. --force does not wait.',
  ],
  args: [clusterArgument],
  flags: [
    { name: 'keep-shards', description: 'Leaves its Services where they are, as ordinary ones.' },
    { name: 'force', description: 'Does not wait for an agent that is away.' },
    { name: 'dry-run', description: 'Says what would go, and changes nothing.' },
    { name: 'no-wait', description: 'Returns once the federation has taken note.' },
    { name: 'timeout', value: 'DURATION', description: 'The longest wait. Default 15m.' },
  ],
  examples: [
    { says: 'What would go', line: 'kubectl isthmus unjoin gke-berlin --dry-run' },
    { says: 'Take it out', line: 'kubectl isthmus unjoin gke-berlin' },
    { says: 'Its Services live on there', line: 'kubectl isthmus unjoin gke-berlin --keep-shards' },
    { says: 'The cluster is gone for good', line: 'kubectl isthmus unjoin gke-berlin --force' },
  ],
  run: async (call) => {
    const { args, flags, io } = call;
    const [name = ''] = args;
    const withinSeconds = readDuration(flags, 'timeout', waitDefault);
    const federation = call.federation();
    await requireCluster(federation, name);
    const propagationPolicy = flags.isOn('keep-shards') ? 'Orphan' : 'Background';
    const isDryRun = flags.isOn('dry-run');
    if (flags.isOn('force') && !isDryRun) {
      await federation.mergePatch(clusterPath(name), { spec: { unjoinWaitSeconds: 0 } });
    }
    await federation.delete(clusterPath(name), { propagationPolicy, isDryRun });
    if (isDryRun) io.out(`cluster.isthmus.dev/${name} would be removed (dry run)\n`);
    if (isDryRun) return exitOk;
    if (!flags.isOn('no-wait')) return waitUntilGone(call, name, withinSeconds);
    io.out(`cluster.isthmus.dev/${name} is leaving\n`);
    return exitOk;
  },
};

async function waitUntilGone(call: Call, name: string, withinSeconds: number): Promise<number> {
  const { io, federation } = call;
  const startMs = clock.monotonicMs();
  let words = `${name} is leaving`;
  const code = await new Promise<number>((resolve) => {
    const timer = clock.after(withinSeconds * 1000, () => end(exitFailed));
    const handle = federation().watch(
      { apiVersion: 'isthmus.dev/v1alpha1', plural: 'clusters' },
      {
        onList: (all) => {
          const found = all.find(({ metadata }) => metadata.name === name);
          if (found === undefined) end(exitOk);
          else show(found);
        },
        onEvent: (type, object) => {
          if (object.metadata.name !== name) return;
          if (type === 'DELETED') end(exitOk);
          else show(object);
        },
        onError: (error) => io.progress(`cannot look at the federation: ${error.message}`),
      },
    );
    function show(cluster: object): void {
      const leaving = conditionOf(cluster, 'Leaving');
      if (leaving !== undefined) words = `${name} is leaving: ${leaving.message}`;
      io.progress(words);
    }
    function end(result: number): void {
      timer.cancel();
      handle.cancel();
      resolve(result);
    }
  });
  const took = formatAge(clock.monotonicMs() - startMs);
  if (code !== exitOk) {
    throw new MeshError(
      'retryable',
      'STILL_LEAVING',
      `after ${took}: ${words}; it goes on by itself`,
    );
  }
  io.out(`cluster.isthmus.dev/${name} left after ${took}\n`);
  return exitOk;
}
