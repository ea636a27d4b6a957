import test from 'ava';
import fc from 'fast-check';
import { toClusterName, toServiceKey, type ServiceKey } from '../../common/model/ids.ts';
import type { PeerService } from '../../common/model/peer-table.ts';
import type { RecordSet } from '../../common/model/publication.ts';
import { toGlobalName, toRegionName, toZoneName } from '../../common/pure/level-names.ts';
import { toWireName } from '../../common/pure/dns-wire.ts';
import { PeerBook } from '../../agent/resolver/peer-book.ts';
import { NameTable, type Found, type TableDelta } from '../../coordinator/zone/fold.ts';
import { topology } from '../support/dns-fixtures.ts';

const seed = 20_261_125;
const scope = { federation: 'fed', domain: 'example.com' };
const regions = ['r1', 'r2'] as const;
const zones = ['a', 'b'] as const;
const keys: readonly ServiceKey[] = ['nginx', 'pg'].flatMap((name) =>
  ['web', 'db'].map((namespace) => toServiceKey({ namespace, name })),
);

/** Every name that these worlds can ask for, and some that never exist. */
const asked = [
  ...keys.flatMap((key) => [
    toGlobalName(key, scope),
    ...regions.map((region) => toRegionName(key, region, scope)),
    ...regions.flatMap((region) => zones.map((zone) => toZoneName(key, { zone, region }, scope))),
  ]),
  ...[
    'svc',
    'fed.svc',
    'web.fed.svc',
    'db.fed.svc',
    'x.fed.svc',
    'r1',
    'a.r1',
    'svc.r1',
    'web.fed.svc.a.r2',
  ].map((labels) => `${labels}.example.com`),
];

const recordSets = (key: ServiceKey): fc.Arbitrary<readonly RecordSet[]> =>
  fc
    .record({ isPublished: fc.boolean(), region: fc.constantFrom(...regions), last: fc.nat(250) })
    .map(({ isPublished, region, last }) => {
      if (!isPublished) return [];
      const base = { type: 'A' as const, ttlSeconds: 60, values: [`8.8.0.${last}`] };
      return [
        { ...base, name: toGlobalName(key, scope), level: 'global' as const },
        { ...base, name: toRegionName(key, region, scope), level: 'region' as const },
      ];
    });

type Change =
  | {
      readonly kind: 'service';
      readonly key: ServiceKey;
      readonly recordSets: readonly RecordSet[] | undefined;
    }
  | {
      readonly kind: 'cluster';
      readonly name: string;
      readonly place: readonly [string, string] | undefined;
    };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc
    .constantFrom(...keys)
    .chain((key) =>
      fc
        .option(recordSets(key), { nil: undefined })
        .map((sets): Change => ({ kind: 'service', key, recordSets: sets })),
    ),
  fc
    .tuple(
      fc.constantFrom('one', 'two', 'three'),
      fc.option(fc.tuple(fc.constantFrom(...zones), fc.constantFrom(...regions)), {
        nil: undefined,
      }),
    )
    .map(([name, place]): Change => ({ kind: 'cluster', name, place })),
);

function toDelta(changes: readonly Change[]): TableDelta {
  const services = changes.flatMap((one) =>
    one.kind === 'service' && one.recordSets !== undefined
      ? [{ key: one.key, recordSets: one.recordSets }]
      : [],
  );
  const removedServices = changes.flatMap((one) =>
    one.kind === 'service' && one.recordSets === undefined ? [one.key] : [],
  );
  const clusters = changes.flatMap((one) =>
    one.kind === 'cluster'
      ? [
          {
            name: one.name,
            topology: one.place === undefined ? undefined : topology([one.place[0]], one.place[1]),
          },
        ]
      : [],
  );
  return { serial: 1, services, removedServices, clusters };
}

function recordsOf(found: Found | { readonly kind: 'absent' }) {
  if (found.kind === 'records') return found.entry.records;
  if (found.kind === 'fallback') return { cname: found.parent, a: [] };
  return undefined;
}

/** What a table says of every name. */
function tell(table: NameTable): string {
  const found = asked.map((name) => {
    const wire = toWireName(name);
    const at = wire === undefined ? { kind: 'absent' as const } : table.find(wire);
    return recordsOf(at) ?? at.kind;
  });
  return JSON.stringify(found);
}

/** The last change of each object, in another order. */
function lastOnly(changes: readonly Change[]): readonly Change[] {
  const last = new Map<string, Change>();
  for (const one of changes) last.set(one.kind === 'service' ? one.key : one.name, one);
  return [...last.values()].reverse();
}

test('Z4 the zone says the same however it came there', (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const slow = new NameTable(scope);
      for (const one of changes) slow.apply(toDelta([one]));
      const quick = new NameTable(scope);
      quick.apply(toDelta(lastOnly(changes)));
      return tell(slow) === tell(quick);
    }),
    { seed, numRuns: 400 },
  );
  t.pass();
});

test('Z3 no name of the zone leads nowhere, and nothing exists without a Service', (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const table = new NameTable(scope);
      table.apply(toDelta(lastOnly(changes)));
      return asked.every((name) => {
        let at = toWireName(name);
        for (let step = 0; step < 4 && at !== undefined; step += 1) {
          const found = table.find(at);
          if (found.kind === 'absent') return step === 0;
          if (found.kind === 'empty') return step === 0 && table.serviceCount > 0;
          const { cname, a } = recordsOf(found) ?? { cname: undefined, a: [] };
          if (cname === undefined) return a.length > 0;
          at = cname;
        }
        return false;
      });
    }),
    { seed, numRuns: 400 },
  );
  t.pass();
});

const peerService: fc.Arbitrary<PeerService> = fc
  .record({
    key: fc.constantFrom(...keys),
    region: fc.constantFrom(...regions),
    zone: fc.constantFrom(...zones),
  })
  .map(({ key, region, zone }) => {
    const rest = { addresses: ['8.8.0.1'], hostnames: [], tcpPorts: [80], isHealthy: true };
    return { key, shards: [{ cluster: toClusterName('c'), zones: [zone], region, ...rest }] };
  });
const peerDelta = fc.record({
  upserts: fc.uniqueArray(peerService, { selector: ({ key }) => key, maxLength: 3 }),
  removals: fc.subarray([...keys], { maxLength: 2 }),
  isFull: fc.integer({ min: 0, max: 4 }).map((roll) => roll === 0),
});

test('the peer table after any deltas is the table that a full one makes', (t) => {
  fc.assert(
    fc.property(fc.array(peerDelta, { maxLength: 12 }), (deltas) => {
      const slow = new PeerBook();
      for (const delta of deltas) slow.apply(delta);
      const quick = new PeerBook();
      quick.apply({ upserts: slow.list(), removals: [], isFull: true });
      const say = (book: PeerBook): string =>
        JSON.stringify([
          book.list(),
          ['web', 'db', 'x'].map((namespace) => book.hasNamespace(namespace)),
          regions.flatMap((region) =>
            [undefined, ...zones].map((zone) => book.hasLevel({ zone, region })),
          ),
        ]);
      return say(slow) === say(quick);
    }),
    { seed, numRuns: 400 },
  );
  t.pass();
});
