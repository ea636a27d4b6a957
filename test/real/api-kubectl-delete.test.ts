// kubectl deletes, in all the ways that it has, and waits for a namespace to go.

import { withKubectls } from '../support/kubectl-versions.ts';

const each = withKubectls(['1.27', '1.33', '1.36']);

const configMap = (name: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;

each(
  '[k8s 19, 109, 111] kubectl … deletes by name, label, file and all',
  async (t, kubectl, ns) => {
    const { ok, run } = kubectl;
    const dryCreate = await ok(['create', 'ns', ns, '--dry-run=server']);
    t.is(dryCreate, `namespace/${ns} created (server dry run)\n`);
    t.is(await ok(['create', 'ns', ns]), `namespace/${ns} created\n`);
    const here = ['-n', ns];
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      await ok(['create', '-f', '-', ...here], { input: configMap(name) });
    }
    await ok(['create', 'secret', 'generic', 's', ...here, '--from-literal=k=v']);
    await ok(['label', 'cm', 'a', 'app=web', ...here]);
    const dry = await ok(['delete', 'cm', 'a', ...here, '--dry-run=server']);
    t.regex(dry, /^configmap "a" deleted.*\(server dry run\)$/m);
    t.is((await run(['get', 'cm', 'a', ...here])).code, 0);
    t.regex(await ok(['delete', 'cm', '-l', 'app=web', ...here]), /^configmap "a" deleted/);
    t.regex(await ok(['delete', 'cm', 'b', ...here, '--cascade=orphan']), /"b" deleted/);
    t.regex(await ok(['delete', 'cm', 'c', ...here, '--cascade=foreground']), /"c" deleted/);
    t.regex(await ok(['delete', 'cm', 'd', ...here, '--now']), /"d" deleted/);
    const forced = await run(['delete', 'cm', 'e', ...here, '--force', '--grace-period=0']);
    t.regex(forced.stdout, /"e" force deleted/);
    t.regex(forced.stderr, /Warning: Immediate deletion does not wait/);
    const file = kubectl.file('two.yaml', `${configMap('f')}---\n${configMap('g')}`);
    t.regex(await ok(['delete', '-f', file, ...here]), /"f" deleted.*\n.*"g" deleted/);
    const gone = await run(['delete', 'cm', 'd', ...here]);
    t.is(gone.stderr, 'Error from server (NotFound): configmaps "d" not found\n');
    t.is(gone.code, 1);
    t.is(await ok(['delete', 'cm', 'd', ...here, '--ignore-not-found']), '');
    t.regex(await ok(['delete', 'cm', '--all', ...here]), /"h" deleted/);
    t.regex((await run(['get', 'cm', ...here])).stderr, /No resources found/);
    t.regex(await ok(['delete', 'ns', ns]), new RegExp(`^namespace "${ns}" deleted`));
    t.is((await run(['get', 'ns', ns])).code, 1);
    const kept = await run(['delete', 'ns', 'default']);
    t.regex(kept.stderr, /\(Forbidden\).*this namespace may not be deleted/);
  },
);

each(
  '[k8s 105, 109] kubectl … waits for a finalizer unless told not to',
  async (t, kubectl, name) => {
    const { ok, run } = kubectl;
    const held = configMap(name).replace('}', ', finalizers: [example.com/wait]}');
    await ok(['create', '-f', '-'], { input: held });
    t.regex(await ok(['delete', 'cm', name, '--wait=false']), /deleted/);
    const at = ['get', 'cm', name, '-o', 'jsonpath={.metadata.deletionTimestamp}'];
    t.regex(await ok(at), /^\d{4}-/);
    const late = await run(['delete', 'cm', name, '--timeout=300ms']);
    t.is(late.code, 1);
    t.regex(late.stderr, /timed out waiting for the condition/);
    const free = '{"metadata":{"finalizers":null}}';
    await ok(['patch', 'cm', name, '--type=merge', '-p', free]);
    t.is((await run(['get', 'cm', name])).code, 1);
  },
);
