// Pages of an import: what they cost of the account's rate, and who goes first.

import test from 'ava';
import type { DnsZoneState } from '../../common/model/views.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { Budget } from '../../coordinator/dns/apply/budget.ts';
import { createImportSource } from '../../coordinator/dns/check/imports.ts';
import { createMemoryProvider } from '../support/dns/memory-provider.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

function openSource(perSecond: number, burst: number) {
  const clock = createVirtualClock();
  const budget = new Budget({ perSecond, burst, clock });
  const provider = createMemoryProvider({ clock, apex: 'example.com' });
  const spec = { domain: 'example.com', provider: 'RFC2136' } as const;
  const zone: DnsZoneState = {
    name: 'z',
    uid: 'u',
    generation: 1,
    spec,
    isDeleting: false,
    isPublishing: true,
  };
  const source = createImportSource({
    zones: { zones: () => [zone] },
    providers: { provider: () => provider },
    budgets: { of: () => budget },
    clock,
    federation: 'fed',
    ownerId: 'me',
  });
  return { clock, budget, source };
}

test('a page of an import is paid, and leaves half of the burst to changes', async (t) => {
  const { clock, budget, source } = openSource(1, 4);
  let pages = 0;
  const readAll = (async () => {
    for (let nth = 0; nth < 4; nth += 1) {
      await source.page('z', undefined);
      pages += 1;
    }
  })();
  await clock.advance(100);
  t.is(pages, 2);
  // Half of the burst is there for whoever changes something, at once.
  t.true(await budget.acquire(0, 1, new AbortController().signal));
  await clock.advance(10_000);
  await readAll;
  t.is(pages, 4);
});

test('a page that would wait too long is refused with the way out', async (t) => {
  const { clock, budget, source } = openSource(1, 4);
  budget.throttled(60_000);
  const page = source.page('z', undefined).catch((error: unknown) => error);
  await clock.advance(16_000);
  const error = await page;
  if (!(error instanceof MeshError)) return t.fail(String(error));
  t.is(error.code, 'DNS_THROTTLED');
  t.regex(error.message, /ask again in a minute/);
});
