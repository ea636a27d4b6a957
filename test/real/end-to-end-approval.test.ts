// A cluster waits, is approved, revoked and taken back, by what a person types, with real processes:
// kubectl alone is enough.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster, JoinToken } from '../../common/model/isthmus-kinds.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { a, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';
const name = 'waits';
let mesh: RealMesh;
let agent: ReturnType<RealMesh['startAgent']> | undefined;

test.before(async () => {
  mesh = await openRealMesh({ clusters: 1 });
  const token = await mesh.kubectl(
    federated,
    ['create', '-f', '-', '-o', 'jsonpath={.status.token}'],
    JSON.stringify({
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'JoinToken',
      metadata: { name: 'by-hand' },
      spec: { approval: 'Manual' },
    } satisfies JoinToken),
  );
  agent = mesh.startAgent({ id: name, member: a, cluster: name, token });
  await eventually(20_000, async () => says('waiting for approval'));
});

test.after.always('no process crashed, and none is left', async (t) => {
  await agent?.end();
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

function says(text: string, log = agent?.log() ?? ''): readonly string[] {
  return log.includes(text) ? [] : [`no "${text}" in ${log.slice(-1_000)}`];
}

async function clusterOf(): Promise<Cluster> {
  return JSON.parse(
    await mesh.kubectl(federated, ['get', 'cluster', name, '-o', 'json']),
  ) as Cluster;
}

/** Of the Cluster as it was read; whoever wrote its status meanwhile has it decided again. */
async function decide(decision: 'Approved' | 'Denied'): Promise<void> {
  await eventually(10_000, async () => {
    await decideOnce(decision);
    return [];
  });
}

async function decideOnce(decision: 'Approved' | 'Denied'): Promise<void> {
  const cluster = await clusterOf();
  const approval = { ...cluster.status?.approval, decision };
  const file = join(mesh.layout.dir, 'decision.json');
  writeFileSync(file, JSON.stringify({ ...cluster, status: { approval } }));
  const path = `/apis/isthmus.dev/v1alpha1/clusters/${name}/approval`;
  await mesh.kubectl(federated, ['replace', '--raw', path, '-f', file]);
}

/** Wall-clock milliseconds of the last line with this message about the cluster. */
function stampOf(message: string, after: number): number | undefined {
  const lines = mesh.logOf('coordinator').trim().split('\n');
  const stamps = lines
    .filter((line) => line.includes(`"${message}"`) && line.includes(`"cluster":"${name}"`))
    .map((line) => (JSON.parse(line) as { readonly time: number }).time)
    .filter((time) => time >= after);
  return stamps[0];
}

test.serial('who waits stands in the list, in a condition and in an event', async (t) => {
  const table = await mesh.kubectl(federated, ['get', 'clusters']);
  t.regex(table, new RegExp(`^${name} .*Waiting`, 'm'));
  t.regex(table, new RegExp(`^${a} .*Yes`, 'm'));
  const { status } = await clusterOf();
  const fingerprint = status?.approval?.publicKeyHash.slice(0, 16).match(/.{4}/g)?.join(':') ?? '-';
  t.deepEqual(says(fingerprint), []);
  const described = await mesh.kubectl(federated, ['describe', 'cluster', name]);
  t.true(described.includes(fingerprint));
  t.regex(described, /WaitingForApproval.*kubectl isthmus approve waits/s);
});

test.serial('an approval lets it in, and it becomes Ready', async (t) => {
  await decide('Approved');
  await eventually(30_000, async () => says('session open'));
  await mesh.kubectl(federated, ['wait', '--for=condition=Approved', `cluster/${name}`]);
  const wait = ['wait', '--for=condition=Ready', '--timeout=30s', `cluster/${name}`];
  t.regex(await mesh.kubectl(federated, wait), /condition met/);
});

test.serial(
  'I8 a revocation cuts stream and NATS user within a second, in this order',
  async (t) => {
    const before = clock.now();
    await decide('Denied');
    const written = clock.now();
    await eventually(10_000, async () =>
      stampOf('NATS user revoked', before) === undefined ? ['its NATS user is there'] : [],
    );
    const closed = stampOf('session closed', before) ?? Infinity;
    const revoked = stampOf('NATS user revoked', before) ?? Infinity;
    t.true(closed - written < 1_000, `stream: ${closed - written} ms after kubectl had ended`);
    t.true(revoked - written < 1_000, `NATS: ${revoked - written} ms after kubectl had ended`);
    await eventually(5_000, async () => says('revoked cluster waits'));
    t.regex(await mesh.kubectl(federated, ['get', 'clusters']), /waits .*Revoked/);
    const opened = agent?.log().split('session open').length;
    await decide('Approved');
    await eventually(45_000, async () =>
      agent?.log().split('session open').length === opened ? ['it has not come back'] : [],
    );
  },
);
