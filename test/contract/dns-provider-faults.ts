// Faults: what is certain and what is not, and that every call ends by its deadline.

import { systemClock } from '../../common/runtime/clock.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { DnsProvider } from '../../coordinator/dns/provider/provider.ts';
import type { DeclareCase, ProviderFault } from './dns-provider.ts';
import {
  applyGroups,
  group,
  kinds,
  mustApply,
  patience,
  recordSet,
  standing,
} from './dns-provider-cases.ts';

// A call may end this much after its deadline on a busy machine.
const lateMsMax = 3_000;

export function declareFaults(declare: DeclareCase, faults: readonly ProviderFault[]): void {
  if (faults.includes('dropAnswerAfterApply')) declareLostAnswer(declare);
  if (faults.includes('dropBeforeApply')) declareLostRequest(declare);
  if (faults.includes('throttle')) declareThrottle(declare);
  if (faults.includes('hang')) declareHang(declare);
  if (faults.includes('denied')) declareDenied(declare);
  declareClose(declare);
}

function declareLostAnswer(declare: DeclareCase): void {
  declare('a lost answer is unknown, and reading settles it: applied', async (t, subject) => {
    const set = recordSet(`a.${subject.apex}`, 'A', ['192.0.2.1']);
    subject.faults?.dropAnswerAfterApply?.();
    const outcomes = await applyGroups(subject, [group('g', { creates: [set] })]);
    t.deepEqual(kinds(outcomes), ['g=unknown']);
    await subject.settle(undefined);
    t.deepEqual(await standing(subject, set.name), [set]);
  });
}

function declareLostRequest(declare: DeclareCase): void {
  declare(
    'a lost request is unknown at most, and reading settles it: not applied',
    async (t, subject) => {
      const set = recordSet(`a.${subject.apex}`, 'A', ['192.0.2.1']);
      subject.faults?.dropBeforeApply?.();
      const kind = (await applyGroups(subject, [group('g', { creates: [set] })])).get('g')?.kind;
      t.true(kind === 'unknown' || kind === 'unavailable', String(kind));
      t.deepEqual(await standing(subject, set.name), []);
      await mustApply(t, subject, [group('g', { creates: [set] })]);
    },
  );
}

function declareThrottle(declare: DeclareCase): void {
  declare(
    'a throttled change is told as such, once, and nothing was changed',
    async (t, subject) => {
      const set = recordSet(`a.${subject.apex}`, 'A', ['192.0.2.1']);
      subject.faults?.throttle?.();
      const outcomes = await applyGroups(subject, [group('g', { creates: [set] })]);
      t.deepEqual(kinds(outcomes), ['g=throttled']);
      t.deepEqual(await standing(subject, set.name), []);
      await mustApply(t, subject, [group('g', { creates: [set] })]);
    },
  );
}

function declareHang(declare: DeclareCase): void {
  declare('every call on a silent provider ends by its deadline', async (t, subject) => {
    const { provider, apex } = subject;
    subject.faults?.hang?.();
    const start = systemClock.monotonicMs();
    const options = { timeoutMs: 300 };
    const set = recordSet(`a.${apex}`, 'A', ['192.0.2.1']);
    const apply = provider.apply({ groups: [group('g', { creates: [set] })] }, options);
    const codes = await Promise.all([
      codeOf(provider.read([`a.${apex}`], options)),
      codeOf(provider.list(options)),
      codeOf(provider.describe(options)),
    ]);
    const kind = (await apply).get('g')?.kind;
    t.true(systemClock.monotonicMs() - start < options.timeoutMs + lateMsMax);
    t.deepEqual(codes, ['DNS_TIMEOUT', 'DNS_TIMEOUT', 'DNS_TIMEOUT']);
    t.true(kind === 'unknown' || kind === 'unavailable', String(kind));
  });

  declare('close ends the calls in flight', async (t, subject) => {
    const { provider, apex } = subject;
    subject.faults?.hang?.();
    const start = systemClock.monotonicMs();
    const calls = [
      codeOf(provider.read([`a.${apex}`], patience)),
      codeOf(provider.describe(patience)),
    ];
    const set = recordSet(`a.${apex}`, 'A', ['192.0.2.1']);
    const apply = provider.apply({ groups: [group('g', { creates: [set] })] }, patience);
    await provider.close();
    const codes = await Promise.all(calls);
    const kind = (await apply).get('g')?.kind;
    t.true(systemClock.monotonicMs() - start < lateMsMax);
    t.deepEqual(codes, ['DNS_UNAVAILABLE', 'DNS_UNAVAILABLE']);
    t.true(kind === 'unknown' || kind === 'unavailable', String(kind));
  });
}

function declareDenied(declare: DeclareCase): void {
  declare('refused credentials are denied in every call, with a way out', async (t, subject) => {
    const { provider, apex } = subject;
    subject.faults?.denied?.();
    const set = recordSet(`a.${apex}`, 'A', ['192.0.2.1']);
    const outcome = (await applyGroups(subject, [group('g', { creates: [set] })])).get('g');
    t.is(outcome?.kind, 'denied');
    if (outcome?.kind === 'denied') t.true(outcome.message.length > 20, outcome.message);
    t.is(await codeOf(provider.read([`a.${apex}`], patience)), 'DNS_DENIED');
    t.is(await codeOf(provider.list(patience)), 'DNS_DENIED');
    t.is(await codeOf(provider.describe(patience)), 'DNS_DENIED');
  });
}

function declareClose(declare: DeclareCase): void {
  declare('a closed provider answers at once that it is not available', async (t, subject) => {
    const { provider, apex } = subject;
    await provider.describe(patience);
    await provider.close();
    await provider.close();
    t.is(await codeOf(provider.read([`a.${apex}`], patience)), 'DNS_UNAVAILABLE');
    t.is(await codeOf(provider.list(patience)), 'DNS_UNAVAILABLE');
    const set = recordSet(`a.${apex}`, 'A', ['192.0.2.1']);
    const outcomes: Awaited<ReturnType<DnsProvider['apply']>> = await applyGroups(subject, [
      group('g', { creates: [set] }),
    ]);
    t.deepEqual(kinds(outcomes), ['g=unavailable']);
  });
}

/** Code of the MeshError that a call ends with; what it was instead otherwise. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'no error';
  } catch (error) {
    return error instanceof MeshError ? error.code : String(error);
  }
}
