// credentials remove: the coordinator forgets how to reach a hosted cluster and ends its agent.

import { exitOk, type Command } from '../command.ts';
import { clusterArgument, clusterPath, requireCluster } from './clusters.ts';

export const credentialsRemove: Command = {
  words: ['credentials', 'remove'],
  summary: "Makes the coordinator forget a hosted cluster's credentials; its agent ends.",
  details: [
    'The Cluster and its Services stay, without an agent: the cluster is silent until one joins ' +
      "again ('kubectl isthmus join CLUSTER', with or without --kubeconfig). To take it out of the " +
      "federation use 'unjoin', which needs the agent until the end.",
  ],
  args: [clusterArgument],
  flags: [],
  examples: [
    {
      says: 'An agent has been installed in the cluster instead',
      line: 'kubectl isthmus credentials remove openstack',
    },
  ],
  run: async ({ args: [name = ''], io, federation }) => {
    await requireCluster(federation(), name);
    await federation().delete(`${clusterPath(name)}/credentials`);
    io.out(`cluster.isthmus.dev/${name} credentials removed\n`);
    return exitOk;
  },
};
