// What kubectl reads in OpenAPI before it acts. Up to 1.28 it reads v2 alone, as protobuf; later
// ones read v3 and fall back to v2 for kinds that they do not find (checklist 10 and 11).

import { readFileSync } from 'node:fs';
import { startFederationApi } from '../support/federation-api.ts';
import { createKubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';

const nginx = readFileSync('examples/services/nginx.yaml', 'utf8');
const gadget = '{"apiVersion":"v1","kind":"Gadget","metadata":{"name":"g"}}';
const { found } = findKubectls(['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33']);
const test = testWith('kubectl');

for (const { minor, path } of found) {
  test(`[k8s 10, 11, 21] kubectl ${minor} finds every kind, and says of none that the server is broken`, async (t) => {
    t.timeout(60_000);
    const federation = await startFederationApi();
    const kubectl = createKubectl(path, federation.https);
    t.teardown(async () => {
      await federation.close();
      kubectl.remove();
    });
    const createFrom = (input: string, ...flags: readonly string[]) =>
      kubectl.run(['create', ...flags, '-f', '-'], { input });

    const unknown = await createFrom(gadget);
    t.is(unknown.code, 1);
    t.is(
      unknown.stderr,
      'error: resource mapping not found for name: "g" namespace: "" from "STDIN": ' +
        'no matches for kind "Gadget" in version "v1"\nensure CRDs are installed first\n',
    );

    const odd = nginx.replace(/^spec:$/m, 'spec:\n  portz: 1');
    const warned = await createFrom(odd, '--validate=warn', '--dry-run=server');
    t.is(warned.stderr, 'Warning: unknown field "spec.portz"\n');
    t.is(warned.stdout, 'service/nginx created (server dry run)\n');

    for (const kind of ['svc.spec.ports', 'cluster.spec', 'servicepolicy.spec.placement']) {
      t.regex(await kubectl.ok(['explain', kind]), /^ *DESCRIPTION:\n +\S/m);
      const older = ['explain', kind, '--output=plaintext-openapiv2'];
      t.regex(await kubectl.ok(older), /^ *DESCRIPTION:\n +\S/m);
    }
    const recursive = ['explain', 'svc', '--recursive', '--output=plaintext-openapiv2'];
    t.regex(await kubectl.ok(recursive), /^ +ports\t<\[\]Object>\n +appProtocol\t<string>$/m);

    t.is((await createFrom(nginx)).stdout, 'service/nginx created\n');
    const deletion = ['delete', 'svc', 'nginx', '--wait=false'];
    t.is(await kubectl.ok(deletion), 'service "nginx" deleted\n');
  });
}
