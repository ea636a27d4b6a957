// Losses that come together: kills in the middle of a first start or a join, a frozen NATS, every
// cluster at once, and a cluster that dies while nobody watches.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, systemClock as clock } from '../../common/runtime/clock.ts';
import { makeJoinToken } from '../../demo/federation-api.ts';
import { createPart, type PartProgram } from '../../demo/part.ts';
import { watchDns } from '../support/dns-watch.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, conditionOf } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, aws, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const all = [a, f, aws];
// What a first start makes, in order: it is killed as soon as each is there.
const milestones = [
  'log/data.mdb',
  '../coordinator.key',
  'nats/ca.crt',
  'nats/nats.conf',
  'nats/nats.pid',
  'admin.kubeconfig',
];
// From before the program runs its first line to after it has joined.
const killAfterMs = [60, 180, 300, 400, 500, 600, 750, 950, 1_200];
let mesh: RealMesh;
let firstCa = '';

test.before(async () => {
  mesh = await openRealMesh({
    prepare: async ({ coordinator, layout }) => {
      for (const milestone of milestones) {
        await startAndKill(coordinator, join(layout.coordinatorDir, milestone));
        firstCa ||= caOf(layout.coordinatorDir);
      }
    },
  });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial(
  'a coordinator that was killed at any moment of its first starts is whole',
  async (t) => {
    const folder = mesh.layout.coordinatorDir;
    t.is(caOf(folder), firstCa, 'one CA for ever, or every cluster would have to join anew');
    t.is(countProcesses(join(folder, 'nats', 'nats.conf')), 1, 'one nats-server');
    t.deepEqual(await mesh.dnsFaults(all), []);
  },
);

test.serial(
  'an agent that is killed at any moment of its join joins with the same token',
  async (t) => {
    const { token, name } = await makeJoinToken(mesh.kube(), 'late');
    const agent = mesh.startAgent({ id: 'late', member: a, cluster: 'late', token });
    for (const delayMs of killAfterMs) {
      await sleep(clock, delayMs);
      await mesh.kill('late');
      void mesh.start('late').catch(() => undefined); // killed before it was ready
    }
    await eventually(20_000, () =>
      Promise.resolve(/session open/.test(agent.log()) ? [] : [agent.log().slice(-500)]),
    );
    t.notRegex(agent.log(), /TokenUsed|with another key|ClusterRemoved/);
    await agent.end();
    // Its agent is gone for good: nobody is waited for.
    const force = ['patch', 'cluster', 'late', '--type=merge', '-p'];
    await mesh.kubectl('federation-cluster', [...force, '{"spec":{"unjoinWaitSeconds":0}}']);
    await mesh.kubectl('federation-cluster', ['delete', 'cluster', 'late']);
    await mesh.kubectl('federation-cluster', ['delete', 'jointoken', name]);
  },
);

test.serial(
  'a frozen nats-server: Telemetry is stale, DNS unchanged, then news again',
  async (t) => {
    const dns = await watchDns(() => mesh.answers());
    const pid = mesh.pid('nats') ?? 0;
    process.kill(pid, 'SIGSTOP');
    try {
      await eventually(15_000, async () => {
        const stale = await Promise.all(
          all.map((name) => conditionOf(mesh.kube(), name, 'Telemetry')),
        );
        return stale.filter((status) => status === 'True');
      });
      const ready = await Promise.all(all.map((name) => conditionOf(mesh.kube(), name, 'Ready')));
      t.deepEqual(ready, ['True', 'True', 'True'], 'their sessions speak');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await dns.stop();
    t.deepEqual([...dns.wrong], []);
    await annotateReady(mesh, f, false);
    await eventually(20_000, () => mesh.dnsFaults([a, aws]));
    await annotateReady(mesh, f, true);
    await eventually(45_000, () => mesh.dnsFaults(all));
  },
);

test.serial(
  'a cluster that dies while the coordinator is dead is withdrawn after it',
  async (t) => {
    await mesh.kill('coordinator');
    await mesh.kill(`${aws}/agent`);
    await mesh.kill(aws);
    await mesh.start('coordinator');
    await eventually(40_000, () => mesh.dnsFaults([a, f]));
    await mesh.start(aws);
    await mesh.start(`${aws}/agent`);
    await eventually(45_000, () => mesh.dnsFaults(all));
    // Statuses are written at most once a second each, after what DNS says.
    await eventually(10_000, async () => {
      const ready = await conditionOf(mesh.kube(), aws, 'Ready');
      return ready === 'True' ? [] : [ready];
    });
    t.pass();
  },
);

test.serial('I6 every cluster dies at once: no name loses its last address', async (t) => {
  const dns = await watchDns(() => mesh.answers());
  const parts = all.flatMap((name) => [`${name}/agent`, name]);
  await Promise.all(parts.map((part) => mesh.kill(part)));
  await sleep(clock, 9_000); // longer than one dead cluster stays in DNS
  await dns.stop();
  t.deepEqual([...dns.wrong], []);
  await Promise.all(all.map((name) => mesh.start(name)));
  await Promise.all(all.map((name) => mesh.start(`${name}/agent`)));
  await eventually(20_000, async () => {
    const ready = await Promise.all(all.map((name) => conditionOf(mesh.kube(), name, 'Ready')));
    return ready.filter((status) => status !== 'True');
  });
  await eventually(30_000, () => mesh.dnsFaults(all));
});

async function startAndKill(program: PartProgram, milestone: string): Promise<void> {
  const part = createPart(program, { clock, onUnexpectedEnd: () => undefined });
  void part.start().catch(() => undefined); // killed before it was ready
  await eventually(20_000, () => Promise.resolve(existsSync(milestone) ? [] : [milestone]), 2);
  part.signal('SIGKILL');
  await part.gone();
}

/** Empty while there is none yet. */
function caOf(folder: string): string {
  try {
    return readFileSync(join(folder, 'nats', 'ca.crt'), 'utf8');
  } catch {
    return '';
  }
}

/** Running processes that name this file in their command line. */
function countProcesses(mark: string): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(mark);
      } catch {
        return false; // gone meanwhile
      }
    }).length;
}
