// The official JavaScript client, which reads legacy discovery and speaks HTTP/1.1.

import {
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  makeInformer,
  setHeaderOptions,
  type V1Service,
} from '@kubernetes/client-node';
import test from 'ava';
import { startFederationApi } from '../support/federation-api.ts';
import { toKubeconfig } from '../support/kubectl.ts';

const service = (name: string): V1Service => ({
  metadata: { name },
  spec: { ports: [{ port: 80, name: 'http' }], selector: { run: name } },
});

test('client-node creates, patches, lists in pages, deletes, and follows with an informer', async (t) => {
  const federation = await startFederationApi();
  t.teardown(federation.close);
  const config = new KubeConfig();
  config.loadFromString(toKubeconfig(federation.https));
  const core = config.makeApiClient(CoreV1Api);
  const namespace = 'default';
  await core.createNamespacedService({ namespace, body: service('a') });

  const list = () => core.listNamespacedService({ namespace });
  const informer = makeInformer(config, '/api/v1/namespaces/default/services', list);
  t.teardown(() => informer.stop());
  const seen: string[] = [];
  let look: () => void = () => undefined;
  const until = (line: string): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (seen.includes(line)) resolve();
      };
      look();
    });
  for (const verb of ['add', 'update', 'delete'] as const) {
    informer.on(verb, ({ metadata }) => {
      seen.push(`${verb} ${metadata?.name ?? ''}`);
      look();
    });
  }
  await informer.start();
  await until('add a');

  await core.createNamespacedService({ namespace, body: service('b') });
  await until('add b');
  const body = { metadata: { labels: { tier: 'web' } } };
  const options = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch);
  const patched = await core.patchNamespacedService({ name: 'b', namespace, body }, options);
  t.deepEqual(patched.metadata?.labels, { tier: 'web' });
  await until('update b');

  const first = await core.listNamespacedService({ namespace, limit: 1 });
  const next = first.metadata?._continue;
  const second = await core.listNamespacedService({
    namespace,
    limit: 1,
    ...(next === undefined ? {} : { _continue: next }),
  });
  t.deepEqual(
    [...first.items, ...second.items].map(({ metadata }) => metadata?.name),
    ['a', 'b'],
  );

  const free = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  await core.deleteNamespacedService({ name: 'a', namespace });
  await core.patchNamespacedService(
    { name: 'a', namespace, body: { metadata: { finalizers: null } } },
    free,
  );
  await until('delete a');
  const error: unknown = await core
    .readNamespacedService({ name: 'a', namespace })
    .catch((caught: unknown) => caught);
  t.like(error, { code: 404 });
});
