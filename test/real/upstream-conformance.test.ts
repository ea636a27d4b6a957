// Upstream's conformance cases whose sample is a Pod or a Deployment, or that go on to connect to
// one: their half that concerns the API, on kinds that the federation serves, under their names.

import test, { type ExecutionContext } from 'ava';
import { askJson, type AskedJson, type JsonAnswer } from '../support/ask-json.ts';
import { startFederationApi } from '../support/federation-api.ts';
import { token } from '../support/https-fixture.ts';

type Ask = (asked: AskedJson) => Promise<JsonAnswer>;

interface Body {
  readonly kind?: string;
  readonly message?: string;
  readonly metadata?: {
    readonly continue?: string;
    readonly remainingItemCount?: number;
    readonly resourceVersion?: string;
  };
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly externalName?: string;
    readonly ports?: readonly { readonly nodePort?: number }[];
  };
  readonly items?: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  }[];
}

async function start(t: ExecutionContext): Promise<Ask> {
  const { https, close } = await startFederationApi();
  t.teardown(close);
  const url = `https://127.0.0.1:${https.listener.port}`;
  return (asked) => askJson({ url, caPem: https.ca.certPem, token }, asked);
}

const bodyOf = ({ json }: JsonAnswer): Body => json as Body;
const services = '/api/v1/namespaces/default/services';
const configMaps = '/api/v1/namespaces/default/configmaps';
const ports = [{ port: 80, protocol: 'TCP', name: 'http' }];

test('[k8s 129] [sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls', async (t) => {
  const ask = await start(t);
  const count = 40;
  for (let at = 0; at < count; at += 1) {
    const body = { metadata: { name: `template-${String(at).padStart(4, '0')}` } };
    t.is((await ask({ method: 'POST', path: configMaps, body })).status, 201);
  }
  const names: string[] = [];
  const revisions = new Set<string | undefined>();
  let next = '';
  do {
    const path = `${configMaps}?limit=17${next === '' ? '' : `&continue=${next}`}`;
    const page = bodyOf(await ask({ path }));
    names.push(...(page.items ?? []).map(({ metadata }) => metadata.name));
    revisions.add(page.metadata?.resourceVersion);
    next = page.metadata?.continue ?? '';
    t.is(page.metadata?.remainingItemCount ?? 0, count - names.length);
  } while (next !== '');
  t.is(new Set(names).size, count);
  t.deepEqual(names, [...names].sort());
  t.is(revisions.size, 1);
  const whole = bodyOf(await ask({ path: `${configMaps}?limit=${count + 1}` }));
  t.deepEqual(
    (whole.items ?? []).map(({ metadata }) => metadata.name),
    names,
  );
});

test('[k8s 129] [sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata', async (t) => {
  const ask = await start(t);
  const review = (accept: string): Promise<JsonAnswer> =>
    ask({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      headers: { accept },
      body: { spec: { nonResourceAttributes: { path: '/', verb: 'get' } } },
    });
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  t.is((await review(table)).status, 406);
  const second = await review(`${table}, application/json`);
  t.is(second.status, 201);
  t.is(bodyOf(second).kind, 'SelfSubjectAccessReview');
});

test('[k8s 129] [sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object', async (t) => {
  const ask = await start(t);
  const post = (mode: string): Promise<JsonAnswer> =>
    ask({
      method: 'POST',
      path: `${services}?dryRun=All&fieldValidation=${mode}`,
      headers: { 'content-type': 'application/json' },
      body:
        '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},' +
        '"spec":{"odd":1,"ports":[{"port":80}],"type":"ClusterIP","type":"NodePort"}}',
    });
  const strict = await post('Strict');
  t.is(strict.status, 400);
  t.regex(
    bodyOf(strict).message ?? '',
    /duplicate field "spec.type".*unknown field "spec.odd"|unknown field "spec.odd".*duplicate field "spec.type"/,
  );
  const warned = await post('Warn');
  t.is(warned.status, 201);
  t.regex(String(warned.headers['warning']), /spec\.odd/);
  t.regex(String(warned.headers['warning']), /spec\.type/);
  const ignored = await post('Ignore');
  t.is(ignored.status, 201);
  t.is(ignored.headers['warning'], undefined);
});

