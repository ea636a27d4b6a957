// Changing: whole groups by compare-and-set, under the zone's fence.

import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import type { DeclareCase } from './dns-provider.ts';
import {
  applyGroups,
  group,
  inOrder,
  kinds,
  mustApply,
  recordSet,
  standing,
} from './dns-provider-cases.ts';
import { declareAlias, declareItems, declareMembers } from './dns-provider-weights.ts';

export function declareChanges(
  declare: DeclareCase,
  has: { readonly weights: 'members' | 'items' | 'none'; readonly hasAlias: boolean },
): void {
  declareGroups(declare);
  declareConflicts(declare);
  declareBatches(declare);
  declareFence(declare);
  if (has.weights === 'members') declareMembers(declare);
  if (has.weights === 'items') declareItems(declare);
  if (has.hasAlias) declareAlias(declare);
}

function declareGroups(declare: DeclareCase): void {
  declare('a set is replaced and deleted by its exact former value', async (t, subject) => {
    const name = `a.${subject.apex}`;
    const first = recordSet(name, 'A', ['192.0.2.1', '192.0.2.2']);
    const second = recordSet(name, 'A', ['192.0.2.3'], 30);
    await mustApply(t, subject, [group('g', { creates: [first] })]);
    await mustApply(t, subject, [group('g', { deletes: [first], creates: [second] })]);
    t.deepEqual(await standing(subject, name), [second]);
    await mustApply(t, subject, [group('g', { deletes: [second] })]);
    t.deepEqual(await standing(subject, name), []);
  });

  declare(
    'addresses become an alias and again addresses, each in one change',
    async (t, subject) => {
      const name = `a.${subject.apex}`;
      const addresses = [
        recordSet(name, 'A', ['192.0.2.1']),
        recordSet(name, 'AAAA', ['2001:db8::1']),
      ];
      const alias = [recordSet(name, 'CNAME', [`b.${subject.apex}`])];
      await mustApply(t, subject, [group('g', { creates: addresses })]);
      await mustApply(t, subject, [group('g', { deletes: addresses, creates: alias })]);
      t.deepEqual(await standing(subject, name), alias);
      await mustApply(t, subject, [group('g', { deletes: alias, creates: addresses })]);
      t.deepEqual(await standing(subject, name), addresses);
    },
  );

  declare('many names of one group change together', async (t, subject) => {
    const sets = Array.from({ length: 40 }, (_, index) =>
      recordSet(`n${index}.${subject.apex}`, 'A', [`192.0.2.${index}`]),
    );
    const names = sets.map(({ name }) => name);
    await mustApply(t, subject, [group('g', { creates: sets })]);
    t.deepEqual(await standing(subject, ...names), inOrder(sets));
    await mustApply(t, subject, [group('g', { deletes: sets })]);
    t.deepEqual(await standing(subject, ...names), []);
  });
}

