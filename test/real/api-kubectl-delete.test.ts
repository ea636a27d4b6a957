// kubectl deletes, in all the ways that it has, and waits for a namespace to go.

import test from 'ava';
import { createKubectl } from '../support/kubectl.ts';
import { startFederationApi } from '../support/federation-api.ts';

test('[k8s 19, 109, 111] kubectl creates, lists and deletes the neighbours of Services', async (t) => {
  const api = await startFederationApi();
  const kubectl = createKubectl('kubectl', api.https);
  const { ok, run } = kubectl;
  try {
    await ok(['create', 'ns', 'shop']);
    const maps = ['a', 'b', 'c', 'd', 'e'];
    for (const name of maps) await ok(['create', 'cm', name, '-n', 'shop', '--from-literal=k=v']);
    await ok(['create', 'secret', 'generic', 's', '-n', 'shop', '--from-literal=k=v']);
    await ok(['label', 'cm', 'a', 'app=web', '-n', 'shop']);
    const dry = await ok(['delete', 'cm', 'a', '-n', 'shop', '--dry-run=server']);
    t.regex(dry, /^configmap "a" deleted.*\(server dry run\)$/m);
    t.is((await run(['get', 'cm', 'a', '-n', 'shop'])).code, 0);
    t.regex(await ok(['delete', 'cm', '-l', 'app=web', '-n', 'shop']), /^configmap "a" deleted/);
    t.regex(await ok(['delete', 'cm', 'b', '-n', 'shop', '--cascade=orphan']), /"b" deleted/);
    t.regex(await ok(['delete', 'cm', 'c', '-n', 'shop', '--cascade=foreground']), /"c" deleted/);
    t.regex(await ok(['delete', 'cm', 'd', '-n', 'shop', '--now']), /"d" deleted/);
    const gone = await run(['delete', 'cm', 'd', '-n', 'shop']);
    t.is(gone.stderr, 'Error from server (NotFound): configmaps "d" not found\n');
    await ok(['delete', 'cm', 'd', '-n', 'shop', '--ignore-not-found']);
    t.regex(await ok(['delete', 'cm', '--all', '-n', 'shop']), /"e" deleted/);
    t.regex(await ok(['delete', 'ns', 'shop']), /^namespace "shop" deleted/);
    t.is((await run(['get', 'ns', 'shop'])).code, 1);
    const kept = await run(['delete', 'ns', 'default']);
    t.regex(kept.stderr, /\(Forbidden\).*this namespace may not be deleted/);
    t.regex(await ok(['explain', 'cluster.spec']), /region.*\n.*Region of the cluster/);
  } finally {
    kubectl.remove();
    await api.close();
  }
});
