// What kubectl says of the cluster as a whole, and its proxy, which lets tools without
// certificates through to the API.

import { stripVTControlCharacters } from 'node:util';
import { startFederationApi } from '../support/federation-api.ts';
import { createKubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';

const { found } = findKubectls(['1.27', '1.33']);
const test = testWith('kubectl');

for (const { minor, path } of found) {
  test(`[k8s 127] cluster-info, config and proxy of kubectl ${minor} work against us`, async (t) => {
    t.timeout(60_000);
    const federation = await startFederationApi();
    const kubectl = createKubectl(path, federation.https);
    t.teardown(async () => {
      await federation.close();
      kubectl.remove();
    });
    const { url } = federation.https.listener;
    const info = await kubectl.ok(['cluster-info']);
    // kubectl colours it for whoever reads it.
    t.is(
      stripVTControlCharacters(info).split('\n')[0],
      `Kubernetes control plane is running at ${url}`,
    );
    t.is(await kubectl.ok(['config', 'current-context']), 'federation-cluster\n');
    await kubectl.ok(['config', 'set-context', '--current', '--namespace=elsewhere']);
    t.is(
      (await kubectl.run(['get', 'svc'])).stderr,
      'No resources found in elsewhere namespace.\n',
    );

    const proxy = kubectl.start(['proxy', '--port=0']);
    t.teardown(() => proxy.stop());
    const said = await proxy.until(/Starting to serve on \S+\n/);
    const at = `http://${/serve on (\S+)/.exec(said)?.[1] ?? ''}`;
    const version = (await (await fetch(`${at}/version`)).json()) as { readonly major: string };
    t.is(version.major, '1');
    const body = JSON.stringify({ metadata: { name: 'by-proxy' }, data: { a: 'b' } });
    const headers = { 'content-type': 'application/json' };
    const maps = `${at}/api/v1/namespaces/default/configmaps`;
    t.is((await fetch(maps, { method: 'POST', body, headers })).status, 201);
    const watch = await fetch(`${maps}?watch=true&timeoutSeconds=1`);
    t.regex(await watch.text(), /"type":"ADDED".*"by-proxy"/);
  });
}
