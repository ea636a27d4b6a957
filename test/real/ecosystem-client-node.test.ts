// The official JavaScript client over a kill of the coordinator: its informer goes on, or lists
// anew, and neither loses an object, nor tells one twice, nor goes back to an older version.

import {
  CoreV1Api,
  KubeConfig,
  makeInformer,
  type KubernetesObject,
  type V1ConfigMap,
} from '@kubernetes/client-node';
import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';

const namespace = 'default';
const labelSelector = 'follow=yes';
const path = `/api/v1/namespaces/${namespace}/configmaps`;

testWith('kubectl', 'nats-server')(
  '[k8s 70, 71] client-node: an informer goes on after the coordinator was killed, and misses nothing',
  async (t) => {
    t.timeout(120_000);
    const mesh = await openRealMesh({ clusters: 0 });
    t.teardown(() => mesh.close());
    const config = new KubeConfig();
    config.loadFromFile(mesh.layout.kubeconfig);
    const core = config.makeApiClient(CoreV1Api);
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector });
    const informer = makeInformer<V1ConfigMap>(config, path, list, labelSelector);
    t.teardown(() => informer.stop());
    const told: string[] = [];
    const versions: number[] = [];
    const tell = (verb: string, { metadata }: KubernetesObject): void => {
      told.push(`${verb} ${metadata?.name ?? ''}`);
      versions.push(Number(metadata?.resourceVersion));
    };
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, (object) => tell(verb, object));
    let isBroken = false;
    informer.on('error', () => {
      isBroken = true;
    });
    const until = (line: string) =>
      eventually(30_000, async () => (told.includes(line) ? [] : [`not told: ${line}: ${told}`]));
    const create = async (name: string): Promise<void> => {
      const body = { metadata: { name, labels: { follow: 'yes' } } };
      await core.createNamespacedConfigMap({ namespace, body });
    };
    await create('stays');
    await create('goes');
    await informer.start();
    await until('add goes');
    await mesh.kill('coordinator');
    await eventually(30_000, async () => (isBroken ? [] : ['not broken']));
    await mesh.start('coordinator');
    // While nobody follows: what is missed here has to be told.
    await core.deleteNamespacedConfigMap({ namespace, name: 'goes' });
    await create('comes');
    await informer.start(); // as its users do when it broke
    await until('add comes');
    await until('delete goes');
    await create('last');
    await until('add last');
    t.deepEqual(told.filter((line) => / (stays|goes)$/.test(line)).sort(), [
      'add goes',
      'add stays',
      'delete goes',
    ]);
    t.is(told.length, new Set(told).size, told.join());
    // The version of the store goes on where it was.
    const last = (await core.readNamespacedConfigMap({ namespace, name: 'last' })).metadata;
    t.true(versions.every((version) => version <= Number(last?.resourceVersion)));
    const created = ['stays', 'comes', 'last'].map((name) => told.indexOf(`add ${name}`));
    const rising = created.map((at) => versions[at] ?? 0);
    t.deepEqual(
      rising,
      [...rising].sort((a, b) => a - b),
    );
    t.is(new Set(rising).size, rising.length);
  },
);
