// The validation of Services, row by row, as a real kube-apiserver of 1.34 answered it.

import test from 'ava';
import { refusedCreates } from '../support/service-cases.ts';
import { refusedChanges } from '../support/service-change-cases.ts';
import { createServiceApi, servicesPath } from '../support/service-api.ts';
import type { Answer } from '../support/api-fixture.ts';

interface Refused {
  readonly status: number;
  readonly reason: unknown;
  readonly message: unknown;
  readonly details: unknown;
}

function wantedOf(name: string, lines: readonly string[]): Refused {
  const texts = [...new Set(lines)];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return {
    status: 422,
    reason: 'Invalid',
    message: `Service "${name}" is invalid: ${list}`,
    details: { name, kind: 'Service', causes: lines },
  };
}

/** Of an answer: what `wantedOf` says, each cause as one line. */
function refusedOf({ status, json }: Answer): Refused {
  const details = json['details'] as {
    readonly causes?: readonly { readonly field: string; readonly message: string }[];
  };
  const causes = (details.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  return {
    status,
    reason: json['reason'],
    message: json['message'],
    details: { ...details, causes },
  };
}

// The number of the row stands in the title: the page of compatibility reads it there.
for (const { row, title, spec, metadata = {}, lines } of refusedCreates) {
  test(`[k8s 30] row ${row}: ${title}`, async (t) => {
    const { create, desired } = await createServiceApi();
    const { name = 'web' } = metadata as { readonly name?: string };
    const before = desired.revision();
    t.deepEqual(refusedOf(await create(name, spec, metadata)), wantedOf(name, lines));
    t.is(desired.revision(), before);
  });
}

for (const { row, title, old, metadata = {}, patch, subresource, lines } of refusedChanges) {
  test(`[k8s 30] row ${row}: on updates, ${title}`, async (t) => {
    const api = await createServiceApi();
    const made = await api.create('web', old, metadata);
    t.is(made.status, 201);
    const path = subresource === undefined ? 'web' : `web/${subresource}`;
    t.deepEqual(refusedOf(await api.patch(path, patch)), wantedOf('web', lines));
    t.deepEqual((await api.get('web')).json, made.json);
  });
}

test('[k8s 30] row 2: a Service has the namespace of the path, or none', async (t) => {
  const { fixture } = await createServiceApi();
  const body = { metadata: { name: 'a', namespace: 'other' }, spec: { ports: [{ port: 80 }] } };
  const answer = await fixture.call('POST', servicesPath, body);
  t.is(answer.status, 400);
  t.is(
    answer.json['message'],
    'the namespace of the provided object does not match the namespace sent on the request',
  );
});

test('[k8s 30] row 16: an affinity that is none drops its settings before they are judged', async (t) => {
  const { create } = await createServiceApi();
  const sessionAffinityConfig = { clientIP: { timeoutSeconds: 0 } };
  const answer = await create('a', { ports: [{ port: 80 }], sessionAffinityConfig });
  t.is(answer.status, 201);
  t.false(answer.text.includes('"sessionAffinityConfig":'), answer.text);
});