function declareConflicts(declare: DeclareCase): void {
  declare(
    'a delete of another value than stands changes nothing of its group',
    async (t, subject) => {
      const { apex, foreign } = subject;
      const [was, is] = [recordSet(`a.${apex}`, 'A', ['192.0.2.1']), ['192.0.2.9']];
      await mustApply(t, subject, [group('g', { creates: [was] })]);
      const edited = recordSet(`a.${apex}`, 'A', is);
      await foreign.put([edited]);
      await subject.settle(undefined);
      const outcomes = await applyGroups(subject, [
        group('g', {
          deletes: [was],
          creates: [recordSet(`a.${apex}`, 'A', ['192.0.2.2']), recordSet(`b.${apex}`, 'A', is)],
        }),
      ]);
      t.deepEqual(kinds(outcomes), ['g=conflict']);
      t.deepEqual(await standing(subject, `a.${apex}`, `b.${apex}`), [edited]);
    },
  );

  declare(
    'a delete of part of the values, or of more than stand, is a conflict',
    async (t, subject) => {
      const name = `a.${subject.apex}`;
      const both = recordSet(name, 'A', ['192.0.2.1', '192.0.2.2']);
      await mustApply(t, subject, [group('g', { creates: [both] })]);
      for (const values of [['192.0.2.1'], ['192.0.2.1', '192.0.2.2', '192.0.2.3']]) {
        const outcomes = await applyGroups(subject, [
          group('g', { deletes: [recordSet(name, 'A', values)] }),
        ]);
        t.deepEqual(kinds(outcomes), ['g=conflict'], values.join());
      }
      t.deepEqual(await standing(subject, name), [both]);
    },
  );

  declare('a delete of what is gone is a conflict', async (t, subject) => {
    const gone = recordSet(`a.${subject.apex}`, 'A', ['192.0.2.1']);
    t.deepEqual(kinds(await applyGroups(subject, [group('g', { deletes: [gone] })])), [
      'g=conflict',
    ]);
  });

  declare(
    'I4 a create where somebody else has a record leaves that untouched',
    async (t, subject) => {
      const { apex, foreign } = subject;
      const theirs = [
        recordSet(`a.${apex}`, 'A', ['192.0.2.9']),
        recordSet(`c.${apex}`, 'CNAME', ['other.example.net']),
      ];
      await foreign.put(theirs);
      await subject.settle(undefined);
      const attempts: readonly ZoneRecordSet[] = [
        recordSet(`a.${apex}`, 'A', ['192.0.2.1']),
        recordSet(`a.${apex}`, 'CNAME', [`b.${apex}`]),
        recordSet(`c.${apex}`, 'A', ['192.0.2.1']),
        recordSet(`c.${apex}`, 'CNAME', [`b.${apex}`]),
      ];
      for (const attempt of attempts) {
        const beside = recordSet(`beside.${apex}`, 'A', ['192.0.2.1']);
        const outcomes = await applyGroups(subject, [group('g', { creates: [beside, attempt] })]);
        const kind = outcomes.get('g')?.kind;
        const what = `${attempt.type} at ${attempt.name}: ${JSON.stringify(outcomes.get('g'))}`;
        t.true(kind === 'conflict' || kind === 'rejected', what);
        t.deepEqual(await standing(subject, `a.${apex}`, `beside.${apex}`, `c.${apex}`), theirs);
      }
    },
  );

  declare(
    "I4 another type at our name does not become an alias's neighbour",
    async (t, subject) => {
      const { apex, foreign } = subject;
      const ours = recordSet(`a.${apex}`, 'A', ['192.0.2.1']);
      await mustApply(t, subject, [group('g', { creates: [ours] })]);
      const theirs = recordSet(`a.${apex}`, 'TXT', ['theirs']);
      await foreign.put([theirs]);
      await subject.settle(undefined);
      const swap = group('g', {
        deletes: [ours],
        creates: [recordSet(`a.${apex}`, 'CNAME', [`b.${apex}`])],
      });
      const kind = (await applyGroups(subject, [swap])).get('g')?.kind;
      t.true(kind === 'conflict' || kind === 'rejected', String(kind));
      t.deepEqual(await standing(subject, `a.${apex}`), [ours, theirs]);
    },
  );
}

function declareBatches(declare: DeclareCase): void {
  declare('several groups land in one request', async (t, subject) => {
    const sets = ['a', 'b', 'c'].map((label) =>
      recordSet(`${label}.${subject.apex}`, 'A', ['192.0.2.1']),
    );
    await mustApply(
      t,
      subject,
      sets.map((set) => group(set.name, { creates: [set] })),
    );
    t.deepEqual(await standing(subject, ...sets.map(({ name }) => name)), sets);
  });

  declare('a group in conflict is named, and the others land without it', async (t, subject) => {
    const { apex, foreign } = subject;
    const theirs = recordSet(`c.${apex}`, 'A', ['192.0.2.9']);
    await foreign.put([theirs]);
    await subject.settle(undefined);
    const groups = ['a', 'b', 'c', 'd'].map((label) =>
      group(label, { creates: [recordSet(`${label}.${apex}`, 'A', ['192.0.2.1'])] }),
    );
    t.deepEqual(kinds(await applyGroups(subject, groups)), [
      'a=notTried',
      'b=notTried',
      'c=conflict',
      'd=notTried',
    ]);
    t.deepEqual(await standing(subject, `a.${apex}`, `c.${apex}`, `d.${apex}`), [theirs]);
    await mustApply(
      t,
      subject,
      groups.filter(({ id }) => id !== 'c'),
    );
    t.is((await standing(subject, `a.${apex}`, `b.${apex}`, `d.${apex}`)).length, 3);
  });

  declare(
    'a group that can never be is rejected, and the others land without it',
    async (t, subject) => {
      const { apex } = subject;
      const label = 'x'.repeat(64);
      const groups = [
        group('long', { creates: [recordSet(`${label}.${apex}`, 'A', ['192.0.2.1'])] }),
        group('good', { creates: [recordSet(`a.${apex}`, 'A', ['192.0.2.1'])] }),
      ];
      t.deepEqual(kinds(await applyGroups(subject, groups)), ['good=notTried', 'long=rejected']);
      t.deepEqual(await standing(subject, `a.${apex}`), []);
      await mustApply(t, subject, groups.slice(1));
    },
  );

  declare(
    'a name outside the zone is rejected, and the others land without it',
    async (t, subject) => {
      const groups = [
        group('outside', { creates: [recordSet('a.other.test', 'A', ['192.0.2.1'])] }),
        group('good', { creates: [recordSet(`a.${subject.apex}`, 'A', ['192.0.2.1'])] }),
      ];
      t.deepEqual(kinds(await applyGroups(subject, groups)), ['good=notTried', 'outside=rejected']);
      await mustApply(t, subject, groups.slice(1));
    },
  );

  declare('a group beyond the limits is known by its measure, and rejected', async (t, subject) => {
    const { measure, capabilities } = subject.provider;
    const { limits } = capabilities;
    const small = group('small', {
      creates: [recordSet(`a.${subject.apex}`, 'A', ['192.0.2.1'])],
    });
    const cost = subject.provider.measure(small);
    t.true(cost.changes > 0 && cost.changes < limits.changes);
    t.true(cost.bytes > 0 && cost.bytes < limits.bytes);
    const creates: ZoneRecordSet[] = [];
    const large = { id: 'large', deletes: [], creates };
    const isLarge = (): boolean => {
      const { changes, bytes } = measure.call(subject.provider, large);
      return changes > limits.changes || bytes > limits.bytes;
    };
    for (let index = 0; !isLarge(); index += 1) {
      for (let nth = 0; nth < 500; nth += 1) {
        const name = `n${nth}.s${index}.${subject.apex}`;
        creates.push(recordSet(name, 'TXT', ['x'.repeat(200)]));
      }
      t.true(creates.length <= 100_000, 'no limit in sight');
    }
    t.deepEqual(kinds(await applyGroups(subject, [large])), ['large=rejected']);
  });

  declare('a batch as large as the limits allow lands in one request', async (t, subject) => {
    const { limits } = subject.provider.capabilities;
    const groups = [];
    const room = { changes: limits.changes, bytes: limits.bytes };
    for (let index = 0; index < 1_000; index += 1) {
      const set = recordSet(`n${index}.${subject.apex}`, 'A', [`192.0.2.${index % 250}`]);
      const next = group(set.name, { creates: [set] });
      const { changes, bytes } = subject.provider.measure(next);
      if (room.changes < changes || room.bytes < bytes) break;
      room.changes -= changes;
      room.bytes -= bytes;
      groups.push(next);
    }
    await mustApply(t, subject, groups);
    t.is((await standing(subject, ...groups.map(({ id }) => id))).length, groups.length);
  });
}

