import test, { type ExecutionContext, type Implementation, type TestFn } from 'ava';
import { checkDeposedHolder } from '../support/dns/route53/holders.ts';
import { moto, openMotoSubject, startMoto, type Moto } from '../support/dns/route53/moto.ts';
import { applyGroups, group, kinds, mustApply, recordSet, standing } from './dns-provider-cases.ts';
import { declareProviderContract, type ProviderSubject } from './dns-provider.ts';

let server: Moto | undefined;
test.before(async () => {
  if (moto.missing === undefined) server = await startMoto();
});
test.after.always(() => server?.stop());

const journal =
  'it compares a CREATE with the changes it has seen, not with what stands; the service refuses it';

// Where moto is not what the service's documentation says. The double does these.
const notMoto: Readonly<Record<string, string>> = {
  'case, trailing dots and IPv6 text of another writer are made one':
    'it keeps upper-case names; the service stores lower-case ones',
  'I4 a create where somebody else has a record leaves that untouched': journal,
  "I4 another type at our name does not become an alias's neighbour":
    'it lets CNAME stand beside other types',
  'a delete of another value than stands changes nothing of its group':
    'it does not count an UPSERT as the end of the value before',
  'addresses become an alias and again addresses, each in one change': journal,
  'a simple set becomes weighted members and a simple set again': journal,
  'a group in conflict is named, and the others land without it': journal,
  'a group that can never be is rejected, and the others land without it':
    'it takes labels of 64 bytes',
  'a group beyond the limits is known by its measure, and rejected':
    'it knows no limit of 1,000 elements and 32,000 characters',
  'I12 nothing is changed under a fence that has moved, is missing, or is there already': journal,
  'I12 a batch with a group in conflict leaves the fence where it was': journal,
};

const unseen = new Set(Object.keys(notMoto));

function declareTest(title: string, run: Implementation<[]>): void {
  const plain = title.replace(/^moto: /, '');
  const why = moto.missing ?? notMoto[plain];
  unseen.delete(plain);
  if (why === undefined) test(title, run);
  else test.skip(`${title} [${why}]`, run);
}

declareProviderContract(declareTest as TestFn, 'moto', {
  openSubject: () => {
    if (server === undefined) throw new Error('moto was not started');
    return openMotoSubject(server);
  },
  faults: [],
  weights: 'members',
  hasAlias: true,
});

test('what moto is excused from is in the suite', (t) => t.deepEqual([...unseen], []));

const testMoto = moto.missing === undefined ? test : test.skip;
const skipped = moto.missing === undefined ? '' : ` [${moto.missing}]`;

async function openSubject(t: ExecutionContext): Promise<ProviderSubject> {
  if (server === undefined) throw new Error('moto was not started');
  const subject = await openMotoSubject(server);
  t.teardown(() => subject.dispose());
  return subject;
}

const once = 'it lets a value be deleted that stood once; the service asks for the one that stands';
test.skip(`I12 at moto what a deposed holder sends late changes nothing [${once}]`, async (t) => {
  await checkDeposedHolder(t, await openSubject(t));
});

testMoto(`I12 at moto a fence that never stood stops the batch${skipped}`, async (t) => {
  const subject = await openSubject(t);
  const { apex } = subject;
  const fenceAt = (seq: number) =>
    recordSet(`_fedfence.f.${apex}`, 'TXT', [`v=1 id=me term=1 seq=${seq}`]);
  const set = recordSet(`web.${apex}`, 'A', ['192.0.2.1']);
  await mustApply(
    t,
    subject,
    [group('web', { creates: [set] })],
    group('f', { creates: [fenceAt(1)] }),
  );
  // The batch that was to write 2 was refused, and its sender does not know.
  const next = group('f', { deletes: [fenceAt(2)], creates: [fenceAt(3)] });
  const outcomes = await applyGroups(subject, [group('web', { deletes: [set] })], next);
  t.deepEqual(kinds(outcomes), ['web=fenced']);
  t.deepEqual(await standing(subject, set.name), [set]);
});
