// The official Go client, which every controller is written with: what it sees from us is what it
// sees from kube-apiserver. The program is test/peers/client-go.

import type { ExecutionContext } from 'ava';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFederationApi } from '../support/federation-api.ts';
import { eventually } from '../support/eventually.ts';
import { findPeer, peerPath } from '../support/find-peer.ts';
import { startKubeApiserver } from '../support/kube-apiserver.ts';
import { toKubeconfig } from '../support/kubectl.ts';
import { testWithPeers } from '../support/peers.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';
import { runProgram } from '../support/run-program.ts';
import { startServerProcess } from '../support/server-process.ts';

type Fact = Readonly<Record<string, unknown>> & { readonly what: string };

const json = 'application/json';
const protobuf = 'application/vnd.kubernetes.protobuf';

/** What the program says in each mode, however its goroutines take turns. */
const expected: Readonly<Record<string, readonly Fact[]>> = {
  informers: [
    ...['ConfigMap', 'Service'].flatMap((kind) => [
      { what: 'synced', kind },
      ...['before', 'after'].flatMap((name) =>
        (name === 'after' ? ['add', 'update', 'delete'] : ['add', 'delete']).map((what) => ({
          what,
          kind,
          name: `informers-${name}`,
        })),
      ),
    ]),
    { what: 'done' },
  ],
  'leader-election': [
    ...['first', 'second', 'third'].map((who) => ({ what: 'election', change: `${who} leads` })),
    { what: 'lease', holder: 'third', transitions: 2 },
    { what: 'done' },
  ],
  apply: [
    { what: 'applied', name: 'apply-typed', unchanged: true },
    { what: 'conflict', name: 'apply-typed', fields: ['.spec.selector'] },
    { what: 'forced', name: 'apply-typed', selector: 'other' },
    { what: 'extracted', name: 'apply-typed', ports: [80, 443] },
    { what: 'given up', name: 'apply-typed', ports: [80] },
    { what: 'applied', name: 'apply-dynamic', keys: 2 },
    { what: 'given up', name: 'apply-dynamic', data: { b: '2' } },
    { what: 'done' },
  ],
  pages: [
    { what: 'page', items: 3, last: false },
    { what: 'page', items: 3, last: false },
    { what: 'page', items: 1, last: true },
    { what: 'listed', names: [0, 1, 2, 3, 4, 5, 6].map((at) => `pages-${at}`) },
    { what: 'paged', items: 8 },
    { what: 'done' },
  ],
  'watch-list': [
    { what: 'bookmark', added: 7, end: 'true', hasVersion: true },
    { what: 'informer', items: 7, watchLists: 1, lists: 0 },
    { what: 'done' },
  ],
  metadata: [
    { what: 'got', kind: '', labels: { 'client-go': 'metadata' }, hasUid: true },
    { what: 'listed', items: 1, hasVersion: true },
    ...['add', 'update', 'delete'].map((what) => ({
      what,
      kind: 'PartialObjectMetadata',
      name: 'metadata-a',
    })),
    { what: 'patched', labels: { 'client-go': 'metadata', more: 'yes' } },
    { what: 'refused', reason: 'Conflict' },
    { what: 'done' },
  ],
  events: [
    {
      what: 'event',
      type: 'Normal',
      reason: 'Tried',
      message: 'the old way',
      count: 3,
      source: 'client-go',
    },
    { what: 'done' },
  ],
  'events-v1': [
    {
      what: 'event',
      type: 'Warning',
      reason: 'Retried',
      note: 'the new way',
      action: 'Retrying',
      told: 2,
      by: 'client-go',
    },
    { what: 'done' },
  ],
  reviews: [
    { what: 'self', user: 'admin', groups: ['system:masters', 'system:authenticated'] },
    { what: 'self access', allowed: true, denied: false },
    { what: 'access of a stranger', allowed: false },
    { what: 'rules', incomplete: false, any: true },
    { what: 'done' },
  ],
};

const test = testWithPeers('isthmus-client-go');
const testReal = testWithPeers('isthmus-client-go', 'etcd', 'kube-apiserver');

test('[k8s 70] client-go: shared informers sync, and hear of every change', async (t) => {
  await againstUs(t, 'informers');
});

test('[k8s 114] client-go: a Lease elects one leader, and the next when it steps down or dies', async (t) => {
  await againstUs(t, 'leader-election');
});

