// What people read of moves, overrides and policies.

import test from 'ava';
import { toClusterName } from '../../common/model/ids.ts';
import type { ServicePolicy } from '../../common/model/isthmus-kinds.ts';
import type { PlacementNotes, ShardMove } from '../../common/model/views.ts';
import { sayMoving, sayOverrides, sayPolicy } from '../../coordinator/status/plan-notes.ts';

const [a, b] = ['a', 'b'].map(toClusterName) as [never, never];

const quiet: PlacementNotes = {
  refusal: undefined,
  moves: [],
  policy: 'nginx',
  overruled: [],
  hasOverrides: false,
  failures: [],
};

const move: ShardMove = { cluster: a, awaits: [b], isDrained: false, isStalled: false };

const policy: ServicePolicy = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'ServicePolicy',
  metadata: { name: 'nginx', namespace: 'web' },
  spec: { serviceName: 'nginx' },
};

const shown = (said: readonly object[]): readonly string[] =>
  said.map((one) => {
    const { type, status, reason, message } = one as Readonly<Record<string, string>>;
    return `${type}=${status} ${reason}: ${message}`;
  });

test('a move says whom it waits for, that it stalls, and that it leaves', (t) => {
  t.deepEqual(sayMoving(quiet), []);
  t.deepEqual(sayMoving(undefined), []);
  const rows: readonly (readonly [readonly ShardMove[], string])[] = [
    [
      [move],
      'Moving=True AwaitingHealthy: a keeps its shard and its place in DNS until b is healthy.',
    ],
    [
      [{ ...move, awaits: [] }],
      'Moving=True AwaitingHealthy: a keeps its shard and its place in DNS until another shard is healthy.',
    ],
    [
      [{ ...move, isStalled: true }],
      'Moving=True MoveStalled: a keeps its shard and its place in DNS until b is healthy, which takes ' +
        'longer than expected. To go on without: set spec.move.strategy of the ServicePolicy to AtOnce.',
    ],
    [
      [
        { ...move, isDrained: true },
        { ...move, cluster: b, isDrained: true },
      ],
      'Moving=True LeavingDNS: a has left DNS, and gives up its shard one TTL later. So do 1 more clusters.',
    ],
  ];
  for (const [moves, expected] of rows) {
    t.deepEqual(shown(sayMoving({ ...quiet, moves })), [expected]);
  }
});

test('overrides say that they fit, or where they do not and what the shard does', (t) => {
  t.deepEqual(sayOverrides(quiet), []);
  const notes = { ...quiet, hasOverrides: true };
  t.deepEqual(shown(sayOverrides(notes)), [
    'OverridesApplied=True Applied: The overrides of ServicePolicy nginx fit the Service.',
  ]);
  const failure = { cluster: a, field: 'overrides[0].patch[1]', message: 'no', isThere: true };
  t.deepEqual(shown(sayOverrides({ ...notes, failures: [failure] })), [
    'OverridesApplied=False OverrideFailed: ServicePolicy nginx, spec.overrides[0].patch[1]: no; ' +
      'a keeps its last content.',
  ]);
  t.regex(
    shown(sayOverrides({ ...notes, failures: [{ ...failure, isThere: false }] }))[0] ?? '',
    /a gets no shard\.$/,
  );
});

test('a policy says whether it holds', (t) => {
  t.deepEqual(shown(sayPolicy(policy, quiet)), [
    'Accepted=True Accepted: It holds for the Service nginx.',
  ]);
  t.deepEqual(shown(sayPolicy(policy, undefined)), [
    'Accepted=False ServiceNotFound: There is no federated Service nginx in this namespace.',
  ]);
  t.deepEqual(shown(sayPolicy(policy, { ...quiet, policy: 'older' })), [
    'Accepted=False Overruled: ServicePolicy older, which is older, holds for the Service nginx; ' +
      'this one counts for nothing. Keep one.',
  ]);
});
