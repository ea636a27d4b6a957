// The garbage collector against a model of what must be left, over random owners and deletes.

import fc from 'fast-check';
import test from 'ava';
import type { KubeObject, OwnerReference } from '../../common/model/kube-object.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import { createApiFixture, type ApiFixture } from '../support/api-fixture.ts';

const path = '/api/v1/namespaces/default/configmaps';
const propagations = ['Background', 'Foreground', 'Orphan'] as const;
type Propagation = (typeof propagations)[number];

/** Object `i` is owned by those of the earlier ones that it names, so that there are no circles. */
interface Case {
  readonly owners: readonly (readonly { readonly at: number; readonly blocks: boolean }[])[];
  readonly deletes: readonly { readonly at: number; readonly propagation: Propagation }[];
}

const cases: fc.Arbitrary<Case> = fc.integer({ min: 2, max: 9 }).chain((size) =>
  fc.record({
    owners: fc.tuple(
      ...Array.from({ length: size }, (_, index) =>
        index === 0
          ? fc.constant([])
          : fc.uniqueArray(
              fc.record({ at: fc.integer({ min: 0, max: index - 1 }), blocks: fc.boolean() }),
              { maxLength: 3, selector: ({ at }) => at },
            ),
      ),
    ),
    deletes: fc.uniqueArray(
      fc.record({
        at: fc.integer({ min: 0, max: size - 1 }),
        propagation: fc.constantFrom(...propagations),
      }),
      { minLength: 1, maxLength: 3, selector: ({ at }) => at },
    ),
  }),
);

/**
 * One delete after the other, each with all that follows from it: the object goes; orphans forget
 * it; of the others those go that had no other owner, and what they own in the same way.
 */
function expected({ owners, deletes }: Case): ReadonlyMap<number, readonly number[]> {
  const left = new Map(owners.map((each, index) => [index, each.map(({ at }) => at)] as const));
  const remove = (at: number, propagation: Propagation): void => {
    if (!left.delete(at)) return;
    for (const child of left.keys()) {
      const names = left.get(child);
      if (names === undefined || !names.includes(at)) continue;
      const rest = names.filter((name) => name !== at);
      left.set(child, rest);
      if (rest.length === 0 && propagation !== 'Orphan') remove(child, 'Background');
    }
  };
  for (const { at, propagation } of deletes) remove(at, propagation);
  return left;
}

async function build(api: ApiFixture, { owners }: Case): Promise<void> {
  const made: KubeObject[] = [];
  for (const [index, each] of owners.entries()) {
    const ownerReferences = each.map(({ at, blocks }): OwnerReference => {
      const { name, uid = '' } = made[at]?.metadata ?? { name: '' };
      return { apiVersion: 'v1', kind: 'ConfigMap', name, uid, blockOwnerDeletion: blocks };
    });
    const metadata = { name: `o${index}`, ownerReferences };
    const { json, status, text } = await api.call('POST', path, { metadata });
    if (status !== 201) throw new Error(text);
    made.push(json as unknown as KubeObject);
  }
}

async function found(api: ApiFixture): Promise<ReadonlyMap<number, readonly number[]>> {
  const { json } = await api.call('GET', path);
  const items = json['items'] as readonly KubeObject[];
  const toIndex = (name: string): number => Number(name.slice(1));
  return new Map(
    items.map(({ metadata }) => [
      toIndex(metadata.name),
      (metadata.ownerReferences ?? []).map(({ name }) => toIndex(name)),
    ]),
  );
}

/** Until it is as the model says; what it is in the end otherwise. */
async function settled(api: ApiFixture, wanted: string): Promise<string> {
  let text = '';
  for (let turn = 0; turn < 400; turn += 1) {
    text = JSON.stringify([...(await found(api))]);
    if (text === wanted) return text;
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
  return text;
}

test('[k8s 106] P1, P2. whatever owns what, a delete takes what nobody else owns, and no more', async (t) => {
  await fc.assert(
    fc.asyncProperty(cases, async (each) => {
      const api = await createApiFixture({ kinds: memberKinds() });
      await build(api, each);
      let so: Case = { ...each, deletes: [] };
      for (const wish of each.deletes) {
        so = { ...so, deletes: [...so.deletes, wish] };
        const body = { propagationPolicy: wish.propagation };
        await api.call('DELETE', `${path}/o${wish.at}`, body);
        const wanted = JSON.stringify([...expected(so)]);
        t.is(await settled(api, wanted), wanted);
      }
      await api.api.close();
    }),
    { numRuns: 60 },
  );
});

test('[k8s 106] P1. however deletes race, nothing with an owner that lives is lost', async (t) => {
  await fc.assert(
    fc.asyncProperty(cases, async (each) => {
      const api = await createApiFixture({ kinds: memberKinds() });
      await build(api, each);
      await Promise.all(
        each.deletes.map(({ at, propagation }) =>
          api.call('DELETE', `${path}/o${at}`, { propagationPolicy: propagation }),
        ),
      );
      // In which order they came decides what an Orphan still finds; what lives in each, lives.
      const gone = new Set(each.deletes.map(({ at }) => at));
      const mayGo = new Set(gone);
      for (const [index, owners] of each.owners.entries()) {
        if (owners.length > 0 && owners.every(({ at }) => mayGo.has(at))) mayGo.add(index);
      }
      const lives = each.owners.flatMap((_, index) => (mayGo.has(index) ? [] : [index]));
      for (let turn = 0; turn < 400; turn += 1) {
        const names = [...(await found(api)).keys()];
        for (const index of lives) t.true(names.includes(index), `o${index} is lost`);
        if (names.every((index) => !gone.has(index))) break;
        await new Promise<void>((resolve) => systemClock.soon(resolve));
      }
      for (const index of gone) t.false((await found(api)).has(index), `o${index} stays`);
      await api.api.close();
    }),
    { numRuns: 60 },
  );
});