test('[k8s 129] [sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object', async (t) => {
  const ask = await start(t);
  const body = { metadata: { name: 'a', unknownMeta: 'x' }, spec: { ports } };
  const refused = await ask({ method: 'POST', path: `${services}?fieldValidation=Strict`, body });
  t.is(refused.status, 400);
  t.regex(bodyOf(refused).message ?? '', /unknown field "metadata\.unknownMeta"/);
});

test('[k8s 129] [sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup', async (t) => {
  const ask = await start(t);
  interface Groups {
    readonly groups: readonly { readonly versions: readonly { readonly groupVersion: string }[] }[];
  }
  const { groups } = (await ask({ path: '/apis' })).json as Groups;
  t.true(groups.length > 4);
  for (const { groupVersion } of groups.flatMap(({ versions }) => versions)) {
    const found = (await ask({ path: `/apis/${groupVersion}` })).json as {
      readonly groupVersion: string;
      readonly resources: readonly unknown[];
    };
    t.is(found.groupVersion, groupVersion);
    t.true(found.resources.length > 0, groupVersion);
  }
});

test('[k8s 129] [sig-network] Services should delete a collection of services', async (t) => {
  const ask = await start(t);
  for (const [name, fate] of Object.entries({ a: 'delete', b: 'delete', c: 'keep' })) {
    const metadata = { name, labels: { 'e2e-test-service': fate } };
    await ask({ method: 'POST', path: services, body: { metadata, spec: { ports } } });
  }
  const path = `${services}?labelSelector=e2e-test-service%3Ddelete`;
  t.is((await ask({ method: 'DELETE', path })).status, 200);
  // Who orders the removal of the shards, and lets the Service go, is not part of this world.
  const items = bodyOf(await ask({ path: services })).items ?? [];
  const kept = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  t.deepEqual(
    kept.map(({ metadata }) => metadata.name),
    ['c'],
  );
});

interface Change {
  readonly title: string;
  readonly from: object;
  readonly to: object;
  readonly type: string;
}

const changes: readonly Change[] = [
  {
    title:
      '[k8s 129] [sig-network] Services should be able to change the type from ClusterIP to ExternalName',
    from: { type: 'ClusterIP', ports },
    to: { type: 'ExternalName', externalName: 'b.example.com', clusterIP: '', clusterIPs: null },
    type: 'ExternalName',
  },
  {
    title:
      '[k8s 129] [sig-network] Services should be able to change the type from ExternalName to ClusterIP',
    from: { type: 'ExternalName', externalName: 'b.example.com' },
    to: { type: 'ClusterIP', externalName: null, ports },
    type: 'ClusterIP',
  },
  {
    title:
      '[k8s 129] [sig-network] Services should be able to change the type from ExternalName to NodePort',
    from: { type: 'ExternalName', externalName: 'b.example.com' },
    to: { type: 'NodePort', externalName: null, ports },
    type: 'NodePort',
  },
  {
    title:
      '[k8s 129] [sig-network] Services should be able to change the type from NodePort to ExternalName',
    from: { type: 'NodePort', ports },
    to: { type: 'ExternalName', externalName: 'b.example.com', clusterIP: '', clusterIPs: null },
    type: 'ExternalName',
  },
];

for (const { title, from, to, type } of changes) {
  test(title, async (t) => {
    const ask = await start(t);
    const body = { metadata: { name: 'changing' }, spec: from };
    t.is((await ask({ method: 'POST', path: services, body })).status, 201);
    const headers = { 'content-type': 'application/merge-patch+json' };
    const path = `${services}/changing`;
    const changed = await ask({ method: 'PATCH', path, headers, body: { spec: to } });
    t.is(changed.status, 200, changed.text);
    const { spec } = bodyOf(await ask({ path }));
    t.is(spec?.type, type);
    t.is(spec?.clusterIP !== undefined && spec.clusterIP !== '', type !== 'ExternalName');
    t.is(spec?.externalName !== undefined, type === 'ExternalName');
    t.is((spec?.ports?.[0]?.nodePort ?? 0) > 0, type === 'NodePort');
  });
}
