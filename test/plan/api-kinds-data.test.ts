// ConfigMaps, Secrets and Leases: what they must hold, and what of them may change.

import test from 'ava';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createApiFixture } from '../support/api-fixture.ts';

const root = '/api/v1/namespaces/default';
const paths = {
  map: `${root}/configmaps`,
  secret: `${root}/secrets`,
  lease: '/apis/coordination.k8s.io/v1/namespaces/default/leases',
} as const;

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const badKey =
  'Invalid value: "a b": a valid config key must consist of alphanumeric characters, \'-\', ' +
  "'_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is " +
  "'[-._a-zA-Z0-9]+')";

const refused: readonly (readonly [string, keyof typeof paths, object, string])[] = [
  ['a key with a space', 'map', { data: { 'a b': '' } }, `data[a b]: ${badKey}`],
  ['an empty key', 'map', { data: { '': 'x' } }, 'data[]: Invalid value: ""'],
  [
    'a key twice',
    'map',
    { data: { a: '' }, binaryData: { a: '' } },
    'data[a]: Invalid value: "a": duplicate of key present in binaryData',
  ],
  [
    'more than a mebibyte',
    'map',
    { data: { a: 'x'.repeat(1048577) } },
    'Too long: may not be more than 1048576 bytes',
  ],
  [
    'more than a mebibyte of secrets',
    'secret',
    { stringData: { a: 'x'.repeat(1048577) } },
    'data: Too long: may not be more than 1048576 bytes',
  ],
  ['a bad key of a Secret', 'secret', { stringData: { 'a b': '' } }, `data[a b]: ${badKey}`],
  [
    'TLS without a key',
    'secret',
    { type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'x' } },
    'data[tls.key]: Required value',
  ],
  [
    'a docker configuration that is none',
    'secret',
    { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{' } },
    'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>"',
  ],
  [
    'no docker configuration',
    'secret',
    { type: 'kubernetes.io/dockerconfigjson' },
    'data[.dockerconfigjson]: Required value',
  ],
  [
    'basic authentication with nothing',
    'secret',
    { type: 'kubernetes.io/basic-auth' },
    '[data[username]: Required value, data[password]: Required value]',
  ],
  [
    'SSH without a key',
    'secret',
    { type: 'kubernetes.io/ssh-auth' },
    'data[ssh-privatekey]: Required value',
  ],
  [
    'a token of nobody',
    'secret',
    { type: 'kubernetes.io/service-account-token' },
    'metadata.annotations[kubernetes.io/service-account.name]: Required value',
  ],
];

for (const [title, kind, body, line] of refused) {
  test(`[k8s 113] refused: ${title}`, async (t) => {
    const { call } = await createApiFixture({ kinds: memberKinds() });
    const { status, json } = await call('POST', paths[kind], { metadata: { name: 'a' }, ...body });
    t.is(status, 422);
    t.true(String(json['message']).includes(line), String(json['message']).slice(0, 400));
  });
}

const lease: readonly (readonly [object, string])[] = [
  [
    { leaseDurationSeconds: 0 },
    'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
  ],
  [
    { leaseTransitions: -1 },
    'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    { strategy: 'Best' },
    'spec.strategy: Unsupported value: "Best": supported values: "OldestEmulationVersion"',
  ],
  [
    { preferredHolder: 'me' },
    'spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined',
  ],
];

for (const [spec, line] of lease) {
  test(`[k8s 114] a Lease is refused: ${line}`, async (t) => {
    const { call } = await createApiFixture({ kinds: memberKinds() });
    const { json } = await call('POST', paths.lease, { metadata: { name: 'l' }, spec });
    t.is(json['message'], `Lease.coordination.k8s.io "l" is invalid: ${line}`);
  });
}

test('[k8s 113] stringData wins over data and is stored as base64', async (t) => {
  const { call } = await createApiFixture({ kinds: memberKinds() });
  const { json } = await call('POST', paths.secret, {
    metadata: { name: 's' },
    data: { a: base64('old'), b: base64('kept') },
    stringData: { a: 'new' },
  });
  t.like(json, { type: 'Opaque', data: { a: base64('new'), b: base64('kept') } });
  t.false('stringData' in json);
});

test('[k8s 113] immutable keeps the data and itself; the type never changes', async (t) => {
  const { call } = await createApiFixture({ kinds: memberKinds() });
  for (const path of [paths.map, paths.secret]) {
    const data = { a: base64('1') };
    const made = await call('POST', path, { metadata: { name: 'i' }, data, immutable: true });
    t.is(made.status, 201);
    const merge = { 'content-type': 'application/merge-patch+json' };
    const changed = await call('PATCH', `${path}/i`, { data: { a: base64('2') } }, merge);
    t.regex(
      String(changed.json['message']),
      /data: Forbidden: field is immutable when `immutable` is set$/,
    );
    const undone = await call('PATCH', `${path}/i`, { immutable: false }, merge);
    t.regex(
      String(undone.json['message']),
      /immutable: Forbidden: field is immutable when `immutable` is set$/,
    );
    t.is(
      (await call('PATCH', `${path}/i`, { metadata: { labels: { a: 'b' } } }, merge)).status,
      200,
    );
  }
  const typed = await call('PUT', `${paths.secret}/i`, {
    metadata: { name: 'i' },
    type: 'other',
    data: { a: base64('1') },
    immutable: true,
  });
  t.regex(String(typed.json['message']), /type: Invalid value: "other": field is immutable/);
});

test('[k8s 114] two candidates for one Lease: the second write of one version loses', async (t) => {
  const { call } = await createApiFixture({ kinds: memberKinds() });
  const hold = (holder: string, metadata: object): object => ({
    metadata: { name: 'leader', ...metadata },
    spec: { holderIdentity: holder, leaseDurationSeconds: 15 },
  });
  const { json } = await call('POST', paths.lease, hold('a', {}));
  t.is((await call('POST', paths.lease, hold('b', {}))).status, 409);
  const { resourceVersion } = (json as { metadata: { resourceVersion: string } }).metadata;
  t.is((await call('PUT', `${paths.lease}/leader`, hold('b', { resourceVersion }))).status, 200);
  t.is((await call('PUT', `${paths.lease}/leader`, hold('a', { resourceVersion }))).status, 409);
  t.like((await call('GET', `${paths.lease}/leader`)).json, { spec: { holderIdentity: 'b' } });
});