function declareFence(declare: DeclareCase): void {
  const fenceAt = (apex: string, seq: number): ZoneRecordSet =>
    recordSet(`_fedfence.f.${apex}`, 'TXT', [`v=1 id=me term=7 seq=${seq}`]);

  declare('I12 the first batch makes the fence, each further one moves it', async (t, subject) => {
    const { apex } = subject;
    const [first, second] = [fenceAt(apex, 1), fenceAt(apex, 2)];
    const a = group('a', { creates: [recordSet(`a.${apex}`, 'A', ['192.0.2.1'])] });
    await mustApply(t, subject, [a], group('fence', { creates: [first] }));
    t.deepEqual(await standing(subject, first.name), [first]);
    const b = group('b', { creates: [recordSet(`b.${apex}`, 'A', ['192.0.2.1'])] });
    await mustApply(t, subject, [b], group('fence', { deletes: [first], creates: [second] }));
    t.deepEqual(await standing(subject, first.name), [second]);
  });

  declare(
    'I12 nothing is changed under a fence that has moved, is missing, or is there already',
    async (t, subject) => {
      const { apex, foreign } = subject;
      const set = recordSet(`a.${apex}`, 'A', ['192.0.2.1']);
      const move = group('fence', { deletes: [fenceAt(apex, 1)], creates: [fenceAt(apex, 2)] });
      const missing = await applyGroups(subject, [group('a', { creates: [set] })], move);
      t.deepEqual(kinds(missing), ['a=fenced']);
      await foreign.put([fenceAt(apex, 5)]);
      await subject.settle(undefined);
      const stale = await applyGroups(subject, [group('a', { creates: [set] })], move);
      t.deepEqual(kinds(stale), ['a=fenced']);
      const begin = group('fence', { creates: [fenceAt(apex, 6)] });
      const there = await applyGroups(subject, [group('a', { creates: [set] })], begin);
      t.deepEqual(kinds(there), ['a=fenced']);
      t.deepEqual(await standing(subject, `a.${apex}`, fenceAt(apex, 5).name), [fenceAt(apex, 5)]);
    },
  );

  declare(
    'I12 a batch with a group in conflict leaves the fence where it was',
    async (t, subject) => {
      const { apex, foreign } = subject;
      const theirs = recordSet(`a.${apex}`, 'A', ['192.0.2.9']);
      await foreign.put([theirs, fenceAt(apex, 1)]);
      await subject.settle(undefined);
      const move = group('fence', { deletes: [fenceAt(apex, 1)], creates: [fenceAt(apex, 2)] });
      const ours = group('g', { creates: [recordSet(`a.${apex}`, 'A', ['192.0.2.1'])] });
      t.deepEqual(kinds(await applyGroups(subject, [ours], move)), ['g=conflict']);
      t.deepEqual(await standing(subject, fenceAt(apex, 1).name), [fenceAt(apex, 1)]);
    },
  );
}
