// Which hosted agents run, what is doubted, how long one waits, and what the Cluster says of it.

import test from 'ava';
import { foldOutcome, noFaults, worstOf } from '../../agent/hosted/fold.ts';
import { doubtHosted } from '../../coordinator/hosted/audit.ts';
import { refreshed, serverOf } from '../../coordinator/hosted/credentials.ts';
import { sayHosted, withHosted } from '../../coordinator/hosted/plan-condition.ts';
import { planHosted, type HostedAct, type HostedFacts } from '../../coordinator/hosted/plan.ts';
import { stepEnd } from '../../coordinator/hosted/step.ts';

const cluster = (name: string, uid = `${name}-1`, createdAt = '2026-01-01T00:00:00Z') => ({
  name,
  uid,
  createdAt,
});
const credentials = (name: string, uid = `${name}-1`, revision = 7) => ({ name, uid, revision });
const child = (
  name: string,
  state: 'running' | 'stopping' | 'waiting' = 'running',
  more: { readonly uid?: string; readonly revision?: number; readonly dueMs?: number } = {},
) => ({ name, uid: `${name}-1`, state, revision: 7, dueMs: 0, ...more });

function facts(given: Partial<HostedFacts>): HostedFacts {
  const none = { clusters: [], credentials: [], children: [], folders: [] };
  return { ...none, agentsMax: 2, nowMs: 1000, ...given };
}

function act(kind: 'start' | 'replace' | 'stop' | 'refuse', name: string, uid = `${name}-1`) {
  return { kind, name, uid } as const;
}

const one = { clusters: [cluster('a')], credentials: [credentials('a')] };

const plans: readonly (readonly [string, Partial<HostedFacts>, readonly HostedAct[]])[] = [
  ['D1: a Cluster with credentials gets an agent', one, [act('start', 'a')]],
  ['D1: one without credentials gets none', { clusters: [cluster('a')] }, []],
  ['D4: one whose agent runs is left alone', { ...one, children: [child('a')] }, []],
  [
    'D4: other credentials are told to the agent that runs',
    { ...one, children: [child('a', 'running', { revision: 6 })] },
    [act('replace', 'a')],
  ],
  [
    'D1: withdrawn credentials end the agent',
    { clusters: [cluster('a')], children: [child('a')] },
    [act('stop', 'a')],
  ],
  [
    'D2: a Cluster that is gone: agent and credentials go, the folder stays while it ends',
    { credentials: [credentials('a')], children: [child('a')], folders: ['a-1'] },
    [act('stop', 'a'), { kind: 'forget', name: 'a' }],
  ],
  [
    'D2: then the folder goes',
    { folders: ['a-1', 'b-1'], clusters: [cluster('b')] },
    [{ kind: 'removeFolder', uid: 'a-1' }],
  ],
  [
    'D2: credentials of an earlier Cluster of that name are not the later one’s',
    { clusters: [cluster('a', 'a-2')], credentials: [credentials('a', 'a-1')] },
    [{ kind: 'forget', name: 'a' }],
  ],
  [
    'D4: the agent of an earlier Cluster of that name ends before the next starts',
    {
      clusters: [cluster('a', 'a-2')],
      credentials: [credentials('a', 'a-2')],
      children: [child('a', 'stopping')],
    },
    [],
  ],
  [
    'one that ended waits until it is due',
    { ...one, children: [child('a', 'waiting', { dueMs: 1500 })] },
    [{ kind: 'wait', name: 'a', uid: 'a-1', delayMs: 500 }],
  ],
  ['and is started then', { ...one, children: [child('a', 'waiting')] }, [act('start', 'a')]],
  [
    'other credentials may be what it needed: it waits no longer',
    { ...one, children: [child('a', 'waiting', { dueMs: 1500, revision: 6 })] },
    [act('start', 'a')],
  ],
  [
    'D3: beyond the bound the youngest are refused',
    {
      clusters: [
        cluster('a', 'a-1', '2026-03-01T00:00:00Z'),
        cluster('b', 'b-1', '2026-01-01T00:00:00Z'),
        cluster('c', 'c-1', '2026-02-01T00:00:00Z'),
      ],
      credentials: [credentials('a'), credentials('b'), credentials('c')],
    },
    [act('start', 'b'), act('start', 'c'), act('refuse', 'a')],
  ],
  [
    'D3: who runs keeps his place before an older one that comes later',
    {
      clusters: [cluster('a', 'a-1', '2026-03-01T00:00:00Z'), cluster('b')],
      credentials: [credentials('a'), credentials('b')],
      children: [child('a')],
      agentsMax: 1,
    },
    [act('refuse', 'b')],
  ],
  [
    'D3: a lower bound ends the youngest',
    {
      clusters: [cluster('a', 'a-1', '2026-03-01T00:00:00Z'), cluster('b')],
      credentials: [credentials('a'), credentials('b')],
      children: [child('a'), child('b')],
      agentsMax: 1,
    },
    [act('stop', 'a'), act('refuse', 'a')],
  ],
  [
    'D3: one that is still ending holds its place',
    { ...one, children: [child('z', 'stopping')], agentsMax: 1 },
    [act('refuse', 'a')],
  ],
];

