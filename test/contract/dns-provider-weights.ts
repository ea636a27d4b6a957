// What some providers have only: weighted members, weighted items, aliases, changes to follow.

import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import type { DeclareCase } from './dns-provider.ts';
import {
  applyGroups,
  group,
  kinds,
  mustApply,
  patience,
  recordSet,
  standing,
} from './dns-provider-cases.ts';

export function declareMembers(declare: DeclareCase): void {
  declare('a simple set becomes weighted members and a simple set again', async (t, subject) => {
    const name = `a.${subject.apex}`;
    const simple = recordSet(name, 'A', ['192.0.2.1']);
    const members = [
      { ...recordSet(name, 'A', ['192.0.2.1']), member: { id: 'c1', weight: 3 } },
      { ...recordSet(name, 'A', ['192.0.2.2']), member: { id: 'c2', weight: 0 } },
    ];
    await mustApply(t, subject, [group('g', { creates: [simple] })]);
    await mustApply(t, subject, [group('g', { deletes: [simple], creates: members })]);
    t.deepEqual(await standing(subject, name), members);
    const [first] = members;
    if (first === undefined) return;
    const again = await applyGroups(subject, [group('g', { creates: [first] })]);
    t.deepEqual(kinds(again), ['g=conflict']);
    const lighter = { ...first, member: { id: 'c1', weight: 1 } };
    await mustApply(t, subject, [group('g', { deletes: [first], creates: [lighter] })]);
    await mustApply(t, subject, [
      group('g', { deletes: [lighter, ...members.slice(1)], creates: [simple] }),
    ]);
    t.deepEqual(await standing(subject, name), [simple]);
  });
}

export function declareItems(declare: DeclareCase): void {
  declare('a simple set becomes weighted items and a simple set again', async (t, subject) => {
    const name = `a.${subject.apex}`;
    const simple = recordSet(name, 'A', ['192.0.2.1']);
    const weighted: ZoneRecordSet = {
      ...recordSet(name, 'A', []),
      items: [
        { weight: 3, values: ['192.0.2.1'] },
        { weight: 1, values: ['192.0.2.2'] },
      ],
    };
    await mustApply(t, subject, [group('g', { creates: [simple] })]);
    await mustApply(t, subject, [group('g', { deletes: [simple], creates: [weighted] })]);
    t.deepEqual(await standing(subject, name), [weighted]);
    const stale = await applyGroups(subject, [group('g', { deletes: [simple] })]);
    t.deepEqual(kinds(stale), ['g=conflict']);
    await mustApply(t, subject, [group('g', { deletes: [weighted], creates: [simple] })]);
    t.deepEqual(await standing(subject, name), [simple]);
  });
}

export function declareAlias(declare: DeclareCase): void {
  declare(
    'an alias of a load balancer stands beside other types and is deleted exactly',
    async (t, subject) => {
      const name = `a.${subject.apex}`;
      const alias: ZoneRecordSet = {
        name,
        type: 'A',
        ttlSeconds: 0,
        values: [],
        alias: {
          target: 'web-1.eu-west-1.elb.amazonaws.com',
          hostedZoneId: 'Z32O12XQLNTSW2',
          evaluateTargetHealth: false,
        },
      };
      const text = recordSet(name, 'TXT', ['beside']);
      await mustApply(t, subject, [group('g', { creates: [alias, text] })]);
      t.deepEqual(await standing(subject, name), [alias, text]);
      await mustApply(t, subject, [group('g', { deletes: [alias, text] })]);
      t.deepEqual(await standing(subject, name), []);
    },
  );

  declare('an applied change is observed until it is live', async (t, subject) => {
    const set = recordSet(`a.${subject.apex}`, 'A', ['192.0.2.1']);
    const outcome = (await applyGroups(subject, [group('g', { creates: [set] })])).get('g');
    t.is(outcome?.kind, 'applied');
    if (outcome?.kind !== 'applied' || outcome.change === undefined) return;
    const seen = await subject.provider.observe(outcome.change, patience);
    t.true(seen === 'pending' || seen === 'live');
    await subject.settle(outcome.change);
    t.is(await subject.provider.observe(outcome.change, patience), 'live');
  });
}
