// kubectl with the kinds of isthmus.dev: what it prints, explains, applies, edits and waits for.

import type { FederationApi } from '../support/federation-api.ts';
import { withKubectls } from '../support/kubectl-versions.ts';

const each = withKubectls(['1.27', '1.31', '1.33', '1.36'], putProjected);

function putProjected({ projections }: FederationApi): void {
  const metadata = {
    name: 'web.one',
    namespace: 'default',
    creationTimestamp: '2026-01-02T03:04:05Z',
  };
  projections.get('isthmus.dev/serviceshards')?.put({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ServiceShard',
    metadata,
    spec: { service: 'web', cluster: 'one' },
    status: { ready: 2, total: 3, ingress: ['192.0.2.1'], health: 'healthy', reason: 'Healthy' },
  });
  projections.get('isthmus.dev/dnsrecordsets')?.put({
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'DNSRecordSet',
    metadata,
    spec: {
      dnsName: 'web.example',
      recordType: 'A',
      ttlSeconds: 60,
      targets: ['192.0.2.1'],
      dnsZone: 'public',
    },
    status: { published: true, state: 'live', reason: 'Published' },
  });
}

const headOf = (text: string): readonly string[] => (text.split('\n')[0] ?? '').split(/\s+/);

each(
  '[k8s 116] kubectl …: explain tells every field, and the tree of a policy',
  async (t, { ok }) => {
    const spec = await ok(['explain', 'cluster.spec']);
    t.regex(spec, /region\s+<string>\s+Region of the cluster/);
    t.regex(spec, /zone\s+<string>\s+Zone of the whole cluster/);
    t.notRegex(spec, /<no description>/i);
    const tree = await ok(['explain', 'servicepolicy.spec', '--recursive']);
    t.regex(
      tree,
      /health.*\n\s+minReadyEndpoints\s+<integer>[^]*placement.*\n\s+clusterSelector.*\n\s+matchExpressions[^]*\n\s+clusters\s+<\[\]string>[^]*serviceName/,
    );
    t.regex(await ok(['explain', 'svcpol.spec.placement.clusters']), /Exactly these clusters/);
    t.regex(await ok(['explain', 'svcpol.spec.overrides.patch']), /JSON patch \(RFC 6902\)/);
    t.regex(await ok(['explain', 'cluster.spec.taints.effect']), /NoExecute sends those away/);
    t.regex(await ok(['explain', 'dnsrs.status.published']), /True when the name answers so/);
  },
);

each(
  '[k8s 116] kubectl …: every kind is listed by its category and short name, with columns',
  async (t, kubectl) => {
    const { ok, run } = kubectl;
    const kinds = await ok(['api-resources', '--api-group=isthmus.dev', '-o', 'name']);
    t.deepEqual(kinds.trim().split('\n').sort(), [
      'clusters.isthmus.dev',
      'dnsanswerreviews.isthmus.dev',
      'dnsimportreviews.isthmus.dev',
      'dnsplanreviews.isthmus.dev',
      'dnsrecordsets.isthmus.dev',
      'dnszones.isthmus.dev',
      'jointokens.isthmus.dev',
      'servicepolicies.isthmus.dev',
      'serviceshards.isthmus.dev',
    ]);
    const shards = await ok(['get', 'svcshard']);
    t.deepEqual(headOf(shards), [
      'NAME',
      'CLUSTER',
      'SERVICE',
      'READY',
      'INGRESS',
      'HEALTH',
      'LAST-SEEN',
      'AGE',
    ]);
    t.regex(shards, /web\.one\s+one\s+web\s+2\/3\s+192\.0\.2\.1\s+healthy\s+now/);
    t.true(headOf(await ok(['get', 'svcshard', '-o', 'wide'])).includes('REASON'));
    const records = await ok(['get', 'dnsrs']);
    t.regex(records, /web\.example\s+A\s+60\s+192\.0\.2\.1\s+public\s+live\s+Published/);
    t.regex(await ok(['get', 'isthmus']), /serviceshard\.isthmus\.dev\/web\.one/);
    t.notRegex(await ok(['get', 'all']), /isthmus\.dev/);
    const refused = await run(['delete', 'svcshard', 'web.one']);
    t.regex(refused.stderr, /MethodNotAllowed/);
  },
);

const clusterOf = (name: string, zone: string): string =>
  `apiVersion: isthmus.dev/v1alpha1\nkind: Cluster\nmetadata: {name: ${name}}\nspec: {zone: ${zone}, region: r}\n`;

