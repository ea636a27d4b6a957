// Servers that die and writers that were deposed: what was changed is changed whole or not at all,
// and nobody believes more than is certain.

import { networkInterfaces } from 'node:os';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import type {
  GroupOutcome,
  RecordGroup,
  ZoneRecordSet,
} from '../../coordinator/dns/provider/provider.ts';
import { group, patience, recordSet } from '../contract/dns-provider-cases.ts';
import { openDnsProxy } from '../support/dns/dns-proxy.ts';
import { missingOf, openAt, openDnsServer, type DnsServer } from '../support/dns/dns-server.ts';
import { bind, knot, powerDns } from '../support/dns/dns-servers.ts';
import { nsupdate } from '../support/dns/nsupdate.ts';

const batches = 12;
const killedAt = 6;
const setsPerBatch = 40;

for (const kind of [bind, knot, powerDns]) {
  const missing = missingOf(kind);
  const declare = missing === undefined ? test : test.skip;
  const why = missing === undefined ? '' : ` (${missing} is not installed)`;

  declare(
    `${kind.name}: killed within an update, it has each batch whole or not at all${why}`,
    async (t) => {
      const server = await openDnsServer(kind, 1);
      t.teardown(() => server.dispose());
      const zone = server.takeZone();
      const proxy = await openDnsProxy(server.port);
      t.teardown(() => proxy.close());
      const provider = openAt(proxy, { zone, key: server.ours });
      t.teardown(() => provider.close());
      let dying: Promise<void> | undefined;
      let seen = 0;
      proxy.onUpdate = () => {
        seen += 1;
        // The update goes out in this very turn, and its signal after it.
        if (seen === killedAt) {
          dying = new Promise<void>((done) => systemClock.soon(done)).then(() => server.kill());
        }
      };
      const groups = Array.from({ length: batches }, (_, index) => batchOf(zone, index));
      const outcomes: (GroupOutcome | undefined)[] = [];
      for (const each of groups)
        outcomes.push((await provider.apply({ groups: [each] }, patience)).get(each.id));
      await dying;
      t.truthy(dying);
      await server.start();
      for (const [index, each] of groups.entries()) {
        const kindOf = outcomes[index]?.kind;
        const read = await provider.read(
          each.creates.map(({ name }) => name),
          patience,
        );
        t.true(
          read.length === 0 || read.length === setsPerBatch,
          `${read.length} of batch ${index}`,
        );
        if (kindOf === 'applied') t.is(read.length, setsPerBatch, `batch ${index} was lost`);
        else if (kindOf === 'unavailable') t.is(read.length, 0, `batch ${index} is there`);
        else t.is(kindOf, 'unknown');
      }
      t.is(outcomes[0]?.kind, 'applied');
      t.not(outcomes.at(-1)?.kind, 'applied');
    },
  );

  declare(
    `I12 ${kind.name}: a deposed writer's late request fails, and changes nothing${why}`,
    async (t) => {
      const server = await openDnsServer(kind, 1);
      t.teardown(() => server.dispose());
      const zone = server.takeZone();
      const proxy = await openDnsProxy(server.port);
      t.teardown(() => proxy.close());
      const former = openAt(proxy, { zone, key: server.ours });
      const next = openAt(server, { zone, key: server.ours });
      t.teardown(async () => {
        await former.close();
        await next.close();
      });
      const fence = (term: number, seq: number): ZoneRecordSet =>
        recordSet(`_fedfence.f.${zone}`, 'TXT', [`v=1 id=us term=${term} seq=${seq}`]);
      const move = (from: ZoneRecordSet | undefined, to: ZoneRecordSet): RecordGroup =>
        group('fence', { deletes: from === undefined ? [] : [from], creates: [to] });
      const first = recordSet(`a.${zone}`, 'A', ['192.0.2.1']);
      await former.apply(
        { groups: [group('a', { creates: [first] })], fence: move(undefined, fence(7, 1)) },
        patience,
      );
      // The former one's next request leaves, and is on its way while another takes over.
      const gate: { open: () => void } = { open: () => undefined };
      const arrived = new Promise<void>((resolve) => {
        proxy.onUpdate = () => {
          resolve();
          return new Promise<void>((open) => (gate.open = open));
        };
      });
      const late = former.apply(
        {
          groups: [
            group('a', {
              deletes: [first],
              creates: [recordSet(`a.${zone}`, 'A', ['192.0.2.66'])],
            }),
          ],
          fence: move(fence(7, 1), fence(7, 2)),
        },
        patience,
      );
      await arrived;
      const second = recordSet(`b.${zone}`, 'A', ['192.0.2.2']);
      const taken = await next.apply(
        { groups: [group('b', { creates: [second] })], fence: move(fence(7, 1), fence(8, 1)) },
        patience,
      );
      t.is(taken.get('b')?.kind, 'applied');
      proxy.onUpdate = undefined;
      gate.open();
      t.is((await late).get('a')?.kind, 'fenced');
      const names = [fence(8, 1).name, first.name, second.name];
      t.deepEqual(await next.read(names, patience), [fence(8, 1), first, second]);
    },
  );
}

