// Real kubectl applies, patches, labels and compares: from the client's side with its annotation,
// from the server's side with its owners of fields, and from the one to the other.

import test, { type ExecutionContext } from 'ava';
import { startFederationApi } from '../support/federation-api.ts';
import { nameMissingKubectls } from '../support/kubectl-versions.ts';
import { createKubectl, type Kubectl } from '../support/kubectl.ts';
import { findKubectls } from '../support/programs.ts';

// The oldest, one before and one after the migration to server-side apply changed, the newest.
const minors = ['1.27', '1.31', '1.33', '1.36'];
const { found, notFound } = findKubectls(minors);

function each(title: string, run: (t: ExecutionContext, kubectl: Kubectl) => Promise<void>): void {
  for (const { minor, path } of found) {
    test(`${title} (kubectl ${minor})`, async (t) => {
      const federation = await startFederationApi();
      const kubectl = createKubectl(path, federation.https);
      t.teardown(async () => {
        await federation.close();
        kubectl.remove();
      });
      await run(t, kubectl);
    });
  }
}

interface Wanted {
  readonly labels?: Readonly<Record<string, string>>;
  readonly ports?: readonly object[];
}

function manifest({ labels = { a: '1' }, ports = [{ name: 'http', port: 80 }] }: Wanted): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', labels },
    spec: { selector: { app: 'web' }, ports },
  });
}

interface ManagedField {
  readonly manager: string;
  readonly operation: string;
  readonly fieldsV1: Readonly<Record<string, unknown>>;
}

async function managersOf(kubectl: Kubectl): Promise<readonly string[]> {
  const text = await kubectl.ok(['get', 'svc', 'web', '-o', 'json', '--show-managed-fields']);
  const { metadata } = JSON.parse(text) as {
    readonly metadata: { readonly managedFields: readonly ManagedField[] };
  };
  return metadata.managedFields.map(({ manager, operation }) => `${manager} ${operation}`);
}

each('[k8s 92] apply creates, changes, removes what the manifest dropped', async (t, kubectl) => {
  const apply = (wanted: Wanted) => kubectl.ok(['apply', '-f', '-'], { input: manifest(wanted) });
  t.is(await apply({ labels: { a: '1', b: '2' } }), 'service/web created\n');
  t.is(await apply({ labels: { a: '1', b: '2' } }), 'service/web unchanged\n');
  await kubectl.ok(['label', 'svc', 'web', 'mine=yes']);
  t.is(
    await apply({
      ports: [
        { name: 'https', port: 443 },
        { name: 'http', port: 80 },
      ],
    }),
    'service/web configured\n',
  );
  const labels = await kubectl.ok(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.labels}']);
  t.deepEqual(JSON.parse(labels), { a: '1', mine: 'yes' });
  t.is(await kubectl.ok(['get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[*].port}']), '443 80');
  const last = await kubectl.ok(['apply', 'view-last-applied', 'svc', 'web', '-o', 'json']);
  t.regex(last, /"port": 443/);
  const path = kubectl.file('web.json', manifest({}));
  t.regex(await kubectl.ok(['apply', 'set-last-applied', '-f', path]), /^service\/web configured/);
});

each('[k8s 92] apply of what was created otherwise warns of its annotation', async (t, kubectl) => {
  await kubectl.ok(['create', '-f', kubectl.file('web.json', manifest({}))]);
  const { code, stderr } = await kubectl.run(['apply', '-f', '-'], { input: manifest({}) });
  t.is(code, 0);
  t.regex(stderr, /missing the kubectl\.kubernetes\.io\/last-applied-configuration annotation/);
});

each('[k8s 93] diff ends with 0 without a difference and with 1 with one', async (t, kubectl) => {
  await kubectl.ok(['apply', '-f', '-'], { input: manifest({}) });
  t.is((await kubectl.run(['diff', '-f', '-'], { input: manifest({}) })).code, 0);
  const changed = manifest({ labels: { a: '2' } });
  const { code, stdout } = await kubectl.run(['diff', '-f', '-'], { input: changed });
  t.is(code, 1);
  t.regex(stdout, /^-    a: "1"\n\+    a: "2"$/m);
  const server = await kubectl.run(['diff', '--server-side', '--force-conflicts', '-f', '-'], {
    input: changed,
  });
  t.is(server.code, 1);
  t.regex(server.stdout, /^\+    a: "2"$/m);
});

