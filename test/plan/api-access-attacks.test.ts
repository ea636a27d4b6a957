// What somebody tries who has few rights or none, and must not get by it.

import test from 'ava';
import { bind, paths, startAccessApi, user, type AccessApi } from '../support/access-api.ts';

async function start(t: { teardown(run: () => Promise<void>): void }): Promise<AccessApi> {
  const access = await startAccessApi();
  t.teardown(() => access.close());
  return access;
}

const bob = user('bob');
const secrets = '/api/v1/namespaces/shop/secrets';

test('[k8s 118] a right to one name is no right to what a selector only seems to bound', async (t) => {
  const { ask, make } = await start(t);
  const rule = {
    verbs: ['get', 'list', 'watch'],
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: ['mine'],
  };
  await make(paths.roles, { metadata: { name: 'mine-only' }, rules: [rule] });
  await make(paths.roleBindings, bind('b', { role: 'mine-only', kind: 'Role', user: 'bob' }));
  await make(secrets, { metadata: { name: 'theirs' }, stringData: { password: 'hush' } });
  const list = (selector: string, more = '') =>
    ask(bob, 'GET', `${secrets}?fieldSelector=${encodeURIComponent(selector)}${more}`);
  t.is((await list('metadata.name=mine')).status, 200);
  t.is((await list('type!=x,metadata.name=mine')).status, 200);
  for (const selector of [
    'type!=x\\,metadata.name=mine',
    'metadata.namespace!=x\\,metadata.name=mine',
    'metadata.namespace!=x\\\\\\,metadata.name=mine',
    'metadata.name!=x\\,metadata.name=mine',
    ' metadata.name=mine',
    'metadata.name=theirs,metadata.name=mine',
  ]) {
    t.is((await list(selector)).status, 403, selector);
    t.is((await list(selector, '&watch=1')).status, 403, selector);
  }
  const twice = await list('metadata.name=mine,metadata.name=theirs');
  t.deepEqual(twice.json['items'], []);
  const repeated = await list('metadata.name=mine', '&fieldSelector=');
  t.deepEqual(repeated.json['items'], []);
});
