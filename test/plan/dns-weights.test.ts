// Weights of shards: what is published, and how the embedded zone gives it out.

import test from 'ava';
import fc from 'fast-check';
import { auditPublication } from '../../coordinator/dns/publish/audit.ts';
import { planPublication } from '../../coordinator/dns/publish/plan.ts';
import { WeightedTails } from '../../coordinator/zone/weighted-tails.ts';
import {
  decode,
  input,
  lines,
  nginx,
  nginxGlobal,
  question,
  type ShardSketch,
} from '../support/dns-fixtures.ts';
import { serveZones } from '../support/served-zone.ts';

interface Weighed extends ShardSketch {
  readonly weight: number;
}

const foo: Weighed = { cluster: 'foo', region: 'eu', ips: ['8.8.0.1'], weight: 100 };
const bar: Weighed = { cluster: 'bar', region: 'eu', ips: ['8.8.0.2', '8.8.0.3'], weight: 50 };

function plan(shards: readonly Weighed[]) {
  const given = input(shards);
  const weighed = {
    ...given,
    shards: given.shards.map((shard, index) => ({
      ...shard,
      weight: shards[index]?.weight ?? 100,
    })),
  };
  const planned = planPublication(weighed);
  return { planned, findings: auditPublication(weighed, planned) };
}

test('P5 addresses carry the weight of their shard; without a difference there is none', (t) => {
  const { planned, findings } = plan([foo, bar]);
  t.deepEqual(findings, []);
  const global = planned.recordSets.find(({ name }) => name === nginxGlobal);
  t.deepEqual(global?.values, ['8.8.0.1', '8.8.0.2', '8.8.0.3']);
  t.deepEqual(global?.weights, [100, 25, 25]);
  const alike = plan([foo, { ...bar, weight: 100 }]).planned;
  t.true(alike.recordSets.every(({ weights }) => weights === undefined));
});

test('P5 a shard of weight 0 is published only while no other shard is healthy', (t) => {
  const drained: Weighed = { ...foo, weight: 0 };
  t.deepEqual(lines(plan([drained, bar]).planned), [
    `${nginxGlobal.replace('.example', '.eu.example')} A 8.8.0.2 8.8.0.3`,
    `${nginxGlobal} A 8.8.0.2 8.8.0.3`,
  ]);
  const alone = plan([drained, { ...bar, state: 'notReady' }]);
  t.deepEqual(alone.findings, []);
  t.true(lines(alone.planned).includes(`${nginxGlobal} A 8.8.0.1`));
});

test('P5 of load balancers that are names one of the heaviest is told', (t) => {
  const elb = (cluster: string, weight: number): Weighed => ({
    cluster,
    hostnames: [`${cluster}.elb.amazonaws.com`],
    weight,
  });
  for (const [a, b, wins] of [
    [1, 2, 'b'],
    [2, 1, 'a'],
  ] as const) {
    t.deepEqual(lines(plan([elb('a', a), elb('b', b)]).planned), [
      `${nginxGlobal} CNAME ${wins}.elb.amazonaws.com`,
    ]);
  }
});

test('H3 the zone answers with one address, as often as its weight says', (t) => {
  const { responder, apply } = serveZones('myfederation', [{ domain: 'example.com' }]);
  const { recordSets } = plan([foo, bar]).planned;
  apply({ services: [{ key: nginx, recordSets }] });
  const counts = new Map<string, number>();
  for (let turn = 0; turn < 60; turn += 1) {
    const { answers } = decode(responder.answer(question(nginxGlobal, 'A'), 'udp').reply);
    t.is(answers.length, 1);
    const [answer = ''] = answers;
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
    responder.answer(question(nginxGlobal, 'AAAA'), 'udp'); // others do not disturb the turns
  }
  t.deepEqual([...counts].sort(), [
    [`${nginxGlobal} A 8.8.0.1`, 40],
    [`${nginxGlobal} A 8.8.0.2`, 10],
    [`${nginxGlobal} A 8.8.0.3`, 10],
  ]);
});

test('in every row as long as the sum of the weights each comes exactly so often', (t) => {
  const anyWeights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(anyWeights, fc.nat(3), (weights, rows) => {
      const tails = weights.map((_, index) => ({ index }) as never);
      const turns = new WeightedTails(tails, weights);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let row = 0; row <= rows; row += 1) {
        const counts = weights.map(() => 0);
        for (let turn = 0; turn < total; turn += 1) {
          const { index } = turns.next() as unknown as { readonly index: number };
          counts[index] = (counts[index] ?? 0) + 1;
        }
        if (counts.join() !== weights.join()) return false;
      }
      return true;
    }),
  );
  t.pass();
});
