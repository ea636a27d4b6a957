// Two holders of the lease, of which one is deposed in mid-batch and does not know it (I12).

import type { Checks, ProviderSubject } from '../../../contract/dns-provider.ts';
import {
  applyGroups,
  group,
  kinds,
  mustApply,
  recordSet,
  standing,
} from '../../../contract/dns-provider-cases.ts';

/** What the deposed one sends late changes nothing, whichever it was that it saw last. */
export async function checkDeposedHolder(t: Checks, subject: ProviderSubject): Promise<void> {
  const { apex } = subject;
  const fence = (term: number, seq: number) =>
    recordSet(`_fedfence.f.${apex}`, 'TXT', [`v=1 id=me term=${term} seq=${seq}`]);
  const name = `web.${apex}`;
  const [first, second, late] = ['192.0.2.1', '192.0.2.2', '192.0.2.66'].map((address) =>
    recordSet(name, 'A', [address]),
  );
  if (first === undefined || second === undefined || late === undefined) return;
  const old = group('web', { creates: [first] });
  await mustApply(t, subject, [old], group('fence', { creates: [fence(1, 1)] }));
  // The successor takes over before the old holder's next request arrives.
  const taken = group('fence', { deletes: [fence(1, 1)], creates: [fence(2, 2)] });
  const moved = group('web', { deletes: [first], creates: [second] });
  await mustApply(t, subject, [moved], taken);
  const stale = group('fence', { deletes: [fence(1, 1)], creates: [fence(1, 2)] });
  // Its own records would not have stopped it: it names another one.
  const other = group('other', { creates: [recordSet(`other.${apex}`, 'A', ['192.0.2.66'])] });
  for (const groups of [[group('web', { deletes: [first], creates: [late] })], [other]]) {
    const outcomes = await applyGroups(subject, groups, stale);
    t.deepEqual(
      kinds(outcomes),
      groups.map(({ id }) => `${id}=fenced`),
    );
  }
  t.deepEqual(await standing(subject, name, `other.${apex}`), [second]);
  t.deepEqual(await standing(subject, fence(2, 2).name), [fence(2, 2)]);
}