const bindMissing = missingOf(bind);
const onBind = bindMissing === undefined ? test : test.skip;
const whyBind = bindMissing === undefined ? '' : ` (${bindMissing} is not installed)`;

onBind(`bind: after a restart of the server the next call is answered${whyBind}`, async (t) => {
  const { server, zone, provider } = await withBind(t);
  await provider.describe(patience);
  await server.kill();
  await t.throwsAsync(provider.describe(patience), { message: /127\.0\.0\.1 port \d+/ });
  await server.start();
  const set = recordSet(`a.${zone}`, 'A', ['192.0.2.1']);
  const outcomes = await provider.apply({ groups: [group('g', { creates: [set] })] }, patience);
  t.is(outcomes.get('g')?.kind, 'applied');
});

onBind(
  `bind: below a delegation or a DNAME nothing of ours would be served, and it is told${whyBind}`,
  async (t) => {
    const { server, zone, provider } = await withBind(t);
    const at = { port: server.port, zone, key: server.other };
    await nsupdate(at, 'put', [
      recordSet(`cut.${zone}`, 'NS', ['ns1.example.net']),
      recordSet(`moved.${zone}`, 'DNAME', ['example.net']),
    ]);
    const read = await provider.read([`a.cut.${zone}`, `a.moved.${zone}`, `cut.${zone}`], patience);
    t.deepEqual(
      read.map(({ name, type, foreign }) => [name, type, foreign]),
      [
        [`a.cut.${zone}`, 'NS', `NS at cut.${zone}`],
        [`a.moved.${zone}`, 'DNAME', `DNAME at moved.${zone}`],
        [`cut.${zone}`, 'NS', `NS at cut.${zone}`],
      ],
    );
  },
);

onBind(`bind: the server may be a host name, and have an IPv6 address${whyBind}`, async (t) => {
  const { server, zone } = await withBind(t);
  const hasIpv6 = networkInterfaces()['lo']?.some(({ family }) => family === 'IPv6') === true;
  for (const host of hasIpv6 ? ['localhost', '::1'] : ['localhost']) {
    const at = { host, port: server.port };
    const provider = openAt(server, { zone, key: server.ours, server: at });
    t.is((await provider.describe(patience)).nameServers.length, 2, host);
    await provider.close();
  }
  const nowhere = openAt(server, {
    zone,
    key: server.ours,
    server: { host: 'nowhere.invalid', port: 53 },
  });
  t.teardown(() => nowhere.close());
  await t.throwsAsync(nowhere.describe(patience), { message: /nowhere\.invalid port 53/ });
  const set = recordSet(`a.${zone}`, 'A', ['192.0.2.1']);
  const outcomes = await nowhere.apply({ groups: [group('g', { creates: [set] })] }, patience);
  t.is(outcomes.get('g')?.kind, 'unavailable');
});

async function withBind(t: { teardown(run: () => Promise<void>): void }): Promise<{
  readonly server: DnsServer;
  readonly zone: string;
  readonly provider: ReturnType<typeof openAt>;
}> {
  const server = await openDnsServer(bind, 1);
  t.teardown(() => server.dispose());
  const zone = server.takeZone();
  const provider = openAt(server, { zone, key: server.ours });
  t.teardown(() => provider.close());
  return { server, zone, provider };
}

function batchOf(zone: string, index: number): RecordGroup {
  const creates = Array.from({ length: setsPerBatch }, (_, nth) =>
    recordSet(`n${nth}.b${index}.${zone}`, 'A', ['192.0.2.1']),
  );
  return group(`b${index}`, { creates });
}
