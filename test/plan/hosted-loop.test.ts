// The loop of hosted agents over a log in memory, a clock of the test's own and children that are
// told apart from processes by nothing.

import test, { type ExecutionContext } from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { ToHosted } from '../../common/wire/hosted-lines.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import type { ChildStart } from '../../coordinator/hosted/children.ts';
import { createHostedAgents } from '../../coordinator/hosted/loop.ts';
import { conditionOf } from '../../plugin/output.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

interface FakeChild {
  readonly start: ChildStart;
  readonly told: ToHosted[];
  isAlive: boolean;
}

const at = (resource: string, name: string) => toLogKey({ group: 'isthmus.dev', resource, name });

async function open(t: ExecutionContext, agentsMax = 5) {
  const clock = createVirtualClock();
  const common = { clock, log: silentLog, metrics: silentMetrics };
  const store = createMemoryStore({ disk: createMemoryDisk('hosted') });
  const desired = await createDesired({ ...common, store });
  const term = await acquireTerm({ desired, holder: 'test' });
  const children: FakeChild[] = [];
  const folders = new Set<string>();
  /** What is asked for, or written, is answered when these are over. */
  const pauses: { folders?: Promise<void>; write?: Promise<void> } = {};
  const tokens = { made: 0, removed: 0, fails: false };
  const events: string[] = [];
  const writeNow = desired.write.bind(desired);
  const writeHosted: typeof writeNow = async (request) => {
    const outcome = await writeNow(request);
    await pauses.write;
    return outcome;
  };
  Object.assign(desired, { write: writeHosted });
  const hosted = createHostedAgents(
    {
      ...common,
      desired,
      term,
      chance: { ...systemChance, fraction: () => 1 },
      recorder: { record: ({ reason }) => void events.push(reason) },
      makeToken: (cluster) => {
        if (tokens.fails) return Promise.reject(new Error('the API is away'));
        tokens.made += 1;
        const remove = (): Promise<void> => Promise.resolve(void (tokens.removed += 1));
        return Promise.resolve({ token: `token-${cluster}-${tokens.made}`, remove });
      },
      children: {
        start: (start) => {
          const child: FakeChild = { start, told: [start.credentials], isAlive: true };
          children.push(child);
          folders.add(start.uid);
          return Promise.resolve({
            send: (message) => void child.told.push(message),
            stop: () => {
              end(child, 'SIGTERM');
              return Promise.resolve();
            },
          });
        },
        folders: async () => {
          await pauses.folders;
          return [...folders];
        },
        removeFolder: (uid) => Promise.resolve(void folders.delete(uid)),
      },
    },
    { agentsMax },
  );
  const end = (child: FakeChild, how: string): void => {
    if (!child.isAlive) return;
    child.isAlive = false;
    child.start.onEnd(how);
  };
  const write = async (resource: string, name: string, object: KubeObject | undefined) => {
    const key = at(resource, name);
    const expected = desired.get(key)?.revision ?? toRevision(0);
    const outcome = await writeNow({ key, object, expected });
    if (outcome.kind !== 'written') throw new Error(outcome.kind);
    return outcome.stored;
  };
  const base = { apiVersion: 'isthmus.dev/v1alpha1' };
  t.teardown(() => hosted.stop());
  hosted.start();
  return {
    clock,
    children,
    folders,
    pauses,
    tokens,
    events,
    desired,
    end,
    alive: () => children.filter(({ isAlive }) => isAlive),
    addCluster: (name: string, uid = `${name}-1`) =>
      write('clusters', name, { ...base, kind: 'Cluster', metadata: { name, uid } }),
    removeCluster: (name: string) => write('clusters', name, undefined),
    addCredentials: (name: string, user: object = { token: 'x' }, uid = `${name}-1`) =>
      write('clustercredentials', name, {
        ...base,
        kind: 'ClusterCredentials',
        metadata: { name, ownerReferences: [{ ...base, kind: 'Cluster', name, uid }] },
        spec: {
          kubeconfig: JSON.stringify({
            clusters: [{ cluster: { server: `https://${name}` } }],
            users: [{ user }],
          }),
        },
      }),
    condition: (name: string) =>
      conditionOf(desired.get(at('clusters', name))?.object, 'HostedAgent'),
  };
}

