// What of a kubeconfig a hosted agent is given, and every way around it that is refused.

import test from 'ava';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createCa } from '../../common/runtime/pki.ts';
import { readHostedKubeconfig } from '../../coordinator/api/kinds/isthmus/hosted-kubeconfig.ts';

const rules = { execCommands: ['aws', '/opt/bin/login'] };
const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'aws', args: ['eks'] };
const oidcConfig = { 'idp-issuer-url': 'https://idp', 'client-id': 'i', 'refresh-token': 'r' };
const oidc = (more: object): object => ({
  'auth-provider': { name: 'oidc', config: { ...oidcConfig, ...more } },
});

function kubeconfig(user: object, cluster: object = {}): string {
  return JSON.stringify({
    'current-context': 'two',
    clusters: [
      { name: 'other', cluster: { server: 'https://other' } },
      { name: 'c', cluster: { server: 'https://c.example:6443', ...cluster } },
    ],
    users: [
      { name: 'other', user: { token: 'other-secret' } },
      { name: 'u', user },
    ],
    contexts: [{ name: 'two', context: { cluster: 'c', user: 'u' } }],
  });
}

test('only the chosen context is kept, and only what is known of it', (t) => {
  const text = kubeconfig({ token: 'secret', nonsense: 1 }, { nonsense: 2 });
  const read = readHostedKubeconfig(text, rules);
  t.is(read.kind, 'good');
  t.deepEqual(JSON.parse(read.kind === 'good' ? read.text : ''), {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'two',
    clusters: [{ name: 'two', cluster: { server: 'https://c.example:6443' } }],
    users: [{ name: 'two', user: { token: 'secret' } }],
    contexts: [{ name: 'two', context: { cluster: 'two', user: 'two' } }],
  });
});

test('an exec command is never interactive, and an OIDC user keeps known fields only', (t) => {
  const run = readHostedKubeconfig(kubeconfig({ exec: { ...exec, extra: 1 } }), rules);
  t.regex(
    run.kind === 'good' ? run.text : '',
    /"command":"aws","args":\["eks"\],"interactiveMode":"Never"/,
  );
  const user = readHostedKubeconfig(kubeconfig(oidc({ exec: { command: 'evil' } })), rules);
  t.is(user.kind, 'good');
  t.notRegex(user.kind === 'good' ? user.text : '', /evil/);
});

test('what is no certificate is refused, and a pair that does not fit', async (t) => {
  const [one, two] = await Promise.all(
    ['one', 'two'].map((commonName) => createCa({ commonName, validDays: 1, clock })),
  );
  const base64 = (pem = ''): string => Buffer.from(pem).toString('base64');
  const pair = (certificate = '', key = ''): string =>
    kubeconfig({
      'client-certificate-data': base64(certificate),
      'client-key-data': base64(key),
    });
  t.is(readHostedKubeconfig(pair(one?.certPem, one?.keyPem), rules).kind, 'good');
  t.deepEqual(readHostedKubeconfig(pair(one?.certPem, two?.keyPem), rules), {
    kind: 'bad',
    faults: [{ at: 'users[1].user.client-key-data', text: "is not the certificate's key" }],
  });
  t.deepEqual(readHostedKubeconfig(pair(one?.certPem, 'nonsense'), rules), {
    kind: 'bad',
    faults: [
      { at: 'users[1].user.client-key-data', text: 'does not hold a private key (PEM in base64)' },
    ],
  });
});