each(
  '[k8s 116] kubectl …: apply in both ways, edit, and what a bad value is told',
  async (t, kubectl, name) => {
    const { ok, run } = kubectl;
    const apply = (zone: string, ...more: readonly string[]): Promise<string> =>
      ok(['apply', '-f', '-', ...more], { input: clusterOf(name, zone) });
    const full = `cluster.isthmus.dev/${name}`;
    t.is(await apply('a', '--dry-run=server'), `${full} created (server dry run)\n`);
    t.is(await apply('a'), `${full} created\n`);
    t.is(await apply('a'), `${full} unchanged\n`);
    t.is(await apply('b'), `${full} configured\n`);
    t.is(await apply('b', '--server-side', '--force-conflicts'), `${full} serverside-applied\n`);
    const generation = '-o=jsonpath={.metadata.generation}';
    t.is(await ok(['get', 'cl', name, generation]), '2');
    const editor = kubectl.file('editor', '#!/bin/sh\nsed -i "s/zone: b/zone: c/" "$1"\n', 0o700);
    t.is(await ok(['edit', 'cl', name], { env: { EDITOR: editor } }), `${full} edited\n`);
    t.is(await ok(['get', 'cl', name, '-o=jsonpath={.spec.zone}']), 'c');
    const long = await run(['apply', '-f', '-'], { input: clusterOf(name, 'z'.repeat(64)) });
    t.regex(long.stderr, /spec\.zone: Too long: may not be more than 63 bytes/);
    const odd = await run(['apply', '-f', '-'], {
      input: clusterOf(name, 'a').replace('zone', 'zoen'),
    });
    t.regex(odd.stderr, /unknown field "spec\.zoen"/);
  },
);

const readyNow = JSON.stringify({
  status: {
    region: 'r',
    kubernetesVersion: 'v1.34.0',
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'ClusterReady',
        message: 'It is heard.',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
  },
});

each(
  '[k8s 116] kubectl …: wait, describe and the columns see a patched status',
  async (t, kubectl, prefix) => {
    const { ok, run } = kubectl;
    const name = `${prefix}-s`;
    await ok(['create', '-f', '-'], { input: clusterOf(name, 'a') });
    t.regex(
      await ok(['get', 'cl', name]),
      new RegExp(`${name}\\s+Unknown\\s+Unknown\\s+Enabled\\s+r\\s+a`),
    );
    const late = await run(['wait', '--for=condition=Ready', `cluster/${name}`, '--timeout=200ms']);
    t.is(late.code, 1);
    const waiting = ok(['wait', '--for=condition=Ready', `cluster/${name}`, '--timeout=20s']);
    const patch = [
      'patch',
      'cluster',
      name,
      '--subresource=status',
      '--type=merge',
      '-p',
      readyNow,
    ];
    t.is(await ok(patch), `cluster.isthmus.dev/${name} patched\n`);
    t.is(await waiting, `cluster.isthmus.dev/${name} condition met\n`);
    const wide = await ok(['get', 'clusters', name, '-o', 'wide']);
    t.deepEqual(headOf(wide), [
      'NAME',
      'READY',
      'APPROVED',
      'SCHEDULING',
      'REGION',
      'ZONES',
      'PROVIDER',
      'VERSION',
      'TELEMETRY',
      'AGE',
    ]);
    t.regex(
      wide,
      new RegExp(`${name}\\s+True\\s+Unknown\\s+Enabled\\s+r\\s+a\\s+v1\\.34\\.0\\s+Unknown`),
    );
    const described = await ok(['describe', 'cluster', name]);
    t.regex(described, /Kubernetes Version:\s+v1\.34\.0/);
    t.regex(described, /Message:\s+It is heard\./);
    const strategic = await run(['patch', 'cluster', name, '--type=strategic', '-p', '{}']);
    t.regex(strategic.stderr, /application\/strategic-merge-patch\+json is not supported/);
    t.is(await ok(['delete', 'cl', name]), `cluster.isthmus.dev "${name}" deleted\n`);
  },
);

each(
  '[k8s 116] kubectl …: a JoinToken is defaulted and shown once, a policy refuses nonsense',
  async (t, kubectl, name) => {
    const { ok, run } = kubectl;
    const token = `apiVersion: isthmus.dev/v1alpha1\nkind: JoinToken\nmetadata: {name: ${name}}\n`;
    const made = await ok(['create', '-f', '-', '-o', 'jsonpath={.status.token}'], {
      input: token,
    });
    t.regex(made, new RegExp(`^isthmus\\.v1\\.${name}\\.`));
    t.is(await ok(['get', 'jt', name, '-o', 'jsonpath={.status.token}']), '');
    t.regex(await ok(['get', 'jt', name]), /in (59|60)m/);
    const changed = ['patch', 'jt', name, '--type=merge', '-p', '{"spec":{"cluster":"b"}}'];
    t.regex((await run(changed)).stderr, /field is immutable/);
    const policy = (spec: string): string =>
      `apiVersion: isthmus.dev/v1alpha1\nkind: ServicePolicy\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
    const bad = await run(['create', '-f', '-'], {
      input: policy('{serviceName: web, placement: {clusters: [a, a]}}'),
    });
    t.regex(bad.stderr, /spec\.placement\.clusters\[1\]: Duplicate value: "a"/);
    await ok(['create', '-f', '-'], {
      input: policy('{serviceName: web, placement: {clusters: [a, b]}}'),
    });
    t.regex(await ok(['get', 'svcpol', name]), new RegExp(`${name}\\s+web\\s+a,b`));
  },
);
