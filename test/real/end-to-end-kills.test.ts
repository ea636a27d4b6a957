// kill -9 of every kind of process, in the middle of work, with everything real: nothing that was
// acknowledged is lost, DNS says nothing wrong, and all ends in the same state.

import { isDeepStrictEqual } from 'node:util';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { watchDns } from '../support/dns-watch.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, conditionOf, getNginx } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { followConfigMaps, lostWrites, startWrites } from '../support/write-stream.ts';

const test = testWith('kubectl', 'nats-server');
const all = [a, f, aws];
const federated = 'federation-cluster';
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh();
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial('I1 kill -9 of the coordinator in a stream of writes loses nothing', async (t) => {
  const seed = Math.floor(chance.fraction() * 1_000);
  t.log(`seed ${seed}`);
  const dns = await watchDns(() => mesh.answers());
  const kube = mesh.kube();
  const followed = followConfigMaps(kube);
  const writes = startWrites(kube, 'w', 4);
  await writes.next(1);
  const [first = ''] = writes.acknowledged.values();
  for (let round = 0; round < 3; round += 1) {
    await writes.next(20 + ((seed * 31 + round * 57) % 180));
    await mesh.kill('coordinator');
    await mesh.start('coordinator');
  }
  await writes.next(20);
  await writes.stop();
  t.deepEqual(await lostWrites(kube, writes.acknowledged), []);
  t.deepEqual(await watchFaults(first, writes.acknowledged), []);
  // A follower that met three deaths comes back within its longest wait, and a list.
  await eventually(40_000, () => Promise.resolve(differ(followed.seen, writes.acknowledged)));
  t.deepEqual(followed.disorder, []);
  followed.cancel();
  await eventually(20_000, notReady);
  await eventually(10_000, () => mesh.dnsFaults(all));
  await dns.stop();
  t.deepEqual([...dns.wrong], []);
  t.true(dns.answered() > 20);
  t.log(`${writes.acknowledged.size} acknowledged, ${writes.failed()} not`);
});

test.serial('kill -9 of nats-server in a stream of health changes: news flow again', async (t) => {
  const before = mesh.pid('nats');
  // The one that does not change is watched in DNS; of the others only the end counts.
  const dns = await watchDns(async () => {
    const answers = await mesh.answers();
    return new Map([...answers].filter(([name]) => name.includes('us-east-1')));
  });
  for (let round = 0; round < 4; round += 1) {
    await annotateReady(mesh, f, round % 2 === 1);
    if (round === 1) await mesh.kill('nats');
  }
  await annotateReady(mesh, f, false);
  await eventually(15_000, () => mesh.dnsFaults([a, aws]));
  t.not(mesh.pid('nats'), before);
  await dns.stop();
  t.deepEqual([...dns.wrong], []);
  const steady = await watchDns(() => mesh.answers());
  await mesh.kill('nats');
  await mesh.start('nats');
  await eventually(20_000, notFresh);
  await steady.stop();
  t.deepEqual([...steady.wrong], []);
  await annotateReady(mesh, f, true);
  await eventually(40_000, () => mesh.dnsFaults(all));
});

test.serial('kill -9 of each process in the middle of the guide: the same end state', async (t) => {
  await eventually(10_000, async () => {
    const records = await mesh.kubectl(federated, ['get', 'dnsrecordsets']);
    return records.includes('CNAME') ? [records] : []; // the view follows DNS within a second
  });
  const before = await worldOf();
  const parts = ['coordinator', 'nats', a, `${a}/agent`, f, `${aws}/agent`];
  for (const [index, part] of parts.entries()) {
    await mesh.kubectl(federated, ['label', '--overwrite', 'svc', 'nginx', `killed=k${index}`]);
    await mesh.kill(part);
    // The wish changes while the process is dead, where somebody can hear it.
    if (part !== 'coordinator')
      await mesh.kubectl(federated, ['label', '--overwrite', 'svc', 'nginx', `while=k${index}`]);
    await mesh.start(part);
    await eventually(20_000, () => labelsDiffer(`k${index}`, part !== 'coordinator'));
  }
  await eventually(20_000, notReady);
  await eventually(45_000, () => mesh.dnsFaults(all));
  await mesh.kubectl(federated, ['label', 'svc', 'nginx', 'killed-', 'while-']);
  await eventually(10_000, async () => {
    const now = await worldOf();
    return Object.keys(now)
      .filter((part) => !isDeepStrictEqual(now[part], before[part]))
      .map(
        (part) => `${part}: ${JSON.stringify(now[part])}, before ${JSON.stringify(before[part])}`,
      );
  });
  t.deepEqual(await worldOf(), before);
});

