// One cluster cut off from the coordinator, both ways of talking (gRPC and NATS) at once, as a
// router does it: silence, resets, or a far side that is gone while the near one waits. The
// cluster goes on alone, nobody outside notices, and all converges when the link is back.

import { sleep, systemClock as clock } from '../../common/runtime/clock.ts';
import { watchDns } from '../support/dns-watch.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, conditionOf, getNginx, withoutLabel } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { hasLocalPort } from '../support/socket-owner.ts';
import { openTcpProxy, type Break, type TcpProxy } from '../support/tcp-proxy.ts';

const test = testWith('kubectl', 'nats-server');
const all = [a, f, aws];
const federated = 'federation-cluster';
// Agents are told this address for NATS; the coordinator itself listens on 127.0.0.1.
const natsProxyHost = '127.0.0.9';
let mesh: RealMesh;
let link: TcpProxy;
let nats: TcpProxy;

test.before(async () => {
  mesh = await openRealMesh({
    coordinatorFlags: [`--advertise=${natsProxyHost}`],
    meshOf: (cluster) => (cluster === aws ? `127.0.0.1:${link.port}` : undefined),
    prepare: async ({ portOf }) => {
      const to = (name: string) => ({ host: '127.0.0.1', port: portOf(name) });
      link = await openTcpProxy({ target: to('mesh') });
      nats = await openTcpProxy({
        host: natsProxyHost,
        port: portOf('nats'),
        target: to('nats'),
      });
    },
  });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  await link?.close();
  await nats?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial('the link goes silent: all is as it was, and hand edits are repaired', async (t) => {
  t.is(link.count(), 1, 'the agent speaks through the proxy');
  t.is(nats.count(), 3, 'agents reach NATS through the proxy, the coordinator directly');
  const dns = await watchDns(() => mesh.answers());
  const local = await mesh.resolve(aws);
  t.regex(local, /^A 10\.65\./);
  cut('pause');
  try {
    await eventually(15_000, () => readyIs('Unknown'));
    const view = await mesh.kubectl(federated, ['describe', 'cluster', aws]);
    t.regex(view, /Unknown/);
    // One that leaves the load balancer's port open: a closed one would be a real failure.
    const edit = [{ op: 'add', path: '/spec/ports/-', value: { name: 'extra', port: 8081 } }];
    await mesh.kubectl(aws, ['patch', 'svc', 'nginx', '--type=json', '-p', JSON.stringify(edit)]);
    await eventually(10_000, async () => {
      const ports = portsOf(await getNginx(mesh.kube(aws)));
      return ports === '80' ? [] : [ports];
    });
    t.is(await mesh.resolve(aws), local, 'the resolver goes on');
    t.regex(await mesh.resolve(f), /^A 10\.64\./);
    await sleep(clock, 3_000);
    await dns.stop();
    t.deepEqual([...dns.wrong], []);
    await mesh.kubectl(federated, ['label', '--overwrite', 'svc', 'nginx', 'wish=meanwhile']);
  } finally {
    heal();
  }
  await converges('meanwhile');
});

for (const how of ['reset', 'half-open'] as const) {
  test.serial(
    `the link breaks (${how}): Ready=Unknown, DNS unchanged, then it heals`,
    async (t) => {
      const dns = await watchDns(() => mesh.answers());
      cut(how);
      try {
        await eventually(15_000, () => readyIs('Unknown'));
        await mesh.kubectl(federated, ['label', '--overwrite', 'svc', 'nginx', `wish=${how}`]);
        t.not((await getNginx(mesh.kube(aws)))?.metadata.labels?.['wish'], how);
      } finally {
        heal();
      }
      await converges(how);
      await dns.stop();
      t.deepEqual([...dns.wrong], []);
    },
  );
}

test.serial('a local Pod fails while cut off: the resolver knows, DNS learns later', async (t) => {
  cut('pause');
  try {
    await eventually(15_000, () => readyIs('Unknown'));
    await annotateReady(mesh, aws, false);
    await eventually(5_000, async () => {
      const answer = await mesh.resolve(aws);
      return answer.startsWith('A 127.') ? [] : [answer];
    });
    t.pass();
  } finally {
    heal();
  }
  await eventually(30_000, () => mesh.dnsFaults([a, f]));
  await annotateReady(mesh, aws, true);
  await eventually(45_000, () => mesh.dnsFaults(all));
});

test.serial('a Service deleted meanwhile: its shard goes when the cluster is back', async (t) => {
  cut('pause');
  try {
    await eventually(15_000, () => readyIs('Unknown'));
    await mesh.kubectl(federated, ['delete', 'service', 'nginx', '--wait=false']);
    await eventually(10_000, async () =>
      (await getNginx(mesh.kube(a))) === undefined ? [] : ['still in a'],
    );
    t.not(await getNginx(mesh.kube(aws)), undefined, 'nobody could tell it');
    await eventually(10_000, async () => {
      const { errors, output } = await mesh.tryKubectl(['get', 'service', 'nginx', '-o', 'yaml']);
      return errors.includes('NotFound') ? [] : [output];
    });
  } finally {
    heal();
  }
  await eventually(25_000, async () =>
    (await getNginx(mesh.kube(aws))) === undefined ? [] : ['still in aws'],
  );
  await eventually(10_000, async () => {
    const { output } = await mesh.tryKubectl(['get', 'serviceshards,dnsrecordsets', '-o', 'name']);
    return output.trim() === '' ? [] : [output];
  });
});

function cut(how: Break): void {
  const pid = mesh.pid(`${aws}/agent`) ?? 0;
  link.breakAll(how);
  nats.breakAll(how, (port) => hasLocalPort(pid, port));
}

function heal(): void {
  link.heal();
  nats.heal();
}

async function converges(wish: string): Promise<void> {
  await eventually(25_000, () => readyIs('True'));
  await eventually(10_000, () => withoutLabel(mesh, [aws], { name: 'wish', value: wish }));
  await eventually(10_000, () => mesh.dnsFaults(all));
}

async function readyIs(wanted: string): Promise<readonly string[]> {
  const status = await conditionOf(mesh.kube(), aws, 'Ready');
  return status === wanted ? [] : [`Ready=${status}`];
}

function portsOf(service: Awaited<ReturnType<typeof getNginx>>): string {
  const spec = service?.spec as { ports?: { port?: number }[] } | undefined;
  return (spec?.ports ?? []).map(({ port }) => port).join();
}