test('a child is told its credentials, given a token when it asks, and the token goes once used', async (t) => {
  const { clock, children, tokens, addCluster, addCredentials, condition, events } = await open(t);
  await addCluster('a');
  const { revision } = await addCredentials('a');
  await clock.advance(100);
  t.is(children.length, 1);
  t.like(children[0]?.told[0], { kind: 'kubeconfig', revision });
  t.like(condition('a'), { status: 'Unknown', reason: 'Starting' });
  tokens.fails = true;
  children[0]?.start.onMessage({ kind: 'wantsToken' });
  await clock.advance(100);
  tokens.fails = false;
  children[0]?.start.onMessage({ kind: 'wantsToken' });
  await clock.advance(100);
  t.deepEqual(children[0]?.told[1], { kind: 'token', token: 'token-a-1' });
  children[0]?.start.onMessage({ kind: 'wantsToken' });
  await clock.advance(100);
  t.deepEqual([tokens.made, tokens.removed], [2, 1]);
  children[0]?.start.onMessage({ kind: 'api', revision, fault: undefined });
  children[0]?.start.onMessage({ kind: 'ready' });
  await clock.advance(100);
  t.is(tokens.removed, 2);
  t.like(condition('a'), { status: 'True', reason: 'Running' });
  t.deepEqual(events, ['HostedAgentRunning']);
});

test('a child that ends is started again more and more slowly, with its reason on the Cluster', async (t) => {
  const { clock, children, end, alive, addCluster, addCredentials, condition } = await open(t);
  await addCluster('a');
  await addCredentials('a');
  await clock.advance(100);
  for (const [index, waitMs] of [500, 1000, 2000].entries()) {
    const child = children[index];
    if (child === undefined) return t.fail(`no child ${index}`);
    child.start.onMessage({ kind: 'failed', message: 'the record is damaged' });
    end(child, 'exit code 1');
    await clock.advance(waitMs - 10);
    t.is(children.length, index + 1);
    t.like(condition('a'), { status: 'False', reason: 'AgentEnded' });
    t.regex(condition('a')?.message ?? '', /exit code 1: the record is damaged/);
    await clock.advance(20);
    t.is(children.length, index + 2);
  }
  t.is(alive().length, 1);
});

test('other credentials reach a child that waits for its next start at once', async (t) => {
  const { clock, children, end, addCluster, addCredentials } = await open(t);
  await addCluster('a');
  await addCredentials('a');
  await clock.advance(100);
  for (let run = 0; run < 5; run += 1) {
    const child = children.at(-1);
    if (child !== undefined) end(child, 'exit code 1');
    await clock.advance(16_000);
  }
  const before = children.length;
  const child = children.at(-1);
  if (child !== undefined) end(child, 'exit code 1');
  await clock.advance(100);
  t.is(children.length, before);
  const { revision } = await addCredentials('a', { token: 'better' });
  await clock.advance(100);
  t.is(children.length, before + 1);
  t.like(children.at(-1)?.told[0], { revision });
});

test('L3: refreshed tokens are kept for the next start, and never over newer credentials', async (t) => {
  const { clock, children, desired, addCluster, addCredentials, condition } = await open(t);
  const user = (token: string) => ({
    'auth-provider': { name: 'oidc', config: { 'refresh-token': token } },
  });
  await addCluster('a');
  const { revision } = await addCredentials('a', user('one'));
  await clock.advance(100);
  const [child] = children;
  if (child === undefined) return t.fail();
  const refreshed = { kind: 'refreshed', revision, idToken: 'id', refreshToken: 'two' } as const;
  child.start.onMessage(refreshed);
  await clock.advance(100);
  const stored = desired.get(at('clustercredentials', 'a'));
  t.regex(JSON.stringify(stored?.object.spec), /two/);
  t.deepEqual(child.told.slice(1), [
    { kind: 'revision', from: revision, revision: stored?.revision ?? 0 },
  ]);
  // What it says of the credentials as they are now counts.
  child.start.onMessage({ kind: 'api', revision: stored?.revision ?? 0, fault: undefined });
  await clock.advance(100);
  t.like(condition('a'), { reason: 'Running' });

  await addCredentials('a', user('by a person'));
  child.start.onMessage({ ...refreshed, revision: stored?.revision ?? 0, refreshToken: 'late' });
  await clock.advance(100);
  t.regex(JSON.stringify(desired.get(at('clustercredentials', 'a'))?.object.spec), /by a person/);
  t.is(children.length, 1);
});

