// The acceptance of the API: every kubectl of the supported range does a person's daily work on
// it without a workaround flag, and prints what it prints against kube-apiserver.

import { readFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { startFederationApi } from '../support/federation-api.ts';
import { nameMissingKubectls } from '../support/kubectl-versions.ts';
import { createKubectl, type Kubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';

const minors = ['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36'];
const nginx = readFileSync('examples/services/nginx.yaml', 'utf8');

async function start(t: ExecutionContext, path: string): Promise<Kubectl> {
  const federation = await startFederationApi();
  const kubectl = createKubectl(path, federation.https);
  t.teardown(async () => {
    await federation.close();
    kubectl.remove();
  });
  return kubectl;
}

async function createAndRead(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const path = kubectl.file('nginx.yaml', nginx);
  t.is(await kubectl.ok(['create', '-f', path]), 'service/nginx created\n');
  const again = await kubectl.run(['create', '-f', path]);
  t.is(again.code, 1);
  t.regex(
    again.stderr,
    /Error from server \(AlreadyExists\): error when creating ".*": services "nginx" already exists/,
  );
  t.regex(
    await kubectl.ok(['get', 'svc']),
    /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nnginx +LoadBalancer +/,
  );
  t.regex(await kubectl.ok(['get', 'all']), /^NAME +TYPE.*\nnginx +LoadBalancer/);
  t.is(await kubectl.ok(['get', 'service/nginx', '-o', 'jsonpath={.spec.type}']), 'LoadBalancer');
  t.regex(
    await kubectl.ok(['get', 'services', '-A', '-o', 'wide']),
    /^NAMESPACE +NAME .*SELECTOR\ndefault +nginx/,
  );
  t.is(await kubectl.ok(['get', 'svc', '-l', 'run=nginx', '-o', 'name']), 'service/nginx\n');
  t.is(
    await kubectl.ok(['get', 'svc', '--field-selector', 'spec.type=ClusterIP', '-o', 'name']),
    '',
  );
  t.regex(
    await kubectl.ok(['get', 'svc', 'nginx', '-o', 'yaml']),
    /^apiVersion: v1\nkind: Service\nmetadata:/,
  );
  const described = await kubectl.ok(['describe', 'service', 'nginx']);
  t.regex(described, /^Name: +nginx$/m);
  t.regex(described, /^Type: +LoadBalancer$/m);
  t.regex(described, /^Events: +<none>$/m);
  const missing = await kubectl.run(['get', 'svc', 'nope']);
  t.is(missing.stderr, 'Error from server (NotFound): services "nope" not found\n');
  t.regex(
    (await kubectl.run(['get', 'foo'])).stderr,
    /the server doesn't have a resource type "foo"/,
  );
  t.regex(await kubectl.ok(['explain', 'svc.spec.ports']), /targetPort\s+<IntOrString>/);
  t.regex(await kubectl.ok(['api-resources']), /services +svc +v1 +true +Service/);
}

async function refuseBadInput(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const odd = nginx.replace(/^spec:$/m, 'spec:\n  portz: 1');
  const strict = await kubectl.run(['create', '-f', '-'], {
    input: odd.replaceAll('nginx', 'odd'),
  });
  t.is(strict.code, 1);
  t.regex(
    strict.stderr,
    /Error from server \(BadRequest\): error when creating "STDIN": Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.portz"/,
  );
  const invalid = nginx.replaceAll('nginx', 'odd').replace(/port: 80$/m, 'port: 99999');
  const range = await kubectl.run(['create', '-f', '-'], { input: invalid });
  t.is(range.code, 1);
  t.regex(
    range.stderr,
    /The Service "odd" is invalid: .*spec.ports\[0\].port: Invalid value: 99999: must be between 1 and 65535, inclusive/,
  );
}

async function change(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const editor = kubectl.file(
    'editor.sh',
    '#!/bin/sh\nsed -i "s/^  labels:/  labels:\\n    edited: by-hand/" "$1"\n',
    0o700,
  );
  t.is(
    await kubectl.ok(['edit', 'svc', 'nginx'], { env: { KUBE_EDITOR: editor } }),
    'service/nginx edited\n',
  );
  t.is(
    await kubectl.ok(['get', 'svc', 'nginx', '-o', 'jsonpath={.metadata.labels.edited}']),
    'by-hand',
  );
  t.is(await kubectl.ok(['label', 'svc', 'nginx', 'tier=web']), 'service/nginx labeled\n');
  t.is(
    await kubectl.ok(['label', 'svc', 'nginx', 'tier=web', '--overwrite']),
    'service/nginx not labeled\n',
  );
  t.is(await kubectl.ok(['label', 'svc', 'nginx', 'tier-']), 'service/nginx unlabeled\n');
  // Up to 1.27 it says `annotate`.
  t.regex(
    await kubectl.ok(['annotate', 'svc', 'nginx', 'note=1']),
    /^service\/nginx annotated?\n$/,
  );
  const patch = (type: string, text: string) =>
    kubectl.ok(['patch', 'svc', 'nginx', `--type=${type}`, '-p', text]);
  t.is(await patch('merge', '{"spec":{"sessionAffinity":"ClientIP"}}'), 'service/nginx patched\n');
  t.is(
    await patch('merge', '{"spec":{"sessionAffinity":"ClientIP"}}'),
    'service/nginx patched (no change)\n',
  );
  t.is(
    await patch('json', '[{"op":"replace","path":"/spec/sessionAffinity","value":"None"}]'),
    'service/nginx patched\n',
  );
  t.is(
    await patch(
      'strategic',
      '{"spec":{"ports":[{"port":443,"name":"https"},{"port":80,"name":"http"}]}}',
    ),
    'service/nginx patched\n',
  );
  const ports = await kubectl.ok(['get', 'svc', 'nginx', '-o', 'jsonpath={.spec.ports[*].port}']);
  t.deepEqual(ports.split(' ').sort(), ['443', '80']);
}

async function applyBothWays(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const client = nginx.replaceAll('nginx', 'client');
  t.is(await kubectl.ok(['apply', '-f', '-'], { input: client }), 'service/client created\n');
  t.is(await kubectl.ok(['apply', '-f', '-'], { input: client }), 'service/client unchanged\n');
  const changed = client.replace(/port: 80$/m, 'port: 81');
  t.is(await kubectl.ok(['apply', '-f', '-'], { input: changed }), 'service/client configured\n');
  t.is(await kubectl.ok(['get', 'svc', 'client', '-o', 'jsonpath={.spec.ports[*].port}']), '81');

  const server = nginx.replaceAll('nginx', 'server');
  const apply = ['apply', '--server-side', '-f', '-'];
  t.is(await kubectl.ok(apply, { input: server }), 'service/server serverside-applied\n');
  t.is(await kubectl.ok(apply, { input: server }), 'service/server serverside-applied\n');
  const other = server
    .replace(/^spec:$/m, 'spec:\n  sessionAffinity: ClientIP')
    .replaceAll('run: server', 'run: other');
  const conflict = await kubectl.run([...apply, '--field-manager=other'], { input: other });
  t.is(conflict.code, 1);
  t.regex(conflict.stderr, /Apply failed with \d conflicts?: conflicts? with "kubectl"/);
  t.is(
    await kubectl.ok([...apply, '--field-manager=other', '--force-conflicts'], { input: other }),
    'service/server serverside-applied\n',
  );
  // What client-side apply owned moves over to the server's side.
  t.is(await kubectl.ok(apply, { input: changed }), 'service/client serverside-applied\n');
}

async function watchAndWait(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const watch = kubectl.start(['get', 'svc', 'nginx', '-w', '--output-watch-events', '-L', 'seen']);
  t.teardown(() => watch.stop());
  await watch.until(/ADDED +nginx/);
  await kubectl.ok(['label', 'svc', 'nginx', 'seen=live']);
  await watch.until(/MODIFIED +nginx .*live/);
  const all = kubectl.start(['get', 'svc', '-w']);
  t.teardown(() => all.stop());
  await all.until(/nginx/);
  await kubectl.ok([
    'wait',
    'svc/nginx',
    '--for=jsonpath={.spec.type}=LoadBalancer',
    '--timeout=5s',
  ]);
  const late = await kubectl.run([
    'wait',
    'svc/nginx',
    '--for=jsonpath={.spec.type}=NodePort',
    '--timeout=1s',
  ]);
  t.regex(late.stderr, /timed out waiting for the condition/);
  const gone = kubectl.ok(['wait', 'svc/nginx', '--for=delete', '--timeout=20s']);
  t.is(
    withoutNamespace(await kubectl.ok(['delete', 'svc', 'client', 'server', '--wait=false'])),
    'service "client" deleted\nservice "server" deleted\n',
  );
  await kubectl.ok([
    'patch',
    'svc',
    'nginx',
    '--type=merge',
    '-p',
    '{"metadata":{"finalizers":null}}',
  ]);
  const deleting = kubectl.ok(['delete', 'service', 'nginx', '--cascade=orphan', '--wait=false']);
  t.regex(await deleting, /service "nginx" deleted/);
  await kubectl
    .ok(['patch', 'svc', 'nginx', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
    .catch(() => '');
  await gone;
  await watch.until(/DELETED +nginx/);
  t.regex((await kubectl.run(['get', 'svc', 'nginx'])).stderr, /services "nginx" not found/);
}

const policy = `
apiVersion: isthmus.dev/v1alpha1
kind: ServicePolicy
metadata:
  name: nginx
spec:
  serviceName: nginx
  placement:
    clusters: [one]
`;

async function otherKinds(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const apply = (input: string) => kubectl.ok(['apply', '-f', '-'], { input });
  t.is(await apply(policy), 'servicepolicy.isthmus.dev/nginx created\n');
  t.is(await apply(policy), 'servicepolicy.isthmus.dev/nginx unchanged\n');
  t.is(
    await apply(policy.replace('[one]', '[one, two]')),
    'servicepolicy.isthmus.dev/nginx configured\n',
  );
  const clusters = ['get', 'svcpol', 'nginx', '-o', 'jsonpath={.spec.placement.clusters}'];
  t.is(await kubectl.ok(clusters), '["one","two"]');
  const token =
    '{"apiVersion":"isthmus.dev/v1alpha1","kind":"JoinToken","metadata":{"name":"t"},' +
    '"spec":{"cluster":"one"}}';
  const create = ['create', '-f', '-', '-o', 'jsonpath={.status.token}'];
  t.regex(await kubectl.ok(create, { input: token }), /^\S{20,}$/);
  t.is(await kubectl.ok(['get', 'jointoken', 't', '-o', 'jsonpath={.status.token}']), '');
  for (const kind of ['clusters', 'serviceshards', 'dnsrecordsets', 'events', 'endpointslices']) {
    t.is((await kubectl.run(['get', kind])).code, 0);
  }
  const readOnly = await kubectl.run(['delete', 'serviceshard', 'x']);
  t.regex(readOnly.stderr, /\(MethodNotAllowed\)|not found/);
  const space = '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}';
  t.is(await kubectl.ok(['create', '-f', '-'], { input: space }), 'namespace/shop created\n');
  const inShop = ['create', '-n', 'shop', '-f', '-'];
  await kubectl.ok(inShop, { input: policy });
  t.is(await kubectl.ok(['delete', 'ns', 'shop']), 'namespace "shop" deleted\n');
  const late = await kubectl.run(inShop, { input: policy });
  t.regex(late.stderr, /namespaces "shop" not found/);
}

async function reviewAndReplace(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const path = kubectl.file('replaced.yaml', nginx.replaceAll('nginx', 'replaced'));
  await kubectl.ok(['apply', '-f', path, '--dry-run=server']);
  t.regex((await kubectl.run(['get', 'svc', 'replaced'])).stderr, /not found/);
  await kubectl.ok(['create', '-f', path]);
  const changed = nginx.replaceAll('nginx', 'replaced').replace('targetPort: 80', 'targetPort: 81');
  const next = kubectl.file('changed.yaml', changed);
  t.is((await kubectl.run(['diff', '-f', next])).code, 1);
  t.is(await kubectl.ok(['replace', '-f', next]), 'service/replaced replaced\n');
  t.is((await kubectl.run(['diff', '-f', next])).code, 0);
  t.is(
    await kubectl.ok(['set', 'selector', 'svc', 'replaced', 'a=b']),
    'service/replaced selector updated\n',
  );
  const stale = ['label', 'svc', 'replaced', 'x=y', '--resource-version=1'];
  t.regex((await kubectl.run(stale)).stderr, /the object has been modified/);
  const scale = await kubectl.run(['scale', 'svc', 'replaced', '--replicas=2']);
  t.regex(scale.stderr, /the server could not find the requested resource/);
  const gone = await kubectl.ok(['delete', '-f', path, '--wait=false']);
  t.is(withoutNamespace(gone), 'service "replaced" deleted\n');
}

/** From 1.34 on kubectl says where it deleted. */
function withoutNamespace(said: string): string {
  return said.replaceAll(' deleted from default namespace\n', ' deleted\n');
}

/** Up to 1.31 kubectl sends these as JSON, from 1.32 on as protobuf. */
async function createWithoutFile(t: ExecutionContext, kubectl: Kubectl): Promise<void> {
  const create = (...args: readonly string[]) => kubectl.ok(['create', ...args]);
  t.is(
    await create('ns', 'tried', '--dry-run=server'),
    'namespace/tried created (server dry run)\n',
  );
  t.regex((await kubectl.run(['get', 'ns', 'tried'])).stderr, /namespaces "tried" not found/);
  t.is(await create('namespace', 'store'), 'namespace/store created\n');
  t.is((await kubectl.run(['create', 'namespace', 'store'])).code, 1);
  const inStore = (...args: readonly string[]) => create(...args, '-n', 'store');
  const read = (what: string, path: string) =>
    kubectl.ok(['get', what, '-n', 'store', '-o', `jsonpath=${path}`]);
  await inStore('service', 'clusterip', 'inner', '--tcp=80:8080', '--tcp=443');
  t.is(
    await read('svc/inner', '{.spec.type} {.spec.ports[*].port} {.spec.ports[*].targetPort}'),
    'ClusterIP 80 443 8080 443',
  );
  await inStore('service', 'clusterip', 'headless', '--clusterip=None');
  t.is(await read('svc/headless', '{.spec.clusterIP}'), 'None');
  await inStore('service', 'nodeport', 'outer', '--tcp=80:http', '--node-port=30080');
  t.is(
    await read('svc/outer', '{.spec.type} {.spec.ports[0].targetPort} {.spec.ports[0].nodePort}'),
    'NodePort http 30080',
  );
  await inStore('service', 'loadbalancer', 'edge', '--tcp=5678:8080');
  t.is(await read('svc/edge', '{.spec.type} {.spec.selector.app}'), 'LoadBalancer edge');
  await inStore('service', 'externalname', 'db', '--external-name=db.example.com');
  t.is(await read('svc/db', '{.spec.type} {.spec.externalName}'), 'ExternalName db.example.com');
  await inStore('configmap', 'settings', '--from-literal=colour=blue', '--from-literal=size=');
  t.is(await read('cm/settings', '{.data}'), '{"colour":"blue","size":""}');
  await inStore('secret', 'generic', 'token', '--from-literal=key=s3cret');
  t.is(await read('secret/token', '{.type} {.data.key}'), 'Opaque czNjcmV0');
  const twice = await kubectl.run(['create', 'configmap', 'settings', '-n', 'store']);
  t.regex(twice.stderr, /configmaps "settings" already exists/);
}

const { found, notFound } = findKubectls(minors);
const test = testWith('kubectl');

for (const { minor, path } of found) {
  test(`kubectl ${minor} does the daily work without a workaround flag`, async (t) => {
    t.timeout(120_000);
    const kubectl = await start(t, path);
    await createAndRead(t, kubectl);
    await createWithoutFile(t, kubectl);
    await refuseBadInput(t, kubectl);
    await change(t, kubectl);
    await applyBothWays(t, kubectl);
    await otherKinds(t, kubectl);
    await reviewAndReplace(t, kubectl);
    await watchAndWait(t, kubectl);
  });
}

nameMissingKubectls(notFound, 'a day’s commands');