test('[k8s 94, 95, 96] client-go: server-side apply, typed and dynamic, with two managers', async (t) => {
  await againstUs(t, 'apply');
});

test('[k8s 48] client-go: pages of a list are of one revision, though objects are added', async (t) => {
  await againstUs(t, 'pages');
});

test('[k8s 62] client-go: an informer begins with a watch-list and needs no list', async (t) => {
  await againstUs(t, 'watch-list');
});

test('[k8s 39, 107] client-go: metadata alone is read, followed, patched and deleted by uid', async (t) => {
  await againstUs(t, 'metadata');
});

test('[k8s 112] client-go: an event told three times is one event with a count', async (t) => {
  await againstUs(t, 'events');
});

test('[k8s 112] client-go: an event of events.k8s.io told again has a series', async (t) => {
  await againstUs(t, 'events-v1');
});

test('[k8s 119] client-go: who am I, what may I, what may another', async (t) => {
  await againstUs(t, 'reviews');
});

testReal('kube-apiserver shows the Go client the same as we do', async (t) => {
  t.timeout(150_000);
  const server = await startKubeApiserver();
  t.teardown(() => server.stop());
  for (const mode of Object.keys(expected)) await compare(t, { mode, path: server.kubeconfig });
});

const testRestart =
  'path' in findPeer('isthmus-client-go') ? testWith('kubectl', 'nats-server') : test;

testRestart(
  '[k8s 70, 71] client-go: an informer goes on after the coordinator was killed, and misses nothing',
  async (t) => {
    t.timeout(120_000);
    const mesh = await openRealMesh({ clusters: 0 });
    t.teardown(() => mesh.close());
    const flags = ['--kubeconfig', mesh.layout.kubeconfig, '--timeout', '60s', 'follow'];
    const follower = startServerProcess({
      name: 'follow',
      path: peerPath('isthmus-client-go'),
      flags,
    });
    t.teardown(() => follower.stop());
    const create = (name: string) =>
      mesh.kubectl('federation-cluster', ['create', 'configmap', `follow-${name}`]);
    const heard = () => readFacts(follower.logs()).map(({ what, name }) => `${what} ${name}`);
    const untilHeard = (line: string) =>
      eventually(30_000, () =>
        Promise.resolve(heard().includes(line) ? [] : [`not heard: ${line}: ${follower.logs()}`]),
      );
    await create('before');
    await untilHeard('add follow-before');
    await mesh.kill('coordinator');
    await mesh.start('coordinator');
    await create('after');
    await untilHeard('add follow-after');
    await mesh.kubectl('federation-cluster', ['delete', 'configmap', 'follow-before']);
    await untilHeard('delete follow-before');
    await create('end');
    await untilHeard('add follow-end');
    t.deepEqual(
      heard().filter((line) => / follow-/.test(line)),
      ['add follow-before', 'add follow-after', 'delete follow-before', 'add follow-end'],
    );
  },
);

/** Twice: with JSON, and with protobuf as controllers do. */
async function againstUs(t: ExecutionContext, mode: string): Promise<void> {
  t.timeout(90_000);
  const federation = await startFederationApi();
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-client-go-'));
  t.teardown(async () => {
    await federation.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, toKubeconfig(federation.https), { mode: 0o600 });
  await compare(t, { mode, path });
}

async function compare(
  t: ExecutionContext,
  { mode, path }: { readonly mode: string; readonly path: string },
): Promise<void> {
  for (const contentType of [json, protobuf]) {
    const args = ['--kubeconfig', path, '--content-type', contentType, '--timeout', '25s', mode];
    const ran = await runProgram(peerPath('isthmus-client-go'), args, { env: {} });
    const facts = readFacts(ran.output).filter(isOfInterest);
    t.deepEqual(
      sorted(facts),
      sorted(expected[mode] ?? []),
      `${mode} ${contentType}: ${ran.errors}`,
    );
    t.is(ran.code, 0);
  }
}

/** Who follows whom, and when it hears of it, is up to time. */
function isOfInterest({ what, ...facts }: Fact): boolean {
  return what !== 'election' || String(facts['change']).endsWith(' leads');
}

function readFacts(output: string): readonly Fact[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Fact);
}

function sorted(facts: readonly Fact[]): readonly string[] {
  const toText = (fact: Fact): string => JSON.stringify(Object.entries(fact).sort());
  return facts.map(toText).sort();
}
