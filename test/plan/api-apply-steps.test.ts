// A write of an object of thousands of fields is many short steps, and says the same as at one go.

import test from 'ava';
import type { Json } from '../../common/model/kube-object.ts';
import {
  applyInSteps,
  applyServerSide,
  trackInSteps,
  type ApplyRequest,
} from '../../coordinator/api/machinery/apply/managed-fields.ts';
import type { Steps } from '../../coordinator/api/machinery/steps.ts';
import { serviceKind, toBytes } from '../support/api-service.ts';

function toRequest(labels: number, live: ApplyRequest['live'] = undefined): ApplyRequest {
  const named = Array.from({ length: labels }, (_, index) => [`l${index}`, 'x'] as const);
  return {
    kind: serviceKind,
    live,
    bytes: toBytes({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'nginx', namespace: 'default', labels: Object.fromEntries(named) as Json },
      spec: { ports: [{ port: 80 }] },
    }),
    manager: 'm',
    force: false,
    subresource: '',
    time: '2026-01-01T00:00:00Z',
  };
}

function countSteps<T>(steps: Steps<T>): { readonly count: number; readonly value: T } {
  for (let count = 1; ; count += 1) {
    const step = steps.next();
    if (step.done === true) return { count, value: step.value };
  }
}

test('I11 an apply that gives up fields looks at its object in many steps', (t) => {
  const live = applyServerSide(toRequest(50));
  const { count, value } = countSteps(applyInSteps(toRequest(40, live)));
  t.is(Object.keys(value.metadata.labels ?? {}).length, 40);
  t.true(count >= 30, String(count)); // a dozen of them to find what nobody holds any more
});

test('I11 who owns what is read and written owner by owner', (t) => {
  let live = applyServerSide(toRequest(5));
  for (const manager of ['a', 'b', 'c']) {
    live = applyServerSide({ ...toRequest(5, live), manager });
  }
  const track = {
    kind: serviceKind,
    old: live,
    next: { ...live, metadata: { ...live.metadata, annotations: { a: 'b' } } },
    manager: 'kubectl',
    subresource: '',
    time: '2026-01-02T00:00:00Z',
  } as const;
  const { count, value } = countSteps(trackInSteps(track));
  t.is(value.metadata.managedFields?.length, 5);
  t.true(count >= 22, String(count)); // each owner read, looked at, changed and written
});
