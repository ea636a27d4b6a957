// What kubectl follows and waits for, in every version of the supported range.

import type { ExecutionContext } from 'ava';
import { eventually } from '../support/eventually.ts';
import { startFederationApi, type FederationApi } from '../support/federation-api.ts';
import { nameMissingKubectls } from '../support/kubectl-versions.ts';
import { createKubectl, type Kubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';

const minors = ['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36'];
const { found, notFound } = findKubectls(minors);
const test = testWith('kubectl');

/** One server for all versions; each works on names of its own. */
let serving: Promise<FederationApi> | undefined;

interface Subject {
  readonly kubectl: Kubectl;
  /** Makes a name its own. */
  readonly own: (name: string) => string;
  readonly minor: number;
}

function each(
  title: string,
  check: (t: ExecutionContext, subject: Subject) => Promise<void>,
): void {
  for (const { minor, path } of found) {
    test(`${title} (kubectl ${minor})`, async (t) => {
      t.timeout(120_000);
      serving ??= startFederationApi();
      const kubectl = createKubectl(path, (await serving).https);
      t.teardown(() => kubectl.remove());
      const digits = minor.replace('.', '');
      const own = (name: string): string => `${name}-${digits}`;
      await check(t, { kubectl, own, minor: Number(minor.split('.')[1]) });
    });
  }
}

test.after.always(async () => {
  await (await serving)?.close();
});

function create({ kubectl }: Subject, name: string): Promise<string> {
  const input = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { of: name } },
    data: { a: '1' },
  });
  return kubectl.ok(['create', '--validate=false', '-f', '-'], { input });
}

const waitMs = 30_000;

each('[k8s 66] get -w follows a name and a selection, with and without its list', async (t, of) => {
  const { kubectl, own } = of;
  const name = own('followed');
  await create(of, name);
  const selected = ['get', 'cm', '-l', `of=${name}`];
  const all = kubectl.start([...selected, '-w', '--output-watch-events']);
  const one = kubectl.start(['get', 'cm', name, '-w', '-o', 'yaml']);
  const only = kubectl.start([...selected, '--watch-only', '-o', 'name']);
  t.teardown(() => [all, one, only].forEach((each) => each.stop()));
  await all.until(new RegExp(`^EVENT +NAME +DATA +AGE\\nADDED +${name} +1 `));
  await one.until(/a: "1"/);
  await kubectl.ok(['label', 'cm', name, 'seen=live']);
  await all.until(new RegExp(`MODIFIED +${name} +1 `));
  await one.until(/seen: live/);
  // It has no list that says when it has begun: what was told before is not for it.
  let isTold = false;
  void only.until(new RegExp(`^configmap/${name}\\n`)).then(() => (isTold = true));
  let turn = 0;
  await eventually(waitMs, async () => {
    if (!isTold) await kubectl.ok(['label', '--overwrite', 'cm', name, `turn=${(turn += 1)}`]);
    return isTold ? [] : ['the watch without a list is told nothing'];
  });
  await kubectl.ok(['delete', 'cm', name]);
  const text = await all.until(new RegExp(`DELETED +${name} +1 `));
  t.is(text.match(/EVENT +NAME/g)?.length, 1, 'the header comes once');
});

each('[k8s 69] wait returns when it may, and not before its time', async (t, of) => {
  const { kubectl, own, minor } = of;
  const name = own('waited');
  await create(of, name);
  const wait = (...args: readonly string[]) => kubectl.run(['wait', ...args]);
  const met = await wait(`cm/${name}`, '--for=jsonpath={.data.a}=1', '--timeout=5s');
  t.is(met.stdout, `configmap/${name} condition met\n`);
  const late = await wait(`cm/${name}`, '--for=condition=Ready', '--timeout=1s');
  t.is(late.code, 1);
  t.is(late.stderr, `error: timed out waiting for the condition on configmaps/${name}\n`);
  const changed = wait(`cm/${name}`, '--for=jsonpath={.data.a}=2', '--timeout=20s');
  const gone = wait(`cm/${name}`, '--for=delete', '--timeout=20s');
  await kubectl.ok(['patch', 'cm', name, '--type=merge', '-p', '{"data":{"a":"2"}}']);
  t.is((await changed).code, 0);
  await kubectl.ok(['delete', 'cm', name]);
  t.is((await gone).code, 0);
  if (minor < 31) return;
  const created = wait(`cm/${own('created')}`, '--for=create', '--timeout=20s');
  await create(of, own('created'));
  t.is((await created).code, 0);
  const never = await wait(`cm/${own('never')}`, '--for=create', '--timeout=1s');
  t.is(never.code, 1);
  t.is(never.stderr, 'error: timed out waiting for the condition\n');
});

nameMissingKubectls(notFound, 'watching');