/** With one child, whose user has tokens that it refreshes. */
async function openRefreshing(t: ExecutionContext) {
  const opened = await open(t);
  const { clock, children, addCluster, addCredentials } = opened;
  const config = { 'refresh-token': 'one' };
  await addCluster('a');
  const { revision } = await addCredentials('a', { 'auth-provider': { name: 'oidc', config } });
  await clock.advance(100);
  const [child] = children;
  if (child === undefined) throw new Error('no child was started');
  return { ...opened, child, revision };
}

test('what a child said before it heard that its refreshed token is stored counts', async (t) => {
  const { clock, child, revision, desired, condition } = await openRefreshing(t);
  child.start.onMessage({ kind: 'refreshed', revision, idToken: 'id', refreshToken: 'two' });
  await clock.advance(100);
  t.true((desired.get(at('clustercredentials', 'a'))?.revision ?? 0) > revision);
  child.start.onMessage({ kind: 'api', revision, fault: undefined });
  await clock.advance(100);
  t.like(condition('a'), { reason: 'Running' });
});

for (const first of ['folders', 'write'] as const) {
  test(`L3: a run in the middle of a write tells no child what it refreshed itself: ${first} first`, async (t) => {
    const { clock, child, revision, pauses, condition } = await openRefreshing(t);
    child.start.onMessage({ kind: 'api', revision, fault: undefined });
    await clock.advance(100);
    const release: Partial<Record<'folders' | 'write', () => void>> = {};
    for (const what of ['folders', 'write'] as const) {
      pauses[what] = new Promise((resolve) => {
        release[what] = resolve;
      });
    }
    child.start.onMessage({ kind: 'refreshed', revision, idToken: 'id', refreshToken: 'two' });
    await clock.advance(100); // it is written, and a run has read it
    for (const what of [first, 'folders', 'write'] as const) {
      release[what]?.();
      await clock.advance(100);
    }
    t.deepEqual(
      child.told.map(({ kind }) => kind),
      ['kubeconfig', 'revision'],
    );
    t.like(condition('a'), { reason: 'Running' });
  });
}

test('what a child says of former credentials is passed over', async (t) => {
  const { clock, children, addCluster, addCredentials, condition } = await open(t);
  await addCluster('a');
  const { revision } = await addCredentials('a');
  await clock.advance(100);
  await addCredentials('a', { token: 'other' });
  await clock.advance(100);
  const fault = { code: 'KUBE_UNAUTHORIZED', message: 'no' };
  children[0]?.start.onMessage({ kind: 'api', revision, fault });
  await clock.advance(100);
  t.like(condition('a'), { status: 'Unknown', reason: 'Connecting' });
});

test('a Cluster that goes takes its agent, credentials and folder with it; the next is another', async (t) => {
  const opened = await open(t);
  const { clock, alive, folders, desired, addCluster, addCredentials, removeCluster } = opened;
  await addCluster('a');
  await addCredentials('a');
  await clock.advance(100);
  await removeCluster('a');
  await addCluster('a', 'a-2');
  await clock.advance(1000);
  t.is(alive().length, 0);
  t.deepEqual([...folders], []);
  t.is(desired.get(at('clustercredentials', 'a')), undefined);
  await addCredentials('a', { token: 'y' }, 'a-2');
  await clock.advance(1000);
  t.deepEqual(
    alive().map(({ start }) => start.uid),
    ['a-2'],
  );
});

test('beyond the bound a Cluster is told so, and served when a place is free', async (t) => {
  const opened = await open(t, 1);
  const { clock, alive, addCluster, addCredentials, removeCluster, condition } = opened;
  for (const name of ['a', 'b']) {
    await addCluster(name);
    await addCredentials(name);
    await clock.advance(100);
  }
  t.like(condition('b'), { status: 'False', reason: 'TooManyHostedAgents' });
  await removeCluster('a');
  await clock.advance(1000);
  t.deepEqual(
    alive().map(({ start }) => start.cluster as string),
    ['b'],
  );
  t.like(condition('b'), { reason: 'Starting' });
});

test('I12: a deposed coordinator writes no condition', async (t) => {
  const { clock, desired, addCluster, addCredentials } = await open(t);
  await acquireTerm({ desired, holder: 'another' });
  await addCluster('a');
  await addCredentials('a');
  await clock.advance(1000);
  const cluster = desired.get(at('clusters', 'a'))?.object as Cluster | undefined;
  t.is(cluster?.status?.conditions, undefined);
});
