// Laws of the planner over histories of health, for every kind of zone: Route 53, Cloud DNS, plain
// providers with each hostname mode, the embedded zone. The answers are found by a walk of this
// file's own.

import test from 'ava';
import fc from 'fast-check';
import type { Publication, RecordSet } from '../../common/model/publication.ts';
import { auditPublication } from '../../coordinator/dns/publish/audit.ts';
import { planPublication, type PublicationInput } from '../../coordinator/dns/publish/plan.ts';
import { embeddedShape, type ZoneShape } from '../../coordinator/dns/publish/zone-shape.ts';
import { input, nginx, nginxAt, nginxGlobal, type ShardSketch } from '../support/dns-fixtures.ts';
import { cloudDns, elb, rfc2136, route53 } from '../support/dns/level-rows.ts';

const seed = 20_261_125;
const runs = 400;

const world: readonly ShardSketch[] = [
  { cluster: 'a', region: 'r1', zones: ['z1'], ips: ['8.8.0.1'] },
  { cluster: 'b', region: 'r1', zones: ['z1', 'z2'], ips: ['8.8.0.2', '2a00:1450::2'] },
  { cluster: 'c', region: 'r1', zones: ['z2'], hostnames: [elb('c')] },
  { cluster: 'd', region: 'r2', zones: ['z1'], hostnames: [elb('d', 'us-east-1')] },
  { cluster: 'e', region: 'r2', zones: [], hostnames: ['lb.hosting.example.net'] },
  { cluster: 'f', region: undefined, zones: [], ips: ['8.8.0.6'], nodePorts: { http: 30_080 } },
];

const outside = new Map<string, readonly string[]>([
  ['a', ['8.8.0.1']],
  ['b', ['8.8.0.2', '2a00:1450::2']],
  ['c', [elb('c'), '8.8.3.1', '8.8.3.2']],
  ['d', [elb('d', 'us-east-1')]],
  ['e', ['lb.hosting.example.net', '2a00:1450::e']],
  ['f', ['8.8.0.6']],
]);

const resolved = new Map([
  [elb('c'), ['8.8.3.1', '8.8.3.2', '10.0.0.3']],
  ['lb.hosting.example.net', ['2a00:1450::e']],
]);

const states = [
  'healthy',
  'healthy',
  'notReady',
  'noAddress',
  'heldDown',
  'dead',
  'pending',
] as const;
const moment = fc
  .tuple(
    ...world.map(() =>
      fc.record({
        isPlaced: fc.nat({ max: 9 }).map((roll) => roll > 1),
        state: fc.constantFrom(...states),
        isDrained: fc.nat({ max: 9 }).map((roll) => roll === 0),
        isUnknown: fc.nat({ max: 9 }).map((roll) => roll === 0),
        isBackup: fc.nat({ max: 9 }).map((roll) => roll < 3),
        weight: fc.constantFrom(100, 100, 100, 50, 1, 0),
      }),
    ),
  )
  .map((drawn) =>
    world.flatMap((sketch, index): readonly ShardSketch[] => {
      const { isPlaced, ...rest } = drawn[index] ?? { isPlaced: false };
      const bare =
        'state' in rest && (rest.state === 'noAddress' || rest.state === 'pending')
          ? { ips: [], hostnames: [] }
          : {};
      return isPlaced ? [{ ...sketch, ...rest, ...bare }] : [];
    }),
  );
const history = fc.array(moment, { minLength: 1, maxLength: 6 });

const places = [
  { region: 'r1', zones: ['z1', 'z2', 'z3'] },
  { region: 'r3', zones: ['z1'] },
];
const shapes: fc.Arbitrary<ZoneShape> = fc
  .record({
    base: fc.constantFrom(route53, cloudDns, rfc2136, embeddedShape),
    hostnameMode: fc.constantFrom('Prefer', 'Flatten', 'PerShard'),
    allUnhealthy: fc.constantFrom('FailOpen', 'FailOpen', 'Remove'),
    levelNamesMax: fc.constantFrom(0, 3, 5, 100),
    valuesPerSetMax: fc.constantFrom(1, 2, 100),
  })
  .map(({ base, levelNamesMax, ...rest }) => ({
    ...base,
    ...rest,
    levelNamesMax: base.hasFallbacks ? levelNamesMax : 0,
  }));

function given(
  shape: ZoneShape,
  shards: readonly ShardSketch[],
  previous: Publication | undefined,
): PublicationInput {
  return input(shards, {
    shape,
    previous,
    places,
    resolved,
    ports: [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ],
    aliases: {
      granted: [
        { name: 'nginx.example.com' },
        { name: 'one.example.com', region: 'r1', zone: 'z2' },
        { name: 'nine.example.com', region: 'r9' },
      ],
      refused: [{ name: 'taken.example.com', by: nginx }],
    },
  });
}

interface Step {
  readonly from: PublicationInput;
  readonly planned: Publication;
}

