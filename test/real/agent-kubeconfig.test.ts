// Kubeconfig files as people have them, and as they get them wrong.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { loadKubeEndpoint, parseKubeconfig } from '../../common/runtime/kubeconfig.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const text = `
apiVersion: v1
kind: Config
current-context: one
clusters:
- name: c1
  cluster: {server: "https://one.example:6443", certificate-authority-data: ${base64('CA')}}
- name: c2
  cluster: {server: "https://two.example", insecure-skip-tls-verify: true, tls-server-name: kube}
- name: broken
  cluster: {server: "not a url"}
users:
- name: cert
  user: {client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')}}
- name: token
  user: {token: secret}
- name: file
  user: {tokenFile: token.txt}
- name: exec
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}
contexts:
- name: one
  context: {cluster: c1, user: cert}
- name: two
  context: {cluster: c2, user: token}
- name: file
  context: {cluster: c2, user: file}
- name: exec
  context: {cluster: c1, user: exec}
- name: broken
  context: {cluster: broken, user: token}
- name: nobody
  context: {cluster: c1, user: ghost}
`;

test('the current context counts unless another is named', async (t) => {
  t.like(parseKubeconfig(text, 'k', undefined), {
    contextName: 'one',
    needsProgram: false,
    endpoint: {
      server: 'https://one.example:6443',
      caPem: 'CA',
      clientCertPem: 'CERT',
      clientKeyPem: 'KEY',
      token: undefined,
    },
  });
  const two = parseKubeconfig(text, 'k', 'two').endpoint;
  t.like(two, { serverName: 'kube', skipTlsVerify: true });
  t.is(await two.token?.(), 'secret');
});

test('a token file is read anew each time', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-kubeconfig-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'config');
  writeFileSync(path, text);
  writeFileSync(join(dir, 'token.txt'), 'first\n');
  const { token } = await loadKubeEndpoint({ kubeconfigPath: path, context: 'file' }, {});
  t.is(await token?.(), 'first');
  writeFileSync(join(dir, 'token.txt'), 'second\n');
  t.is(await token?.(), 'second');
});

test('a user that a program speaks for is recognised', (t) => {
  t.true(parseKubeconfig(text, 'k', 'exec').needsProgram);
});

for (const [context, expected] of [
  ['three', /no context "three" in contexts; there are: one, two/],
  ['broken', /no valid server URL/],
  ['nobody', /no user "ghost" in users/],
] as const) {
  test(`context ${context}: the error says what is wrong`, (t) => {
    t.throws(() => parseKubeconfig(text, 'k', context), {
      code: 'KUBECONFIG_INVALID',
      message: expected,
    });
  });
}

test('a missing file, and no file outside a Pod, say so', async (t) => {
  const missing = { kubeconfigPath: '/nonexistent/config', context: undefined };
  await t.throwsAsync(loadKubeEndpoint(missing, {}), { code: 'KUBECONFIG_INVALID' });
  const inCluster = { kubeconfigPath: undefined, context: undefined };
  await t.throwsAsync(loadKubeEndpoint(inCluster, {}), {
    code: 'KUBECONFIG_INVALID',
    message: /this is no Pod/,
  });
});
