import test from 'ava';
import fc from 'fast-check';
import type { ShardState } from '../../common/model/health.ts';
import type { Publication, RecordSet } from '../../common/model/publication.ts';
import { auditPublication } from '../../coordinator/dns/publish/audit.ts';
import { planPublication, type PublicationInput } from '../../coordinator/dns/publish/plan.ts';
import {
  decode,
  input,
  nginx,
  nginxGlobal,
  question,
  type ShardSketch,
} from '../support/dns-fixtures.ts';
import { serveZones } from '../support/served-zone.ts';

const seed = 20_261_125;
const runs = 500;
const states: readonly ShardState[] = [
  'healthy',
  'notReady',
  'noAddress',
  'heldDown',
  'dead',
  'pending',
];

// Four clusters over two regions, one without a topology, one whose load balancer is a name.
const world = [
  { cluster: 'a', zones: ['a'], region: 'r1', ips: ['8.8.0.1'] },
  { cluster: 'b', zones: ['b', 'c'], region: 'r1', ips: ['8.8.0.2', '10.0.0.2'] },
  { cluster: 'd', zones: ['d'], region: 'r2', hostnames: ['lb.elb.amazonaws.com'] },
  { cluster: 'e', ips: ['8.8.0.5', '2a00:1450::5'] },
] as const satisfies readonly ShardSketch[];

const moment: fc.Arbitrary<readonly ShardSketch[]> = fc
  .tuple(
    ...world.map(() =>
      fc.record({
        state: fc.constantFrom(...states),
        isDrained: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
        isUnknown: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
        isPlaced: fc.integer({ min: 0, max: 9 }).map((roll) => roll > 0),
      }),
    ),
  )
  .map((drawn) =>
    world.flatMap((sketch, index) => {
      const { isPlaced, ...rest } = drawn[index] ?? { isPlaced: false, state: 'pending' as const };
      // A shard without an address reports none.
      const bare =
        rest.state === 'noAddress' || rest.state === 'pending' ? { ips: [], hostnames: [] } : {};
      return isPlaced ? [{ ...sketch, ...rest, ...bare }] : [];
    }),
  );
const history = fc.array(moment, { minLength: 1, maxLength: 8 });

type Planner = (given: PublicationInput) => Publication;

/** Plays a history; each moment is planned from what was published before. */
function play(moments: readonly (readonly ShardSketch[])[], plan: Planner) {
  const steps: { readonly given: PublicationInput; readonly planned: Publication }[] = [];
  for (const shards of moments) {
    const given = input(shards, { previous: steps.at(-1)?.planned });
    steps.push({ given, planned: plan(given) });
  }
  return steps;
}

/** Where a name ends, by a walk of its own. */
function ends(planned: Publication, name: string): readonly string[] {
  const seen = new Set<string>();
  let at = name;
  while (!seen.has(at)) {
    seen.add(at);
    const sets = planned.recordSets.filter((set) => set.name === at);
    const alias = sets.find(({ type }) => type === 'CNAME')?.values[0];
    if (alias === undefined || !alias.endsWith('.example.com'))
      return sets.flatMap(({ values }) => values);
    at = alias;
  }
  return [];
}

const outside = new Map<string, readonly string[]>([
  ['a', ['8.8.0.1']],
  ['b', ['8.8.0.2']],
  ['d', ['lb.elb.amazonaws.com']],
  ['e', ['8.8.0.5', '2a00:1450::5']],
]);

/** What of a cluster must be in DNS: drained is out by wish, unknown is as it was. */
function goodOf(given: PublicationInput, cluster: string): readonly string[] {
  const shard = given.shards.find((placed) => placed.cluster === cluster);
  if (shard === undefined || shard.isDrained === true) return [];
  const isKnown = shard.verdict !== undefined && shard.verdict.state !== 'pending';
  const before = given.previous?.shards.find((known) => known.cluster === cluster);
  const state = isKnown ? shard.verdict.state : before?.state;
  return state === 'healthy' ? (outside.get(cluster) ?? []) : [];
}

