// Faults planted into plans, in every kind of zone: the audit has to catch each of them.

import test from 'ava';
import fc from 'fast-check';
import type { Publication, RecordSet } from '../../common/model/publication.ts';
import { auditPublication } from '../../coordinator/dns/publish/audit.ts';
import { planPublication, type PublicationInput } from '../../coordinator/dns/publish/plan.ts';
import { embeddedShape, type ZoneShape } from '../../coordinator/dns/publish/zone-shape.ts';
import { nginxAt } from '../support/dns-fixtures.ts';
import { elb } from '../support/dns/level-rows.ts';
import { history, play, runs, seed, shapes } from '../support/dns/shape-world.ts';

type Planner = (from: PublicationInput) => Publication;
const withSets =
  (change: (set: RecordSet, from: PublicationInput) => readonly RecordSet[]): Planner =>
  (from) => {
    const planned = planPublication(from);
    return { ...planned, recordSets: planned.recordSets.flatMap((set) => change(set, from)) };
  };
const lied =
  (change: (shard: PublicationInput['shards'][number]) => object): Planner =>
  (from) =>
    planPublication({ ...from, shards: from.shards.map((s) => ({ ...s, ...change(s) })) });
const shaped =
  (change: Partial<ZoneShape>): Planner =>
  (from) =>
    planPublication({ ...from, shape: { ...embeddedShape, ...from.shape, ...change } });

const mutants: readonly (readonly [string, Planner])[] = [
  ['backups answer beside primaries', lied(() => ({ isBackup: false }))],
  [
    'weights of 0 answer beside others',
    lied(({ weight }) => ({ weight: weight === 0 ? 1 : weight })),
  ],
  ['drained shards stay', lied(() => ({ isDrained: false }))],
  ['names of shards are forgotten', withSets((set) => (set.level === 'shard' ? [] : [set]))],
  ['regions are forgotten', withSets((set) => (set.level === 'region' ? [] : [set]))],
  [
    'levels with a shard are forgotten, and nothing leads to them',
    withSets((set) => (set.level === 'zone' || set.level === 'alias' ? [] : [set])),
  ],
  [
    'two members have one id',
    withSets((set) => [
      set.member === undefined ? set : { ...set, member: { ...set.member, id: 'fed' } },
    ]),
  ],
  [
    'a member has no weight',
    withSets((set) => [
      set.member === undefined ? set : { ...set, member: { ...set.member, weight: 0 } },
    ]),
  ],
  [
    'an alias names a foreign hosted zone',
    withSets((set) => [
      set.alias === undefined ? set : { ...set, alias: { ...set.alias, hostedZoneId: 'Z1' } },
    ]),
  ],
  ['aliases stand where there are none', shaped({ hasAlias: true, weights: 'members' })],
  ['items stand where they cannot', shaped({ weights: 'items' })],
  ['private addresses are published', shaped({ isPrivate: true })],
  ['the name budget is ignored', shaped({ levelNamesMax: 1_000 })],
  ['sets are too large', shaped({ valuesPerSetMax: 100 })],
  ['nothing is answered where the user did not wish that', shaped({ allUnhealthy: 'Remove' })],
  [
    'SRV leads to a level’s name, which may be a CNAME',
    withSets((set) => [set.type === 'SRV' ? { ...set, values: [`0 1 80 ${nginxAt('r1')}`] } : set]),
  ],
  [
    'SRV has the port 0',
    withSets((set) => [
      set.type === 'SRV'
        ? { ...set, values: set.values.map((v) => v.replace(/ \d+ s-/, ' 0 s-')) }
        : set,
    ]),
  ],
  [
    'a short name is another Service’s',
    withSets((set) =>
      set.level === 'alias' ? [set, { ...set, name: 'taken.example.com' }] : [set],
    ),
  ],
  [
    'a short name is of the form of the federation’s names',
    withSets((set) =>
      set.level === 'alias' ? [{ ...set, name: 'x.y.myfederation.svc.example.com' }] : [set],
    ),
  ],
  [
    'a name of another Service is written',
    withSets((set) =>
      set.level === 'global' ? [set, { ...set, name: set.name.replace('nginx', 'other') }] : [set],
    ),
  ],
  [
    'two regions lead to each other',
    withSets((set) =>
      set.name === nginxAt('r1') && set.type === 'CNAME'
        ? [{ ...set, values: [nginxAt('r1')] }]
        : [set],
    ),
  ],
  [
    'one item leads to what is not there',
    withSets((set) => [
      set.items === undefined || set.type !== 'CNAME'
        ? set
        : {
            ...set,
            items: set.items.map((item, i) =>
              i === 0 ? { ...item, values: [nginxAt('gone')] } : item,
            ),
          },
    ]),
  ],
  ['a TTL of nothing', withSets((set) => [{ ...set, ttlSeconds: 0 }])],
  [
    'addresses that were never looked up',
    (from) => planPublication({ ...from, resolved: new Map([[elb('c'), ['8.8.9.9']]]) }),
  ],
];

for (const [title, mutant] of mutants) {
  test(`the audit catches a plan in which ${title}`, (t) => {
    const samples = fc.sample(fc.tuple(shapes, history), { seed, numRuns: runs });
    const caught = samples.some(([shape, moments]) =>
      play(shape, moments).some(({ from }) => auditPublication(from, mutant(from)).length > 0),
    );
    t.true(caught);
  });
}