function play(shape: ZoneShape, moments: readonly (readonly ShardSketch[])[]): readonly Step[] {
  const steps: Step[] = [];
  for (const shards of moments) {
    const from = given(shape, shards, steps.at(-1)?.planned);
    steps.push({ from, planned: planPublication(from) });
  }
  return steps;
}

function always(law: (step: Step, shape: ZoneShape) => boolean): void {
  fc.assert(
    fc.property(shapes, history, (shape, moments) =>
      play(shape, moments).every((step) => law(step, shape)),
    ),
    { seed, numRuns: runs },
  );
}

/** Every end that some client may be led to; undefined: some client is led to nothing. */
function walk(sets: readonly RecordSet[], name: string, depth = 0): readonly string[] | undefined {
  const here = sets.filter((set) => set.name === name);
  if (here.length === 0 || depth > 8) return undefined;
  const ends: string[] = [];
  for (const { type, values, items, alias, member } of here) {
    if (member?.weight === 0) continue;
    if (alias !== undefined) ends.push(alias.target);
    const said = [...values, ...(items ?? []).flatMap((item) => item.values)];
    for (const value of said) {
      const target = type === 'SRV' ? (value.split(' ')[3] ?? '') : value;
      if (!target.endsWith('.example.com')) {
        ends.push(target);
        continue;
      }
      const beyond = walk(sets, target, depth + 1);
      if (beyond === undefined) return undefined;
      ends.push(...beyond);
    }
  }
  return ends.length === 0 ? undefined : ends;
}

/** Of what the verdicts, or else the records, say is healthy: by tier, the best first. */
function healthyOf({ shards, previous }: PublicationInput) {
  return shards.flatMap((shard) => {
    const { cluster, verdict, isDrained, isBackup = false, weight = 100 } = shard;
    const isKnown = verdict !== undefined && verdict.state !== 'pending';
    const before = previous?.shards.find((known) => known.cluster === cluster);
    const state = isKnown ? verdict.state : before?.state;
    if (state !== 'healthy' || isDrained === true) return [];
    return [{ cluster, isBest: !isBackup && weight > 0 }];
  });
}

test('I5 every name leads to healthy shards while there is one, and nothing dangles', (t) => {
  always(({ from, planned }) => {
    const healthy = healthyOf(from);
    const good = new Set(healthy.flatMap(({ cluster }) => outside.get(cluster) ?? []));
    if (good.size > 0 && planned.recordSets.length === 0) return false;
    return planned.recordSets.every(({ name }) => {
      const ends = walk(planned.recordSets, name);
      return ends !== undefined && (good.size === 0 || ends.every((end) => good.has(end)));
    });
  });
  t.pass();
});

test('P5 no backup and no weight of 0 while a better shard is healthy', (t) => {
  always(({ from, planned }) => {
    const healthy = healthyOf(from);
    if (!healthy.some(({ isBest }) => isBest)) return true;
    const best = new Set(
      healthy.flatMap(({ cluster, isBest }) => (isBest ? (outside.get(cluster) ?? []) : [])),
    );
    return planned.recordSets
      .filter(({ level }) => level !== 'shard')
      .every(({ name }) => walk(planned.recordSets, name)?.every((end) => best.has(end)) === true);
  });
  t.pass();
});

test('I6 the last names never go on suspicion, unless the user wishes so', (t) => {
  always(({ from, planned }, shape) => {
    const had = (from.previous?.recordSets.length ?? 0) > 0;
    if (!had || planned.recordSets.length > 0 || shape.allUnhealthy === 'Remove') return true;
    return planned.shards.every(({ addresses, hostnames, isDrained }) => {
      return isDrained === true || addresses.length + hostnames.length === 0;
    });
  });
  t.pass();
});

test('names are of this Service or its own short names, and no CNAME stands beside anything', (t) => {
  const short = new Set(['nginx.example.com', 'one.example.com', 'nine.example.com']);
  const form =
    /^(_https?\._tcp\.)?(s-[0-9a-v]{8}\.)?nginx\.web\.myfederation\.svc\.([a-z0-9.]+\.)?example\.com$/;
  always(({ planned: { recordSets } }) =>
    recordSets.every(({ name, type, member }) => {
      const beside = recordSets.filter((set) => set.name === name);
      const isAlone = type !== 'CNAME' || beside.every((set) => set.type === 'CNAME');
      const isOne = member !== undefined || beside.filter((set) => set.type === type).length === 1;
      return isAlone && isOne && (short.has(name) || form.test(name));
    }),
  );
  t.pass();
});

test('the zone’s bounds hold: values of a set, names of levels without a shard, its own way to weigh', (t) => {
  always(({ from, planned: { recordSets } }, shape) => {
    const own = new Set([nginxGlobal]);
    for (const { topology } of from.shards) {
      if (topology.region === undefined) continue;
      own.add(nginxAt(topology.region));
      for (const zone of topology.zones) own.add(nginxAt(zone, topology.region));
    }
    const levels = recordSets.filter(
      ({ name, level }) =>
        (level === 'zone' || level === 'region') && !name.startsWith('_') && !own.has(name),
    );
    const isWithin = levels.length <= Math.max(0, shape.levelNamesMax - (own.size - 1));
    return (
      isWithin &&
      recordSets.every(({ values, items, member, weights, alias }) => {
        if (member !== undefined && shape.weights !== 'members') return false;
        if (items !== undefined && shape.weights !== 'items') return false;
        if (weights !== undefined && shape.weights !== 'values') return false;
        if (alias !== undefined && !shape.hasAlias) return false;
        return values.length <= shape.valuesPerSetMax;
      })
    );
  });
  t.pass();
});

