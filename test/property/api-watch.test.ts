// Writers at once, and watches that begin at any list and pause at any time: nobody misses a
// change, sees one twice, or sees two in the wrong order.

import fc from 'fast-check';
import test, { type ExecutionContext } from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { createApiFixture, type ApiFixture, type WatchTap } from '../support/api-fixture.ts';

const names = Array.from({ length: 40 }, (_, index) => `n${index}`);

interface Subject {
  readonly target: string;
  /** Writes or deletes one of the names; the revision, or undefined when nothing was done. */
  readonly act: (name: string, isDelete: boolean, round: number) => Promise<number | undefined>;
}

function logged({ desired }: ApiFixture): Subject {
  return {
    target: '/api/v1/namespaces/default/gadgets',
    act: async (name, isDelete, round) => {
      const key = toLogKey({ group: '', resource: 'gadgets', namespace: 'default', name });
      const expected = desired.get(key)?.revision ?? toRevision(0);
      if (isDelete && expected === 0) return undefined;
      const metadata = { name, namespace: 'default', labels: { round: String(round) } };
      const object = isDelete ? undefined : { apiVersion: 'v1', kind: 'Gadget', metadata };
      const outcome = await desired.write({ key, object, expected });
      return outcome.kind === 'written' ? outcome.stored.revision : undefined;
    },
  };
}

function projected({ shadows }: ApiFixture): Subject {
  return {
    target: '/apis/test.dev/v1/namespaces/default/shadows',
    act: (name, isDelete, round) => {
      const before = shadows.revision();
      const metadata = { name, namespace: 'default', labels: { round: String(round) } };
      if (isDelete) shadows.remove(metadata);
      else shadows.put({ apiVersion: 'test.dev/v1', kind: 'Shadow', metadata });
      const revision = shadows.revision();
      return Promise.resolve(revision === before ? undefined : revision);
    },
  };
}

interface Watching {
  readonly tap: WatchTap;
  readonly from: number;
  readonly state: Map<string, string>;
}

async function listAndWatch(fixture: ApiFixture, target: string): Promise<Watching> {
  const { json } = await fixture.call('GET', target);
  const list = json as unknown as {
    readonly metadata: { readonly resourceVersion: string };
    readonly items: readonly { readonly metadata: { name: string; resourceVersion: string } }[];
  };
  const { resourceVersion } = list.metadata;
  const tap = await fixture.watch(`${target}?watch=1&resourceVersion=${resourceVersion}`);
  const state = new Map(
    list.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion] as const),
  );
  return { tap, from: Number(resourceVersion), state };
}

async function check(
  t: ExecutionContext,
  { tap, from, state }: Watching,
  written: readonly number[],
): Promise<Map<string, string>> {
  const events = await tap.events();
  const seen = events.map(({ object }) => Number(object.metadata.resourceVersion));
  t.deepEqual(
    seen,
    written.filter((revision) => revision > from),
  );
  for (const { type, object } of events) {
    const { name, resourceVersion = '' } = object.metadata;
    t.is(state.has(name), type !== 'ADDED', `${type} ${name}`);
    if (type === 'DELETED') state.delete(name);
    else state.set(name, resourceVersion);
  }
  return state;
}

const writes = fc.array(
  fc.record({
    name: fc.constantFrom(...names),
    isDelete: fc.boolean(),
    next: fc.constantFrom('go on', 'go on', 'go on', 'go on', 'rest', 'watch', 'pause', 'resume'),
  }),
  { minLength: 400, maxLength: 600 },
);

for (const [kind, toSubject] of [
  ['logged', logged],
  ['projected', projected],
] as const) {
  test(`[k8s 58] I1 10,000 writes of a ${kind} kind: no watch from a list has a gap or sees one twice`, async (t) => {
    t.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(writes, async (steps) => {
        const fixture = await createApiFixture();
        const { target, act } = toSubject(fixture);
        const written: number[] = [];
        const watching = [await listAndWatch(fixture, target)];
        let pending: Promise<unknown>[] = [];
        for (const [round, { name, isDelete, next }] of steps.entries()) {
          // Not awaited: writers run into each other.
          pending.push(
            act(name, isDelete, round).then((revision) => {
              if (revision !== undefined) written.push(revision);
            }),
          );
          if (next === 'go on') continue;
          if (next === 'watch') watching.push(await listAndWatch(fixture, target));
          if (next === 'pause') watching[round % watching.length]?.tap.holdBack(1 << 20);
          if (next === 'resume') watching[round % watching.length]?.tap.holdBack(0);
          await Promise.all(pending);
          pending = [];
          await new Promise<void>((resolve) => fixture.clock.soon(() => resolve()));
        }
        await Promise.all(pending);
        written.sort((a, b) => a - b);
        for (const { tap } of watching) tap.holdBack(0);
        const { state: now } = await listAndWatch(fixture, target);
        for (const each of watching) {
          t.deepEqual([...(await check(t, each, written))].sort(), [...now].sort());
        }
      }),
      { numRuns: 20 },
    );
  });
}
