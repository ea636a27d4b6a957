// Processes that hang: a coordinator that stands still for longer than every timeout must not
// take its own lag for the death of others, and a hung cluster delays nobody else (I10).

import { readFileSync } from 'node:fs';
import { sleep, systemClock as clock } from '../../common/runtime/clock.ts';
import { watchDns } from '../support/dns-watch.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, conditionOf, type getNginx, withoutLabel } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const all = [a, f, aws];
const federated = 'federation-cluster';
// Longer than silence (3 s), the agent's own (8 s) and every lease and probe in between.
const standstillMs = 10_000;
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh();
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial('I3 a coordinator that stood still for 10 s withdraws nothing', async (t) => {
  const dns = await watchDns(() => mesh.answers());
  mesh.stop('coordinator');
  await sleep(clock, standstillMs);
  mesh.cont('coordinator');
  const answered = dns.answered();
  // Longer than a cluster that is really dead stays in DNS (5 s).
  await eventually(10_000, () => Promise.resolve(dns.answered() > answered + 5 ? [] : ['silent']));
  await sleep(clock, 8_000);
  await eventually(15_000, async () => {
    const ready = await Promise.all(all.map((name) => conditionOf(mesh.kube(), name, 'Ready')));
    return ready.filter((status) => status !== 'True');
  });
  await dns.stop();
  t.deepEqual([...dns.wrong], []);
  t.deepEqual(await mesh.dnsFaults(all), []);
  await mesh.kubectl(federated, ['label', 'svc', 'nginx', 'after=standstill']);
  await eventually(10_000, () => withoutLabel(mesh, all, { name: 'after', value: 'standstill' }));
});

test.serial('I10 a hung API server delays no other cluster', async (t) => {
  const dns = await watchDns(() => mesh.answers());
  mesh.stop(f);
  try {
    const manifest = readFileSync('examples/services/nginx.yaml', 'utf8');
    const second = manifest.replace('name: nginx', 'name: second');
    await mesh.kubectl(federated, ['create', '-f', '-'], second);
    await eventually(5_000, async () => {
      const found = await Promise.all([a, aws].map((name) => getService(name, 'second')));
      return found.flatMap((service) => (service === undefined ? ['not there'] : []));
    });
    for (let edit = 0; edit < 20; edit += 1)
      await mesh.kubectl(federated, ['label', '--overwrite', 'svc', 'nginx', `edit=e${edit}`]);
    await eventually(5_000, () => withoutLabel(mesh, [a, aws], { name: 'edit', value: 'e19' }));
    // A fact from another, live cluster still reaches DNS.
    await dns.stop();
    t.deepEqual([...dns.wrong], []);
    await annotateReady(mesh, aws, false);
    await eventually(5_000, async () => {
      const answer = (await mesh.answers()).get(
        'nginx.default.myfederation.svc.us-east-1a.us-east-1.example.com',
      );
      return answer?.startsWith('CNAME') === true ? [] : [answer ?? 'nothing'];
    });
  } finally {
    mesh.cont(f);
    await annotateReady(mesh, aws, true);
  }
  await eventually(30_000, () => withoutLabel(mesh, all, { name: 'edit', value: 'e19' }));
  await eventually(30_000, async () =>
    (await getService(f, 'second')) === undefined ? ['not in f'] : [],
  );
  await eventually(30_000, () => mesh.dnsFaults(all));
});

function getService(cluster: string, name: string): ReturnType<typeof getNginx> {
  const path = { apiVersion: 'v1', plural: 'services', namespace: 'default' };
  return mesh.kube(cluster).get(path, name);
}
