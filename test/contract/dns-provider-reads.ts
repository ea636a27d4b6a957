// Reading: one canonical form whatever the provider's is, and lists in pages.

import type { DeclareCase } from './dns-provider.ts';
import {
  group,
  inOrder,
  listAll,
  mustApply,
  patience,
  recordSet,
  standing,
} from './dns-provider-cases.ts';

export function declareReads(declare: DeclareCase): void {
  declareForms(declare);
  declareLists(declare);
}

function declareForms(declare: DeclareCase): void {
  declare('what was created is read back as it was said', async (t, subject) => {
    const { apex } = subject;
    const sets = [
      recordSet(`a.${apex}`, 'A', ['192.0.2.2', '192.0.2.10', '192.0.2.1']),
      recordSet(`a.${apex}`, 'AAAA', ['2001:db8::2', '2001:db8::1']),
      recordSet(`c.${apex}`, 'CNAME', [`a.${apex}`], 120),
      recordSet(`_http._tcp.a.${apex}`, 'SRV', [`0 5 80 a.${apex}`, `10 0 8080 c.${apex}`]),
      recordSet(`_fedowner.a.${apex}`, 'TXT', ['v=1 fed=f id=4c6e']),
      recordSet(`quoted.${apex}`, 'TXT', ['say "hi"; then go']),
    ];
    await mustApply(t, subject, [group('one', { creates: sets })]);
    const names = [...new Set(sets.map(({ name }) => name))];
    t.deepEqual(await standing(subject, ...names), inOrder(sets));
    const listed = (await listAll(t, subject)).sets.filter(({ name }) => name !== apex);
    t.deepEqual(inOrder(listed), inOrder(sets));
  });

  declare(
    'case, trailing dots and IPv6 text of another writer are made one',
    async (t, subject) => {
      const { apex, foreign } = subject;
      await foreign.put([
        recordSet(`MiXed.${apex}`, 'AAAA', ['2001:DB8:0:0:0:0:0:10', '2001:db8::9']),
        recordSet(`Alias.${apex}`, 'CNAME', ['Target.Example.NET']),
      ]);
      await subject.settle(undefined);
      t.deepEqual(await standing(subject, `alias.${apex}`, `mixed.${apex}`), [
        recordSet(`alias.${apex}`, 'CNAME', ['target.example.net']),
        recordSet(`mixed.${apex}`, 'AAAA', ['2001:db8::10', '2001:db8::9']),
      ]);
    },
  );

  declare(
    'names without any record are absent, and other names are not told',
    async (t, subject) => {
      const { apex, foreign } = subject;
      await foreign.put([recordSet(`b.${apex}`, 'A', ['192.0.2.1'])]);
      await subject.settle(undefined);
      t.deepEqual(await standing(subject, `a.${apex}`, `c.${apex}`), []);
      t.deepEqual(await standing(subject), []);
    },
  );

  declare(
    'records of every type at a name are read, those that we never write too',
    async (t, subject) => {
      const { apex, foreign } = subject;
      const address = recordSet(`m.${apex}`, 'A', ['192.0.2.1']);
      await foreign.put([address, recordSet(`m.${apex}`, 'MX', ['10 mail.example.net'])]);
      await subject.settle(undefined);
      const read = await standing(subject, `m.${apex}`);
      t.deepEqual(
        read.map(({ type }) => type),
        ['A', 'MX'],
      );
      t.deepEqual(read[0], address);
    },
  );

  declare('a wildcard is a name of its own, and stands at no other', async (t, subject) => {
    const { apex, foreign } = subject;
    const wildcard = recordSet(`*.wild.${apex}`, 'A', ['192.0.2.1']);
    await foreign.put([wildcard]);
    await subject.settle(undefined);
    t.deepEqual(await standing(subject, `*.wild.${apex}`, `x.wild.${apex}`), [wildcard]);
    const create = group('one', { creates: [recordSet(`x.wild.${apex}`, 'A', ['192.0.2.1'])] });
    await mustApply(t, subject, [create]);
    t.is((await standing(subject, `x.wild.${apex}`)).length, 1);
  });
}

function declareLists(declare: DeclareCase): void {
  declare('the list tells the whole zone in bounded pages, each set once', async (t, subject) => {
    const { apex, foreign } = subject;
    const sets = Array.from({ length: 1_100 }, (_, index) =>
      recordSet(`n${index}.${apex}`, 'A', [`192.0.2.${index % 250}`, '198.51.100.1']),
    );
    await foreign.put(sets);
    await subject.settle(undefined);
    const { sets: listed, pages } = await listAll(t, subject);
    t.true(pages > 1);
    t.deepEqual(inOrder(listed.filter(({ name }) => name !== apex)), inOrder(sets));
    t.deepEqual(
      [...new Set(listed.filter(({ name }) => name === apex).map(({ type }) => type))].sort(),
      ['NS', 'SOA'],
    );
  });

  declare('the zone describes itself', async (t, subject) => {
    const { nameServers, negativeTtlSeconds } = await subject.provider.describe(patience);
    t.true(nameServers.length > 0);
    t.deepEqual(nameServers, [...nameServers].sort());
    t.deepEqual(
      nameServers.filter((name) => name.endsWith('.') || /[A-Z]/.test(name)),
      [],
    );
    t.true(negativeTtlSeconds === undefined || negativeTtlSeconds >= 0);
  });
}