for (const [title, given, wanted] of plans) {
  test(`hosted agents: ${title}`, (t) => {
    const all = facts(given);
    const acts = planHosted(all);
    t.deepEqual(acts, wanted);
    t.is(doubtHosted(all, acts), undefined);
  });
}

const doubts: readonly (readonly [string, Partial<HostedFacts>, readonly HostedAct[], RegExp])[] = [
  ['a second agent', { ...one, children: [child('a')] }, [act('start', 'a')], /second agent/],
  ['one for a Cluster that is not there', {}, [act('start', 'a')], /not there/],
  [
    'too many',
    { clusters: [cluster('a'), cluster('b')], agentsMax: 1 },
    [act('start', 'a'), act('start', 'b')],
    /beyond the bound/,
  ],
  ['a folder in use', one, [{ kind: 'removeFolder', uid: 'a-1' }], /in use/],
];

for (const [title, given, acts, wanted] of doubts) {
  test(`the audit of hosted agents doubts ${title}`, (t) => {
    t.regex(doubtHosted(facts(given), acts) ?? '', wanted);
  });
}

test('S1: an agent that ends at once waits longer each time, within a bound', (t) => {
  const waits: number[] = [];
  let failures = 0;
  for (let run = 0; run < 12; run += 1) {
    const next = stepEnd({ failures, ranMs: 100, fraction: 1 });
    failures = next.failures;
    waits.push(next.delayMs);
  }
  t.deepEqual(waits.slice(0, 4), [500, 1000, 2000, 4000]);
  t.is(waits.at(-1), 60_000);
  t.deepEqual(stepEnd({ failures, ranMs: 60_000, fraction: 0 }), { failures: 1, delayMs: 250 });
});

test('H1: a read that failed counts until the same read succeeds, and the worst is told', (t) => {
  const services = '/api/v1/services';
  const refused = foldOutcome(noFaults, {
    path: services,
    code: 'KUBE_FORBIDDEN',
    message: 'services is forbidden',
  });
  t.is(worstOf(refused)?.message, 'services is forbidden');
  const open = foldOutcome(refused, { path: '/version', code: undefined, message: '' });
  t.is(open, refused);
  const gone = { path: '/version', code: 'KUBE_UNREACHABLE', message: 'gone' };
  const once = foldOutcome(open, gone);
  t.is(worstOf(once)?.code, 'KUBE_FORBIDDEN', 'H3: one that is late is no fault yet');
  const both = foldOutcome(once, gone);
  t.is(foldOutcome(both, gone), both);
  t.is(worstOf(both)?.code, 'KUBE_UNREACHABLE');
  const notFound = foldOutcome(both, { path: '/version', code: 'KUBE_NOT_FOUND', message: '' });
  t.is(worstOf(notFound)?.code, 'KUBE_FORBIDDEN');
  const good = foldOutcome(notFound, { path: services, code: undefined, message: '' });
  t.is(worstOf(good), undefined);
});

test('the condition says what to do, and its time moves with its status only', (t) => {
  const fault = { code: 'KUBE_UNAUTHORIZED', message: 'GET /version: Unauthorized' };
  const said = sayHosted('one', 'https://one', { kind: 'fault', fault });
  t.like(said, { status: 'False', reason: 'CredentialsRefused' });
  t.regex(said.message, /https:\/\/one does not take .*kubectl isthmus join one --kubeconfig FILE/);
  const foreign = {
    type: 'Ready',
    status: 'True',
    reason: 'R',
    message: '',
    lastTransitionTime: 't0',
  } as const;
  const first = withHosted([foreign], said, 't1');
  t.like(first[1], { ...said, lastTransitionTime: 't1' });
  t.is(withHosted(first, said, 't2'), first);
  const worse = sayHosted('one', 'https://one', {
    kind: 'ended',
    how: 'SIGKILL',
    message: '',
  });
  t.like(withHosted(first, worse, 't2')[1], { reason: 'AgentEnded', lastTransitionTime: 't1' });
  const good = withHosted(first, sayHosted('one', 'https://one', { kind: 'good' }), 't3');
  t.like(good[1], { status: 'True', lastTransitionTime: 't3' });
  t.deepEqual(withHosted(good, undefined, 't4'), [foreign]);
});

test('refreshed tokens take the place of the former in the kubeconfig, and nothing else changes', (t) => {
  const config = {
    clusters: [{ name: 'c', cluster: { server: 'https://c' } }],
    users: [
      {
        name: 'u',
        user: { 'auth-provider': { name: 'oidc', config: { 'client-id': 'i', 'id-token': 'a' } } },
      },
    ],
  };
  const stored = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'ClusterCredentials',
    metadata: { name: 'c' },
    spec: { kubeconfig: JSON.stringify(config) },
  };
  t.is(serverOf(stored), 'https://c');
  const next = refreshed(stored, { idToken: 'b', refreshToken: 'r' });
  const { kubeconfig } = next.spec as { kubeconfig: string };
  t.is(
    kubeconfig,
    JSON.stringify(config).replace('"id-token":"a"', '"id-token":"b","refresh-token":"r"'),
  );
  const plain = { ...stored, spec: { kubeconfig: '{"users":[{"user":{"token":"t"}}]}' } };
  t.is(refreshed(plain, { idToken: 'b', refreshToken: undefined }), plain);
});
