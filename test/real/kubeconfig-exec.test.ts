// Users of a kubeconfig that a program or an OpenID provider speaks for, with real programs and a
// real HTTPS provider.

import {
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { chooseContext } from '../../common/pure/kubeconfig-choice.ts';
import { systemClock as clock, toTimestamp } from '../../common/runtime/clock.ts';
import type { ClientIdentity } from '../../common/runtime/kube-http-exchange.ts';
import {
  loadKubeEndpoint,
  parseYaml,
  toEndpoint,
  type EndpointOptions,
} from '../../common/runtime/kubeconfig.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';

function folder(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-exec-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

interface Identity {
  current(): Promise<ClientIdentity>;
  refuse(): void;
}

/** Of a kubeconfig whose one user is `user`. */
function identityOf(user: object, options: EndpointOptions): Identity {
  const text = JSON.stringify({
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: 'https://c.example' } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  });
  const { identity } = toEndpoint(
    chooseContext(parseYaml(text, 'k'), undefined, 'k'),
    'k',
    options,
  );
  if (identity === undefined) throw new Error('no identity');
  return identity;
}

const env = { PATH: process.env['PATH'] };

/** A program that counts its runs in `runs` and prints `status` with that number for `N`. */
function program(dir: string, status: object): object {
  const answer = JSON.stringify({ kind: 'ExecCredential', status });
  const path = join(dir, 'plugin.sh');
  writeFileSync(
    path,
    `#!/bin/sh\necho "$KUBERNETES_EXEC_INFO" >>${dir}/runs\n` +
      `N=$(wc -l <${dir}/runs); echo '${answer}' | sed "s/NUMBER/$N/"\n`,
    { mode: 0o700 },
  );
  const apiVersion = 'client.authentication.k8s.io/v1';
  return { exec: { apiVersion, command: path, provideClusterInfo: true } };
}

const runsOf = (dir: string): readonly string[] =>
  readFileSync(join(dir, 'runs'), 'utf8').trim().split('\n');

test('an exec program is told of the cluster, run once, and again when refused', async (t) => {
  const dir = folder(t);
  const identity = identityOf(program(dir, { token: 'token-NUMBER' }), { env });
  const both = await Promise.all([identity.current(), identity.current()]);
  t.deepEqual(both, [{ token: 'token-1' }, { token: 'token-1' }]);
  const info = JSON.parse(runsOf(dir)[0] ?? '') as object;
  t.deepEqual(info, {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false, cluster: { server: 'https://c.example' } },
  });
  identity.refuse();
  t.deepEqual(await identity.current(), { token: 'token-2' });
});

test('an exec credential that has ended is asked for anew; a certificate is one too', async (t) => {
  const dir = folder(t);
  const status = {
    clientCertificateData: 'CERT-NUMBER',
    clientKeyData: 'KEY',
    expirationTimestamp: toTimestamp(clock.now() - 1000),
  };
  const identity = identityOf(program(dir, status), { env });
  t.deepEqual(await identity.current(), { certPem: 'CERT-1', keyPem: 'KEY' });
  t.deepEqual(await identity.current(), { certPem: 'CERT-2', keyPem: 'KEY' });
});

for (const [what, exec, message] of [
  [
    'is not there',
    { command: 'no-such-program', installHint: 'Get it from the cloud.' },
    /"no-such-program": it is not installed here, or not on PATH\. Get it from the cloud\./,
  ],
  [
    'fails',
    { command: 'ls', args: ['/nonexistent'] },
    /"ls": it ended with exit code 2: .*nonexis/,
  ],
  ['prints a secret', { command: 'echo', args: ['hunter2'] }, /^(?!.*hunter2).*no ExecCredential/],
  ['needs a person', { command: 'true', interactiveMode: 'Always' }, /wants a person/],
] as const) {
  test(`an exec program that ${what}: the error says so`, async (t) => {
    const identity = identityOf({ exec }, { env });
    await t.throwsAsync(identity.current(), { code: 'KUBE_CREDENTIALS', message });
  });
}

/** An unsigned ID token: who holds it does not check it. */
function idToken(name: string, endsInSeconds: number): string {
  const exp = Math.floor(clock.now() / 1000) + endsInSeconds;
  const parts = [{ alg: 'none' }, { exp, name }].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return `${parts.join('.')}.x`;
}