const cases: readonly (readonly [string, string, string, RegExp])[] = [
  ['no YAML', 'a: [', '', /not YAML \(line 1\)/],
  ['a list', '[]', '', /no kubeconfig/],
  ['no context', '{}', '', /no current-context/],
  [
    'a context that is not there',
    '{current-context: x}',
    '',
    /no context "x" in contexts; .* none/,
  ],
  [
    'plain HTTP',
    kubeconfig({ token: 't' }, { server: 'http://c' }),
    'clusters[1].cluster.server',
    /https/,
  ],
  [
    'a CA file',
    kubeconfig({ token: 't' }, { 'certificate-authority': '/etc/passwd' }),
    'clusters[1].cluster.certificate-authority',
    /names a file/,
  ],
  [
    'a CA that is none',
    kubeconfig({ token: 't' }, { 'certificate-authority-data': 'eA==' }),
    'clusters[1].cluster.certificate-authority-data',
    /does not hold a certificate/,
  ],
  [
    'a proxy',
    kubeconfig({ token: 't' }, { 'proxy-url': 'http://p' }),
    'clusters[1].cluster.proxy-url',
    /not supported/,
  ],
  ['nobody', kubeconfig({}), 'users[1].user', /no token, certificate, exec/],
  [
    'a token file',
    kubeconfig({ tokenFile: '/etc/shadow' }),
    'users[1].user.tokenFile',
    /names a file/,
  ],
  [
    'a password',
    kubeconfig({ username: 'u', password: 'p' }),
    'users[1].user.username',
    /since 1.19/,
  ],
  ['another name', kubeconfig({ token: 't', as: 'root' }), 'users[1].user.as', /no other name/],
  [
    'half a pair',
    kubeconfig({ 'client-certificate-data': 'eA==' }),
    'users[1].user.client-key-data',
    /go together/,
  ],
  [
    'a command that is not allowed',
    kubeconfig({ exec: { ...exec, command: 'sh' } }),
    'users[1].user.exec.command',
    /"sh" may not be run .*aws, \/opt\/bin\/login are allowed.*--hosted-exec-commands/,
  ],
  [
    'a path to a command of an allowed name',
    kubeconfig({ exec: { ...exec, command: '/tmp/aws' } }),
    'users[1].user.exec.command',
    /may not be run/,
  ],
  [
    'a command that begins as an allowed one',
    kubeconfig({ exec: { ...exec, command: 'aws ' } }),
    'users[1].user.exec.command',
    /may not be run/,
  ],
  [
    'an old exec version',
    kubeconfig({ exec: { ...exec, apiVersion: 'client.authentication.k8s.io/v1alpha1' } }),
    'users[1].user.exec.apiVersion',
    /v1beta1/,
  ],
  [
    'a program that asks',
    kubeconfig({ exec: { ...exec, interactiveMode: 'Always' } }),
    'users[1].user.exec.interactiveMode',
    /nobody sits/,
  ],
  [
    'PATH',
    kubeconfig({ exec: { ...exec, env: [{ name: 'PATH', value: '/tmp' }] } }),
    'users[1].user.exec.env[0].name',
    /"PATH" may make the command/,
  ],
  [
    'a loader',
    kubeconfig({
      exec: {
        ...exec,
        env: [
          { name: 'AWS_PROFILE', value: 'x' },
          { name: 'LD_PRELOAD', value: '/x' },
        ],
      },
    }),
    'users[1].user.exec.env[1].name',
    /LD_PRELOAD/,
  ],
  [
    'another interpreter',
    kubeconfig({ exec: { ...exec, env: [{ name: 'CLOUDSDK_PYTHON', value: '/x' }] } }),
    'users[1].user.exec.env[0].name',
    /CLOUDSDK_PYTHON/,
  ],
  [
    'a provider that runs a program',
    kubeconfig({ 'auth-provider': { name: 'gcp', config: { 'cmd-path': 'sh' } } }),
    'users[1].user.auth-provider.name',
    /only oidc/,
  ],
  [
    'OIDC without refresh',
    kubeconfig(oidc({ 'refresh-token': '' })),
    'users[1].user.auth-provider.config.refresh-token',
    /is needed/,
  ],
  [
    'OIDC over HTTP',
    kubeconfig(oidc({ 'idp-issuer-url': 'http://idp' })),
    'users[1].user.auth-provider.config.idp-issuer-url',
    /https/,
  ],
  [
    "OIDC's CA file",
    kubeconfig(oidc({ 'idp-certificate-authority': '/x' })),
    'users[1].user.auth-provider.config.idp-certificate-authority',
    /names a file/,
  ],
];

for (const [what, text, at, message] of cases) {
  test(`refused: ${what}`, (t) => {
    const read = readHostedKubeconfig(text, rules);
    const [fault] = read.kind === 'bad' ? read.faults : [];
    t.is(fault?.at, at);
    t.regex(fault?.text ?? '', message);
  });
}

test('I9: no fault repeats a secret', (t) => {
  const user = {
    token: 'hunter2',
    'client-key-data': 'hunter2',
    username: 'x',
    password: 'hunter2',
  };
  const read = readHostedKubeconfig(
    kubeconfig(user, { 'certificate-authority-data': 'hunter2' }),
    rules,
  );
  t.is(read.kind, 'bad');
  t.notRegex(JSON.stringify(read), /hunter2/);
});