test('I5 through any history every name leads to a healthy shard while there is one', (t) => {
  fc.assert(
    fc.property(history, (moments) =>
      play(moments, planPublication).every(({ given, planned }) => {
        const good = new Set(given.shards.flatMap((shard) => goodOf(given, shard.cluster)));
        if (good.size > 0 && planned.recordSets.length === 0) return false;
        return planned.recordSets.every(({ name }) => {
          const leads = ends(planned, name);
          return leads.length > 0 && (good.size === 0 || leads.every((end) => good.has(end)));
        });
      }),
    ),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('I6 through any history the last names never go on suspicion', (t) => {
  fc.assert(
    fc.property(history, (moments) =>
      play(moments, planPublication).every(({ given, planned }) => {
        const had = (given.previous?.recordSets.length ?? 0) > 0;
        if (!had || planned.recordSets.length > 0) return true;
        // Only wishes and facts are left: every shard is drained, gone, or says it has no address.
        return planned.shards.every(({ cluster, addresses, hostnames }) => {
          const shard = given.shards.find((placed) => placed.cluster === cluster);
          return shard?.isDrained === true || addresses.length + hostnames.length === 0;
        });
      }),
    ),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('the audit agrees with every plan', (t) => {
  fc.assert(
    fc.property(history, (moments) =>
      play(moments, planPublication).every(
        ({ given, planned }) => auditPublication(given, planned).length === 0,
      ),
    ),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('planning twice changes nothing, and the order of shards does not show', (t) => {
  fc.assert(
    fc.property(history, (moments) => {
      const last = play(moments, planPublication).at(-1);
      if (last === undefined) return true;
      const again = planPublication({ ...last.given, previous: last.planned });
      const turned = planPublication({ ...last.given, shards: [...last.given.shards].reverse() });
      const same = JSON.stringify(last.planned);
      return JSON.stringify(again) === same && JSON.stringify(turned) === same;
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('convergence: with all verdicts known, only whether it was ever healthy is remembered', (t) => {
  fc.assert(
    fc.property(history, moment, (moments, end) => {
      const known = end.map((sketch) => ({
        ...sketch,
        isUnknown: false,
        state:
          sketch.state === undefined || sketch.state === 'pending'
            ? ('notReady' as const)
            : sketch.state,
      }));
      const healthyOnce: readonly ShardSketch[] = [{ ...world[0], state: 'healthy' }];
      const one = play([healthyOnce, ...moments, known], planPublication).at(-1)?.planned;
      const two = play([healthyOnce, known], planPublication).at(-1)?.planned;
      return JSON.stringify(one) === JSON.stringify(two);
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('containment: one shard that leaves changes only the names of its own levels', (t) => {
  fc.assert(
    fc.property(moment, (shards) => {
      const before = planPublication(input(shards));
      const after = planPublication(
        input(
          shards.map((s) => (s.cluster === 'a' ? { ...s, state: 'dead' as const } : s)),
          { previous: before },
        ),
      );
      const text = (planned: Publication, name: string) =>
        JSON.stringify(planned.recordSets.filter((set) => set.name === name));
      const others = new Set([...before.recordSets, ...after.recordSets].map(({ name }) => name));
      return [...others]
        .filter(
          (name) =>
            name !== nginxGlobal &&
            !name.endsWith('.r1.example.com') &&
            before.reason === after.reason,
        )
        .every((name) => text(before, name) === text(after, name));
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('the zone answers what the publication says, down to the last address', (t) => {
  fc.assert(
    fc.property(history, (moments) => {
      const { responder, apply } = serveZones('myfederation', [{ domain: 'example.com' }]);
      return play(moments, planPublication).every(({ planned }, index) => {
        const services = [{ key: nginx, recordSets: planned.recordSets }];
        apply({ serial: index + 1, services });
        return planned.recordSets.every(({ name, type }) => {
          if (type === 'CNAME') return true;
          const reply = responder.answer(question(name, type), 'tcp').reply;
          const said = decode(reply)
            .answers.map((line) => line.split(' ')[2] ?? '')
            .sort();
          const meant =
            planned.recordSets.find((set) => set.name === name && set.type === type)?.values ?? [];
          return JSON.stringify(said) === JSON.stringify([...meant].sort());
        });
      });
    }),
    { seed, numRuns: 100 },
  );
  t.pass();
});

// Planted faults: each must be caught by the audit within these histories.
const withSets = (
  planned: Publication,
  change: (sets: readonly RecordSet[]) => readonly RecordSet[],
): Publication => ({
  ...planned,
  recordSets: change(planned.recordSets),
});
const mutants: readonly (readonly [string, Planner])[] = [
  [
    'the global name is forgotten',
    (given) =>
      withSets(planPublication(given), (sets) => sets.filter(({ name }) => name !== nginxGlobal)),
  ],
  [
    'regions are forgotten',
    (given) =>
      withSets(planPublication(given), (sets) => sets.filter(({ level }) => level !== 'region')),
  ],
  [
    'CNAMEs stand beside addresses',
    (given) =>
      withSets(planPublication(given), (sets) =>
        sets.flatMap((set) =>
          set.level === 'region' && set.type === 'A'
            ? [set, { ...set, type: 'CNAME' as const, values: [nginxGlobal] }]
            : [set],
        ),
      ),
  ],
  [
    'a CNAME leads to itself',
    (given) =>
      withSets(planPublication(given), (sets) =>
        sets.map((set) =>
          set.level === 'zone' && set.type === 'CNAME' ? { ...set, values: [set.name] } : set,
        ),
      ),
  ],
  [
    'unready shards count as healthy',
    (given) =>
      planPublication({
        ...given,
        shards: given.shards.map((shard) =>
          shard.verdict?.state === 'notReady'
            ? { ...shard, verdict: { ...shard.verdict, state: 'healthy' as const } }
            : shard,
        ),
      }),
  ],
  [
    'the last names go when nobody is healthy',
    (given) => {
      const planned = planPublication(given);
      return planned.reason === 'FailOpen' ? { ...planned, recordSets: [] } : planned;
    },
  ],
  ['silence empties the answer', (given) => planPublication({ ...given, previous: undefined })],
  [
    'private addresses are published',
    (given) =>
      withSets(planPublication(given), (sets) =>
        sets.map((set) =>
          set.type === 'A' ? { ...set, values: [...set.values, '10.0.0.2'] } : set,
        ),
      ),
  ],
  [
    'a drained shard stays',
    (given) =>
      planPublication({
        ...given,
        shards: given.shards.map((shard) => ({ ...shard, isDrained: false })),
      }),
  ],
];

for (const [title, mutant] of mutants) {
  test(`the audit catches a plan in which ${title}`, (t) => {
    const caught = fc.sample(history, { seed, numRuns: runs }).some((moments) => {
      // The history is the true one; only the plan of a step is the mutant's.
      return play(moments, planPublication).some(
        ({ given }) => auditPublication(given, mutant(given)).length > 0,
      );
    });
    t.true(caught);
  });
}
