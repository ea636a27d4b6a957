// ConfigMaps and Secrets as kubectl makes them: from literals, files, certificates, registries.

import type { FederationApi } from '../support/federation-api.ts';
import { withKubectls } from '../support/kubectl-versions.ts';

let pair: FederationApi['https']['admin'] | undefined;

// From 1.32 on kubectl sends these as protobuf.
const each = withKubectls(['1.27', '1.32', '1.36'], ({ https }) => {
  pair = https.admin;
});

each('[k8s 113] kubectl … creates ConfigMaps', async (t, kubectl, name) => {
  const { ok, run } = kubectl;
  const text = kubectl.file('app.conf', 'a=b\n');
  kubectl.file('blob', 'x');
  const made = ['create', 'configmap', name, '--from-literal=k=v', `--from-file=${text}`];
  t.is(await ok([...made, '--dry-run=server']), `configmap/${name} created (server dry run)\n`);
  t.is(await ok(made), `configmap/${name} created\n`);
  t.deepEqual(JSON.parse(await ok(['get', 'cm', name, '-o', 'jsonpath={.data}'])), {
    k: 'v',
    'app.conf': 'a=b\n',
  });
  t.regex(await ok(['get', 'cm', name]), new RegExp(`^NAME +DATA +AGE\\n${name} +2 +`));
  t.regex(await ok(['describe', 'cm', name]), /app\.conf:\n----\na=b\n/);
  const twice = await run(made);
  t.regex(twice.stderr, new RegExp(`configmaps "${name}" already exists`));
  await ok(['patch', 'cm', name, '--type=merge', '-p', '{"immutable":true}']);
  const late = await run(['patch', 'cm', name, '--type=merge', '-p', '{"data":{"k":"w"}}']);
  t.regex(late.stderr, /data: Forbidden: field is immutable when `immutable` is set/);
});

each('[k8s 113] kubectl … creates generic Secrets', async (t, kubectl, name) => {
  const { ok } = kubectl;
  const made = ['create', 'secret', 'generic', name, '--from-literal=user=root'];
  t.is(await ok(made), `secret/${name} created\n`);
  t.is(await ok(['get', 'secret', name, '-o', 'jsonpath={.type} {.data.user}']), 'Opaque cm9vdA==');
  t.regex(await ok(['get', 'secret', name]), new RegExp(`${name} +Opaque +1 +`));
  const described = await ok(['describe', 'secret', name]);
  t.regex(described, /user: +4 bytes/);
  t.false(described.includes('cm9vdA=='));
});

each('[k8s 113] kubectl … creates Secrets of a TLS pair', async (t, kubectl, prefix) => {
  const { ok, run } = kubectl;
  const name = `${prefix}-tls`;
  const cert = kubectl.file('tls.crt', pair?.certPem ?? '');
  const key = kubectl.file('tls.key', pair?.keyPem ?? '');
  await ok(['create', 'secret', 'tls', name, `--cert=${cert}`, `--key=${key}`]);
  t.regex(await ok(['get', 'secret', name]), /kubernetes\.io\/tls +2 +/);
  const bare = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"${name}-x"},"type":"kubernetes.io/tls"}`;
  const refused = await run(['create', '-f', '-'], { input: bare });
  t.regex(refused.stderr, /data\[tls\.crt\]: Required value/);
});

each('[k8s 113] kubectl … creates Secrets of a registry', async (t, kubectl, prefix) => {
  const { ok } = kubectl;
  const name = `${prefix}-registry`;
  const who = ['--docker-server=registry.example', '--docker-username=u', '--docker-password=p'];
  await ok(['create', 'secret', 'docker-registry', name, ...who]);
  const at = 'jsonpath={.data.\\.dockerconfigjson}';
  const held = Buffer.from(await ok(['get', 'secret', name, '-o', at]), 'base64').toString();
  t.like(JSON.parse(held), { auths: { 'registry.example': { username: 'u', password: 'p' } } });
  t.regex(await ok(['get', 'secret', name]), /kubernetes\.io\/dockerconfigjson +1 +/);
});
