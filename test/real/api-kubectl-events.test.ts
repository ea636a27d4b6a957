// Events through kubectl: listed, chosen, followed, and under both groups.

import { withKubectls } from '../support/kubectl-versions.ts';

const each = withKubectls(['1.27', '1.33', '1.36']);

function event(name: string, more: object): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name },
    involvedObject: { kind: 'Service', name: 'web', apiVersion: 'v1' },
    source: { component: 'example' },
    firstTimestamp: '2026-01-02T03:04:05Z',
    lastTimestamp: '2026-01-02T03:04:05Z',
    count: 1,
    ...more,
  });
}

function inNamespace(text: string, namespace: string): string {
  const { involvedObject, ...rest } = JSON.parse(text) as { readonly involvedObject: object };
  return JSON.stringify({ ...rest, involvedObject: { ...involvedObject, namespace } });
}

each('[k8s 43, 112] kubectl … lists, chooses and follows events', async (t, kubectl, ns) => {
  const { ok, run } = kubectl;
  const here = ['-n', ns];
  await ok(['create', 'ns', ns]);
  const tell = (name: string, more: object): Promise<string> =>
    ok(['create', '-f', '-', ...here], { input: inNamespace(event(name, more), ns) });
  await tell('one', { type: 'Normal', reason: 'Placed', message: 'it is there' });
  await tell('two', { type: 'Warning', reason: 'Lost', message: 'it is gone', count: 3 });

  t.regex(await ok(['events', ...here]), /Normal +Placed +Service\/web +it is there/);
  t.regex(await ok(['events', ...here]), /\(x3 over .*Warning +Lost/);
  const warnings = await ok(['events', '--types=Warning', ...here]);
  t.true(warnings.includes('Lost') && !warnings.includes('Placed'));
  t.regex(await ok(['events', '--for', 'service/web', ...here]), /Placed/);
  const others = await run(['events', '--for', 'service/other', ...here]);
  t.regex(others.stdout + others.stderr, new RegExp(`No events found in ${ns} namespace`));

  t.regex(
    await ok(['get', 'ev', ...here]),
    /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)?\S+ +Warning +Lost +service\/web +it is gone/,
  );
  const newer = ['get', 'events.v1.events.k8s.io', ...here];
  t.regex(await ok(newer), /Lost +service\/web +it is gone/);
  t.is(await ok([...newer, 'one', '-o', 'jsonpath={.note}']), 'it is there');
  t.is(
    await ok(['get', 'ev', ...here, '--field-selector=reason=Lost', '-o', 'name']),
    'event/two\n',
  );

  const follower = kubectl.start(['events', '-w', ...here]);
  t.teardown(() => follower.stop());
  await follower.until(/Placed/);
  await tell('three', { type: 'Normal', reason: 'Found', message: 'it is back' });
  t.regex(await follower.until(/Found/), /it is back/);
  const next = kubectl.start(['get', 'ev', '-w', ...here]);
  t.teardown(() => next.stop());
  await next.until(/Found/);
  await ok(['patch', 'ev', 'three', ...here, '--type=merge', '-p', '{"message":"it is well"}']);
  t.regex(await next.until(/it is well/), /Found/);
  const wrong = await run(['create', '-f', '-', ...here], { input: event('four', {}) });
  t.regex(wrong.stderr, /involvedObject\.namespace: Invalid value: "": does not match/);
});