test.serial('a Service that is deleted while processes are killed goes everywhere', async (t) => {
  await mesh.kill(`${f}/agent`);
  await mesh.kubectl(federated, ['delete', 'service', 'nginx', '--wait=false']);
  await mesh.kill('coordinator');
  await mesh.start('coordinator');
  await mesh.start(`${f}/agent`);
  await eventually(20_000, async () => {
    const left = await Promise.all(all.map((name) => getNginx(mesh.kube(name))));
    return left.flatMap((service, index) => (service === undefined ? [] : [all[index] ?? '']));
  });
  await eventually(10_000, async () =>
    [...(await mesh.answers())].flatMap(([name, answer]) =>
      answer === 'NXDOMAIN' ? [] : [`${name} ${answer}`],
    ),
  );
  const { output } = await mesh.tryKubectl([
    'get',
    'svc,serviceshards,dnsrecordsets',
    '-o',
    'name',
  ]);
  t.is(output.trim(), 'service/kubernetes');
});

async function notReady(): Promise<readonly string[]> {
  const states = await Promise.all(all.map((name) => conditionOf(mesh.kube(), name, 'Ready')));
  return states.flatMap((state, index) => (state === 'True' ? [] : [`${all[index]} ${state}`]));
}

async function notFresh(): Promise<readonly string[]> {
  const shards = await Promise.all(all.map((name) => conditionOf(mesh.kube(), name, 'Telemetry')));
  return shards.flatMap((state, index) =>
    state === 'Stale' || state === 'False' ? [`${all[index]} ${state}`] : [],
  );
}

async function labelsDiffer(value: string, alsoWhile: boolean): Promise<readonly string[]> {
  const faults = await Promise.all(
    all.map(async (name) => {
      const labels = (await getNginx(mesh.kube(name)))?.metadata.labels ?? {};
      const isDone = labels['killed'] === value && (!alsoWhile || labels['while'] === value);
      return isDone ? [] : [`${name} ${JSON.stringify(labels)}`];
    }),
  );
  return faults.flat();
}

/** Shards, records and statuses as users see them, without what counts or ages. */
async function worldOf(): Promise<Readonly<Record<string, unknown>>> {
  const shards = await Promise.all(
    all.map(async (name) => {
      const { metadata, spec, status } = (await getNginx(mesh.kube(name))) ?? {};
      return { uid: metadata?.uid, labels: metadata?.labels, spec, status };
    }),
  );
  const custom = async (kind: string, columns: string): Promise<string> =>
    mesh.kubectl(federated, ['get', kind, '--no-headers', '-o', `custom-columns=${columns}`]);
  return {
    shards,
    records: await custom('dnsrecordsets', 'N:.metadata.name,T:.spec.targets,P:.status.published'),
    shardViews: await custom(
      'serviceshards',
      'N:.metadata.name,H:.status.health,I:.status.ingress,A:.status.applied',
    ),
    clusters: await custom(
      'clusters',
      'N:.metadata.name,R:.status.conditions[?(@.type=="Ready")].status,Z:.status.zones',
    ),
    service: await custom('svc', 'N:.metadata.name,I:.status.loadBalancer.ingress[*].ip'),
    answers: Object.fromEntries(await mesh.answers()),
  };
}

function differ(
  seen: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
): readonly string[] {
  return [...wanted].filter(([name, version]) => seen.get(name) !== version).map(([name]) => name);
}

/** A watch from an old revision either tells every later create once, in order, or says 410. */
async function watchFaults(
  from: string,
  acknowledged: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const query = `watch=1&resourceVersion=${from}&timeoutSeconds=2`;
  const path = `/api/v1/namespaces/default/configmaps?${query}`;
  const { output, errors } = await mesh.tryKubectl(['get', '--raw', path]);
  if (/\b410\b|too old|Expired/.test(output + errors)) return [];
  const told = output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as WatchEvent)
    .map(({ object }) => Number(object.metadata.resourceVersion));
  const wanted = [...acknowledged.values()].map(Number).filter((version) => version > Number(from));
  const toldSet = new Set(told);
  return [
    ...wanted.filter((version) => !toldSet.has(version)).map((version) => `not told: ${version}`),
    ...told.filter((version, index) => version <= (told[index - 1] ?? 0)).map((v) => `order: ${v}`),
  ];
}

interface WatchEvent {
  readonly object: { readonly metadata: { readonly resourceVersion: string } };
}
