// Keys, clocks and rights at real servers: what each of them says, and what we make of it.

import test from 'ava';
import { systemClock, type Clock } from '../../common/runtime/clock.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { GroupOutcome } from '../../coordinator/dns/provider/provider.ts';
import { group, patience, recordSet } from '../contract/dns-provider-cases.ts';
import { missingOf, openAt, openDnsServer, type DnsServer } from '../support/dns/dns-server.ts';
import { bind, knot, powerDns } from '../support/dns/dns-servers.ts';

const hourMs = 3_600_000;

for (const kind of [bind, knot, powerDns]) {
  const missing = missingOf(kind);
  const declare = missing === undefined ? test : test.skip;
  const title = (text: string): string =>
    `${kind.name}: ${text}${missing === undefined ? '' : ` (${missing} is not installed)`}`;
  const world: { server: DnsServer | undefined } = { server: undefined };
  const serverOf = (): DnsServer => {
    if (world.server === undefined) throw new Error('the server is not there');
    return world.server;
  };
  if (missing === undefined) {
    test.before(async () => {
      world.server = await openDnsServer(kind, 12);
    });
    test.after.always(() => world.server?.dispose());
  }

  declare(title('a wrong secret is denied, and the message says what to compare'), async (t) => {
    const server = serverOf();
    const key = { ...server.ours, secret: Buffer.alloc(32) };
    const { outcome, error } = await tryBoth(server, { zone: server.takeZone(), key });
    t.is(outcome?.kind, 'denied');
    t.is(error?.code, 'DNS_DENIED');
    for (const message of [textOf(outcome), error?.message ?? ''])
      t.regex(message, kind === powerDns ? /without a signature.*fedkey/ : /BADSIG.*secret/);
  });

  declare(title('an unknown key is denied, and the message names it'), async (t) => {
    const server = serverOf();
    const key = { ...server.ours, name: 'nobody' };
    const { outcome, error } = await tryBoth(server, { zone: server.takeZone(), key });
    t.is(outcome?.kind, 'denied');
    t.is(error?.code, 'DNS_DENIED');
    for (const message of [textOf(outcome), error?.message ?? ''])
      t.regex(message, kind === powerDns ? /nobody/ : /key nobody \(BADKEY\)/);
  });

  declare(title('a clock that is an hour wrong is denied, and the message says it'), async (t) => {
    const server = serverOf();
    for (const [aheadMs, how] of [
      [hourMs, 'ahead of'],
      [-hourMs, 'behind'],
    ] as const) {
      const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
      const at = { zone: server.takeZone(), key: server.ours, clock };
      const { outcome, error } = await tryBoth(server, at);
      t.is(outcome?.kind, 'denied');
      t.is(error?.code, 'DNS_DENIED');
      const wanted =
        kind === powerDns ? /both clocks/ : new RegExp(`clock is (3599|36\\d\\d) s ${how} the`);
      for (const message of [textOf(outcome), error?.message ?? '']) t.regex(message, wanted);
    }
  });

  declare(title('a zone that the server does not have is no zone'), async (t) => {
    const server = serverOf();
    const at = { zone: 'nowhere.test', key: server.ours };
    const { outcome, error } = await tryBoth(server, at);
    t.is(outcome?.kind, 'denied');
    // Knot says it without a signature, and so nobody can know that it is the zone.
    t.regex(error?.code ?? '', /^DNS_(NO_ZONE|DENIED)$/);
    t.regex(textOf(outcome), /nowhere\.test/);
    t.regex(error?.message ?? '', /nowhere\.test/);
  });

  if (kind !== powerDns) {
    declare(title('a type that the key may not write holds up nobody else'), async (t) => {
      const server = serverOf();
      const zone = server.takeZone();
      const provider = openAt(server, { zone, key: server.ours });
      t.teardown(() => provider.close());
      const bad = group('bad', { creates: [recordSet(`m.${zone}`, 'MX', ['1 mail.example.net'])] });
      const good = group('good', { creates: [recordSet(`a.${zone}`, 'A', ['192.0.2.1'])] });
      const fenceSet = recordSet(`_fedfence.f.${zone}`, 'TXT', ['v=1']);
      const fence = group('fence', { creates: [fenceSet] });
      const both = await provider.apply({ groups: [bad, good], fence }, patience);
      t.deepEqual(
        [...both.values()].map((outcome) => outcome.kind),
        ['notTried', 'notTried'],
      );
      const alone = (await provider.apply({ groups: [bad], fence }, patience)).get('bad');
      t.is(alone?.kind, 'rejected', textOf(alone));
      t.regex(textOf(alone), /let it write MX at m\./);
      t.is(
        (await provider.apply({ groups: [good], fence }, patience)).get('good')?.kind,
        'applied',
      );
      t.deepEqual(await provider.read([`m.${zone}`, fenceSet.name], patience), [fenceSet]);
    });
  }

  declare(title('a list that was given up cannot be gone on with'), async (t) => {
    const server = serverOf();
    const provider = openAt(server, { zone: server.takeZone(), key: server.ours });
    t.teardown(() => provider.close());
    t.is((await provider.list(patience)).next, undefined);
    const error = await t.throwsAsync(provider.list({ ...patience, after: 'long ago' }));
    t.is(error instanceof MeshError ? error.code : '', 'DNS_UNAVAILABLE');
  });

  declare(title('calls at once share few connections, and all are answered'), async (t) => {
    const server = serverOf();
    const zone = server.takeZone();
    const provider = openAt(server, { zone, key: server.ours });
    t.teardown(() => provider.close());
    const names = Array.from({ length: 40 }, (_, index) => `n${index}.${zone}`);
    const read = await Promise.all(names.map((name) => provider.read([name], patience)));
    t.deepEqual(read.flat(), []);
  });
}

/** What a change and a reading call of a provider come to. */
async function tryBoth(
  server: DnsServer,
  at: Parameters<typeof openAt>[1],
): Promise<{ readonly outcome: GroupOutcome | undefined; readonly error: MeshError | undefined }> {
  const provider = openAt(server, at);
  const set = recordSet(`a.${at.zone}`, 'A', ['192.0.2.1']);
  try {
    const batch = { groups: [group('g', { creates: [set] })] };
    const outcome = (await provider.apply(batch, patience)).get('g');
    const error = await provider.describe(patience).catch((caught: unknown) => caught);
    return { outcome, error: error instanceof MeshError ? error : undefined };
  } finally {
    await provider.close();
  }
}

function textOf(outcome: GroupOutcome | undefined): string {
  return outcome !== undefined && 'message' in outcome ? outcome.message : '';
}
