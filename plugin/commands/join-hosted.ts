// join --kubeconfig: hands the coordinator the credentials of one cluster. The file is cut down to
// the chosen context, and what it names on this machine is put into it, before it leaves.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { invalidKubeconfig } from '../../common/pure/kubeconfig-choice.ts';
import type { Call } from '../command.ts';
import type { Federation } from '../federation.ts';
import { chooseFrom, readKubeconfig } from '../kubeconfig-files.ts';
import type { Io } from '../io.ts';
import { conditionOf } from '../output.ts';
import { clusterPath, clustersPath } from './clusters.ts';
import { toPortableKubeconfig } from './portable-kubeconfig.ts';

export async function joinHosted(
  { flags, io, federation }: Call,
  name: string,
  place: object,
): Promise<void> {
  const file = flags.text('kubeconfig') ?? '';
  const choice = chooseFrom(readKubeconfig(io, file), flags.text('context'));
  const { kubeconfig, warnings } = toPortableKubeconfig(choice, file, (path) =>
    read(io, file, path),
  );
  for (const text of warnings) io.say(`Warning: ${text}`);
  const to = federation();
  if (choice.cluster.server === to.server) {
    throw new MeshError(
      'fatal',
      'FEDERATION_ITSELF',
      `${file}: context "${choice.contextName}" is the federation itself. For join, --kubeconfig ` +
        'names the file of the cluster that joins; the federation is chosen by KUBECONFIG or ' +
        '--federation-kubeconfig',
    );
  }
  const known = await to.get(clusterPath(name));
  const isKnown = known !== undefined;
  if (isKnown && !isHosted(known) && conditionOf(known, 'Ready')?.status === 'True') {
    io.say(`Cluster ${name} has an agent of its own, whose place the coordinator's takes.`);
  }
  const path = `${clusterPath(name)}/credentials`;
  const body = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ClusterCredentials',
    metadata: { name },
    spec: { kubeconfig },
  };
  if (!isKnown) {
    await checkCredentials(to, path, body);
    await to.post(clustersPath, {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name },
      spec: place,
    });
  } else if (Object.keys(place).length > 0) await to.mergePatch(clusterPath(name), { spec: place });
  await to.put(path, body);
  const isReplaced = isKnown && isHosted(known);
  io.out(`cluster.isthmus.dev/${name} credentials ${isReplaced ? 'replaced' : 'registered'}\n`);
  io.say(
    `(context ${choice.contextName}, ${choice.cluster.server ?? ''}; the coordinator runs the agent)`,
  );
}

/** Before anything is made: refused credentials leave no Cluster behind that nobody speaks for. */
async function checkCredentials(to: Federation, path: string, body: object): Promise<void> {
  try {
    await to.put(`${path}?dryRun=All`, body);
  } catch (error) {
    // All is well but that there is no Cluster yet.
    if (!(error instanceof MeshError) || error.code !== 'KUBE_NOT_FOUND') throw error;
  }
}

function isHosted(cluster: KubeObject): boolean {
  return conditionOf(cluster, 'HostedAgent') !== undefined;
}

function read(io: Io, file: string, path: string): string {
  try {
    const text = io.readFile(path);
    if (text !== undefined) return text;
  } catch (error) {
    throw invalidKubeconfig(`${file}: cannot read ${path}`, error);
  }
  throw invalidKubeconfig(`${file}: there is no file ${path}, which it names`);
}