each('[k8s 95, 97] a conflict names owner and fields, and force takes them', async (t, kubectl) => {
  const apply = ['apply', '--server-side', '-f', '-'];
  t.is(await kubectl.ok(apply, { input: manifest({}) }), 'service/web serverside-applied\n');
  const other = [...apply, '--field-manager=other'];
  const wish = { input: manifest({ labels: { a: '2' } }) };
  const { code, stderr } = await kubectl.run(other, wish);
  t.is(code, 1);
  t.regex(stderr, /Apply failed with 1 conflict: conflict with "kubectl": \.metadata\.labels\.a/);
  await kubectl.ok([...other, '--force-conflicts'], wish);
  t.deepEqual(await managersOf(kubectl), ['kubectl Apply', 'other Apply']);
});

each(
  '[k8s 102] what was applied from the client side moves to the server side',
  async (t, kubectl) => {
    const wanted = { labels: { a: '1', b: '2' } };
    await kubectl.ok(['apply', '-f', '-'], { input: manifest(wanted) });
    t.deepEqual(await managersOf(kubectl), ['kubectl-client-side-apply Update']);
    const apply = ['apply', '--server-side', '-f', '-'];
    t.is(await kubectl.ok(apply, { input: manifest({}) }), 'service/web serverside-applied\n');
    // kubectl keeps the annotation as a manager of its own.
    const managers = await managersOf(kubectl);
    t.deepEqual(managers.toSorted(), ['kubectl Apply', 'kubectl-last-applied Apply']);
    // The label that only the client's side had applied is gone with the migration.
    const labels = await kubectl.ok(['get', 'svc', 'web', '-o', 'jsonpath={.metadata.labels}']);
    t.deepEqual(JSON.parse(labels), { a: '1' });
    // The annotation is kept true for those who go back.
    const last = await kubectl.ok(['apply', 'view-last-applied', 'svc', 'web', '-o', 'json']);
    t.notRegex(last, /"b": "2"/);
  },
);

each('[k8s 91] patch, label and annotate say what they changed', async (t, kubectl) => {
  await kubectl.ok(['create', '-f', kubectl.file('web.json', manifest({}))]);
  const patch = (...args: string[]) => kubectl.ok(['patch', 'svc', 'web', ...args]);
  const json = '[{"op":"replace","path":"/spec/type","value":"NodePort"}]';
  t.is(await patch('--type=json', '-p', json), 'service/web patched\n');
  t.is(await patch('--type=json', '-p', json), 'service/web patched (no change)\n');
  t.is(
    await patch('-p', '{"spec":{"ports":[{"port":80,"targetPort":8080}]}}'),
    'service/web patched\n',
  );
  t.is(await patch('--type=merge', '-p', '{"spec":{"type":"ClusterIP"}}'), 'service/web patched\n');
  t.is(await kubectl.ok(['label', 'svc', 'web', 'b=2']), 'service/web labeled\n');
  t.is(await kubectl.ok(['label', 'svc', 'web', 'b=2']), 'service/web not labeled\n');
  const refused = await kubectl.run(['label', 'svc', 'web', 'b=3']);
  t.regex(refused.stderr, /'b' already has a value \(2\), and --overwrite is false/);
  t.is(await kubectl.ok(['label', 'svc', 'web', 'b=3', '--overwrite']), 'service/web labeled\n');
  t.is(await kubectl.ok(['label', 'svc', 'web', 'b-']), 'service/web unlabeled\n');
  t.regex(await kubectl.ok(['annotate', 'svc', 'web', 'c=1']), /^service\/web annotated?\n$/);
});

nameMissingKubectls(notFound, 'apply');
