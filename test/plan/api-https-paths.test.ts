// What is served beside resources. The texts are those of a kube-apiserver 1.34.4.

import test from 'ava';
import { createApiFixture } from '../support/api-fixture.ts';

const nosniff = 'nosniff';

test('[k8s 12] /version has every member of 1.34, indented whoever asks', async (t) => {
  const { call } = await createApiFixture();
  const { text, json } = await call('GET', '/version');
  t.deepEqual(Object.keys(json).slice(0, 7), [
    'major',
    'minor',
    'emulationMajor',
    'emulationMinor',
    'minCompatibilityMajor',
    'minCompatibilityMinor',
    'gitVersion',
  ]);
  t.is(json['minor'], '34');
  t.is(json['emulationMinor'], '34');
  t.is(json['minCompatibilityMinor'], '33');
  t.regex(text, /^\{\n {2}"major": "1",\n/);
});

test('[k8s 13] health is ok, verbose, and passes over what is excluded', async (t) => {
  const { call } = await createApiFixture({ readiness: () => ({ store: undefined }) });
  const short = await call('GET', '/healthz');
  t.deepEqual([short.status, short.text], [200, 'ok']);
  t.is(short.headers['x-content-type-options'], nosniff);
  t.is(
    (await call('GET', '/readyz?verbose')).text,
    '[+]ping ok\n[+]store ok\nreadyz check passed\n',
  );
  t.is(
    (await call('GET', '/readyz?verbose&exclude=store&exclude=nope')).text,
    '[+]ping ok\n[+]store excluded: ok\n' +
      'warn: some health checks cannot be excluded: no matches for "nope"\nreadyz check passed\n',
  );
  t.is((await call('GET', '/livez/ping')).text, 'ok');
  t.is((await call('GET', '/livez/nope')).text, '404 page not found\n');
  t.is((await call('POST', '/healthz')).status, 200);
});

test('[k8s 13] a failing check makes it 500, and says why only by itself', async (t) => {
  const { call } = await createApiFixture({ readiness: () => ({ store: 'it is full' }) });
  const all = await call('GET', '/readyz');
  t.is(all.status, 500);
  t.is(all.text, '[+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n');
  const one = await call('GET', '/readyz/store');
  t.deepEqual([one.status, one.text], [500, 'internal server error: it is full\n']);
  t.is((await call('GET', '/livez')).status, 200);
});

test('[k8s 14] unknown paths are text, wrong methods are a Status', async (t) => {
  const { call } = await createApiFixture();
  const unknown = await call('GET', '/nope');
  t.deepEqual([unknown.status, unknown.text], [404, '404 page not found\n']);
  t.is(unknown.headers['x-content-type-options'], nosniff);
  for (const [method, path] of [
    ['POST', '/version'],
    ['HEAD', '/version'],
    ['OPTIONS', '/version'],
    ['HEAD', '/api/v1/namespaces'],
    ['OPTIONS', '/api/v1/namespaces'],
    ['POST', '/api/v1/gadgets'],
  ] as const) {
    const answer = await call(method, path);
    t.is(answer.status, 405, `${method} ${path}`);
    t.is(answer.json['reason'], 'MethodNotAllowed');
  }
});

test('[k8s 121] the client’s own Audit-ID comes back, without what ends a header', async (t) => {
  const { call } = await createApiFixture();
  const given = await call('GET', '/version', undefined, { 'audit-id': 'my id\r\n' });
  t.is(given.headers['audit-id'], 'my id');
});