test('the audit agrees with every plan', (t) => {
  always(({ from, planned }) => auditPublication(from, planned).length === 0);
  t.pass();
});

test('idempotence and order: planning again, or from shards in another order, changes nothing', (t) => {
  always(({ from, planned }) => {
    const same = JSON.stringify(planned);
    const again = planPublication({ ...from, previous: planned });
    const turned = planPublication({ ...from, shards: from.shards.toReversed() });
    return JSON.stringify(again) === same && JSON.stringify(turned) === same;
  });
  t.pass();
});

test('convergence: with all verdicts known, only whether it was ever healthy is remembered', (t) => {
  const once: readonly ShardSketch[] = [{ ...world[0], cluster: 'a', state: 'healthy' }];
  fc.assert(
    fc.property(shapes, history, moment, (shape, moments, end) => {
      const known = end.map((sketch) => {
        const { state } = sketch;
        return { ...sketch, isUnknown: false, state: state === 'pending' ? 'notReady' : state };
      }) as readonly ShardSketch[];
      const one = play(shape, [once, ...moments, known]).at(-1)?.planned;
      const two = play(shape, [once, known]).at(-1)?.planned;
      return JSON.stringify(one) === JSON.stringify(two);
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('containment: what becomes of a shard changes names of its own levels, and of no other region', (t) => {
  fc.assert(
    fc.property(shapes, moment, (shape, shards) => {
      const steady = shards.map((s) => ({ ...s, isBackup: false, weight: 100, isUnknown: false }));
      const [one, two] = [
        steady,
        steady.map((s) => (s.cluster === 'a' ? { ...s, state: 'dead' as const } : s)),
      ];
      const before = planPublication(given(shape, one, undefined));
      const after = planPublication(given(shape, two, before));
      if (before.reason !== after.reason) return true;
      const text = (planned: Publication, name: string): string =>
        JSON.stringify(planned.recordSets.filter((set) => set.name === name));
      return (
        [...before.recordSets, ...after.recordSets]
          .filter(({ name, level }) => level !== 'alias' && /\.svc\.(z\d\.)?r[23]\./.test(name))
          // A port that no shard in DNS has any more is no port at any level.
          .filter(({ name }) => !name.startsWith('_'))
          .every(({ name }) => text(before, name) === text(after, name))
      );
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('minimal diff: of weighted members only that of the shard that goes is touched', (t) => {
  const lbs = ['c', 'd', 'g', 'h'].map((cluster) => ({ cluster, hostnames: [elb(cluster)] }));
  const ips = ['a', 'b'].map((cluster, index) => ({ cluster, ips: [`8.8.0.${index + 1}`] }));
  const subset = fc.subarray([...lbs, ...ips], { minLength: 3 });
  fc.assert(
    fc.property(subset, fc.nat(), (shards, pick) => {
      const gone = shards[pick % shards.length]?.cluster ?? '';
      const rest = shards.filter(({ cluster }) => cluster !== gone);
      const isMixed = rest.some((shard) => 'hostnames' in shard) && rest.length > 1;
      if (!isMixed || !shards.some((shard) => 'hostnames' in shard)) return true;
      const before = planPublication(given(route53, shards, undefined)).recordSets;
      const after = planPublication(given(route53, rest, undefined)).recordSets;
      const texts = new Set(after.map((set) => JSON.stringify(set)));
      return before.every(
        (set) => set.member?.id === `fed/${gone}` || texts.has(JSON.stringify(set)),
      );
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});

test('the subset under a bound is stable: who comes or goes moves no other by more than one', (t) => {
  const many = fc.uniqueArray(fc.integer({ min: 1, max: 250 }), { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(many, fc.integer({ min: 1, max: 20 }), (numbers, valuesPerSetMax) => {
      const shape = { ...rfc2136, valuesPerSetMax };
      const valuesOf = (all: readonly number[]): readonly string[] =>
        planPublication(
          given(
            shape,
            all.map((n) => ({ cluster: `c${n}`, ips: [`8.8.1.${n}`] })),
            undefined,
          ),
        ).recordSets.find(({ name, type }) => name === nginxGlobal && type === 'A')?.values ?? [];
      const before = valuesOf(numbers);
      const after = valuesOf(numbers.slice(1));
      const left = before.filter((value) => !after.includes(value));
      return before.length <= valuesPerSetMax && left.length <= 1;
    }),
    { seed, numRuns: runs },
  );
  t.pass();
});

// Planted faults: each must be caught by the audit within these histories.
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
