// Laws of the planner over histories of health, for every kind of zone: Route 53, Cloud DNS, plain
// providers with each hostname mode, the embedded zone. The answers are found by a walk of this
// file's own.

import test from 'ava';
import fc from 'fast-check';
import type { Publication, RecordSet } from '../../common/model/publication.ts';
import { auditPublication } from '../../coordinator/dns/publish/audit.ts';
import { planPublication, type PublicationInput } from '../../coordinator/dns/publish/plan.ts';
import type { ZoneShape } from '../../coordinator/dns/publish/zone-shape.ts';
import { nginxAt, nginxGlobal, type ShardSketch } from '../support/dns-fixtures.ts';
import { elb, rfc2136, route53 } from '../support/dns/level-rows.ts';
import {
  given,
  history,
  moment,
  outside,
  play,
  runs,
  seed,
  shapes,
  world,
  type Step,
} from '../support/dns/shape-world.ts';

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
