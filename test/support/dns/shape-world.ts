// Clusters, zones and histories of health that the planner's properties are tried on: every kind of
// ingress, every kind of zone.

import fc from 'fast-check';
import type { Publication } from '../../../common/model/publication.ts';
import { planPublication, type PublicationInput } from '../../../coordinator/dns/publish/plan.ts';
import { embeddedShape, type ZoneShape } from '../../../coordinator/dns/publish/zone-shape.ts';
import { input, nginx, type ShardSketch } from '../dns-fixtures.ts';
import { cloudDns, elb, rfc2136, route53 } from './level-rows.ts';

export const seed = 20_261_125;
export const runs = 400;

export const world: readonly ShardSketch[] = [
  { cluster: 'a', region: 'r1', zones: ['z1'], ips: ['8.8.0.1'] },
  { cluster: 'b', region: 'r1', zones: ['z1', 'z2'], ips: ['8.8.0.2', '2a00:1450::2'] },
  { cluster: 'c', region: 'r1', zones: ['z2'], hostnames: [elb('c')] },
  { cluster: 'd', region: 'r2', zones: ['z1'], hostnames: [elb('d', 'us-east-1')] },
  { cluster: 'e', region: 'r2', zones: [], hostnames: ['lb.hosting.example.net'] },
  { cluster: 'f', region: undefined, zones: [], ips: ['8.8.0.6'], nodePorts: { http: 30_080 } },
];

export const outside = new Map<string, readonly string[]>([
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
export const moment = fc
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
export const history = fc.array(moment, { minLength: 1, maxLength: 6 });

const places = [
  { region: 'r1', zones: ['z1', 'z2', 'z3'] },
  { region: 'r3', zones: ['z1'] },
];
export const shapes: fc.Arbitrary<ZoneShape> = fc
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

export function given(
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

export interface Step {
  readonly from: PublicationInput;
  readonly planned: Publication;
}

export function play(
  shape: ZoneShape,
  moments: readonly (readonly ShardSketch[])[],
): readonly Step[] {
  const steps: Step[] = [];
  for (const shards of moments) {
    const from = given(shape, shards, steps.at(-1)?.planned);
    steps.push({ from, planned: planPublication(from) });
  }
  return steps;
}