async function startProvider(t: ExecutionContext) {
  const ca = await createCa({ commonName: 'idp CA', validDays: 1, clock });
  const { certPem, keyPem } = await issueServerCertificate({
    ca,
    commonName: 'idp',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    validDays: 1,
    clock,
  });
  const asked: { readonly form: string; readonly authorization: string | undefined }[] = [];
  const server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
    let form = '';
    request.on('data', (chunk: Buffer) => (form += chunk.toString()));
    request.on('end', () => {
      if (request.method === 'GET') {
        response.end(JSON.stringify({ token_endpoint: `${issuer}/token` }));
        return;
      }
      asked.push({ form, authorization: request.headers.authorization });
      if (form.includes('refresh_token=dead')) {
        response.writeHead(400).end('{"error":"invalid_grant"}');
        return;
      }
      const next = { id_token: idToken('second', 3600), refresh_token: 'refresh-2' };
      response.end(JSON.stringify(next));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const data = Buffer.from(ca.certPem).toString('base64');
  return { issuer, asked, trust: { 'idp-certificate-authority-data': data } };
}

test('an ID token that has ended is traded for a new one, whose keeper is told first', async (t) => {
  const { issuer, asked, trust } = await startProvider(t);
  const kept: unknown[] = [];
  const config = {
    'idp-issuer-url': issuer,
    'client-id': 'isthmus',
    'client-secret': 's/cret',
    'id-token': idToken('first', -60),
    'refresh-token': 'refresh-1',
    ...trust,
  };
  const identity = identityOf(
    { 'auth-provider': { name: 'oidc', config } },
    { env, onRefresh: (tokens) => Promise.resolve(void kept.push(tokens)) },
  );
  const [one, two] = await Promise.all([identity.current(), identity.current()]);
  t.is(one.token, two.token);
  t.regex(Buffer.from(one.token?.split('.')[1] ?? '', 'base64url').toString(), /second/);
  t.deepEqual(kept, [{ idToken: one.token, refreshToken: 'refresh-2' }]);
  t.is(asked.length, 1);
  t.regex(asked[0]?.form ?? '', /grant_type=refresh_token&refresh_token=refresh-1/);
  const basic = Buffer.from('isthmus:s%2Fcret').toString('base64');
  t.is(asked[0]?.authorization, `Basic ${basic}`);
  t.is((await identity.current()).token, one.token);
  t.is(asked.length, 1);
});

test('new tokens are kept in the file that they came from, with its comments', async (t) => {
  const { issuer, trust } = await startProvider(t);
  const dir = folder(t);
  const path = join(dir, 'config');
  const lines = [
    '# of Ana',
    'current-context: c',
    'clusters: [{name: c, cluster: {server: "https://c"}}]',
    'contexts: [{name: c, context: {cluster: c, user: u}}]',
    'users:',
    '- name: other # untouched',
    '  user: {token: t}',
    '- name: u',
    '  user:',
    '    auth-provider:',
    '      name: oidc',
    '      config:',
    `        idp-issuer-url: ${issuer}`,
    '        client-id: isthmus',
    `        id-token: ${idToken('first', -60)}`,
    '        refresh-token: refresh-1',
    `        idp-certificate-authority-data: ${trust['idp-certificate-authority-data']}`,
    '',
  ];
  writeFileSync(path, lines.join('\n'));
  symlinkSync(path, join(dir, 'link'));
  const source = { kubeconfigPath: join(dir, 'link'), context: undefined };
  const { identity } = await loadKubeEndpoint(source, {});
  const { token } = (await identity?.current()) ?? {};
  const kept = readFileSync(path, 'utf8');
  t.regex(kept, /^# of Ana\n/);
  t.regex(kept, /name: other # untouched/);
  t.true(kept.includes(token ?? 'none'));
  t.regex(kept, /refresh-token: refresh-2/);
  t.true(lstatSync(join(dir, 'link')).isSymbolicLink());
  t.is(statSync(path).mode & 0o777, 0o600);
});

test('a refresh token that the provider takes no more: the error says so', async (t) => {
  const { issuer, trust } = await startProvider(t);
  const config = {
    'idp-issuer-url': issuer,
    'client-id': 'isthmus',
    'id-token': idToken('first', -60),
    'refresh-token': 'dead',
    ...trust,
  };
  const identity = identityOf({ 'auth-provider': { name: 'oidc', config } }, { env });
  await t.throwsAsync(identity.current(), { message: /answered 400 \(invalid_grant\)/ });
});

test('providers that kubectl gave up are refused by name', (t) => {
  t.throws(() => identityOf({ 'auth-provider': { name: 'gcp', config: {} } }, { env }), {
    message: /users\[0\]\.user\.auth-provider: "gcp" is not supported/,
  });
});
