// What the image holds, run as the image is run: no root, no capability, a root file system that
// cannot be written, nothing of this machine but the kernel.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest from 'ava';
import { parse } from 'yaml';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { connectFederation, makeJoinToken } from '../../demo/federation-api.ts';
import { eventually } from '../support/eventually.ts';
import { buildImageRoot, readDockerfile, startInImage, whyNoImage } from '../support/image-root.ts';
import type { ServerProcess } from '../support/server-process.ts';

const why = whyNoImage();
const title = 'the image’s programs run without root, on a root file system that is only read';
const test = why === undefined ? anyTest : anyTest.skip;

test(why === undefined ? title : `${title} [${why}]`, async (t) => {
  t.timeout(120_000);
  const root = mkdtempSync(join(tmpdir(), 'isthmus-image-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  buildImageRoot(root);
  writeFileSync(join(root, 'etc/kubeconfig'), nowhere, { mode: 0o644 });

  const cmd = readDockerfile()
    .stages.at(-1)
    ?.steps.find(({ verb }) => verb === 'CMD');
  const any = ['api', 'mesh', 'nats', 'dns', 'admin'].map((part) => `--${part}-listen=127.0.0.1:0`);
  const argv = [...(parse(cmd?.rest ?? '[]') as string[]), ...any];
  const coordinator = startInImage(root, { argv, volumes: 'image' });
  t.teardown(() => coordinator.stop());
  const facts = await readReady(coordinator);
  const probe = await fetch(`${String(facts['admin'])}/readyz`);
  t.is(probe.status, 200, await probe.text());
  holdsNoRights(coordinator);

  const inside = `/proc/${coordinator.pid}/root${String(facts['kubeconfig'])}`;
  const kubeconfig = join(root, '..', `${root.split('/').at(-1)}.kubeconfig`);
  writeFileSync(kubeconfig, readFileSync(inside), { mode: 0o600 });
  t.teardown(() => rmSync(kubeconfig, { force: true }));
  const common = { clock: systemClock, chance: systemChance };
  const kube = await connectFederation({ ...common, kubeconfig });
  t.teardown(() => kube.close());
  const { token } = await makeJoinToken(kube, 'a');

  // On empty volumes of Kubernetes, in folders of their own, as the chart has it.
  const folders = ['--data-dir=/data/store', '--encryption-key-file=/keys/store/isthmus.key'];
  const charted = startInImage(root, {
    argv: ['isthmus-coordinator', ...folders, ...any],
    volumes: 'kubernetes',
  });
  t.teardown(() => charted.stop());
  t.is((await readReady(charted))['kubeconfig'], '/data/store/admin.kubeconfig');
  await charted.stop();

  // As the chart starts it, on an empty volume of Kubernetes; the API server can wait.
  const flags = {
    cluster: 'a',
    coordinator: String(facts['mesh']),
    token,
    kubeconfig: '/etc/kubeconfig',
    'data-dir': '/data/agent',
    'resolver-listen': '127.0.0.1:0',
    'admin-listen': '127.0.0.1:0',
  };
  const agentArgv = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const agent = startInImage(root, {
    argv: ['isthmus-agent', ...agentArgv],
    volumes: 'kubernetes',
  });
  t.teardown(() => agent.stop());
  t.like(await readReady(agent), { cluster: 'a' });
  holdsNoRights(agent);

  function holdsNoRights({ pid }: ServerProcess): void {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    t.regex(status, /^Uid:\t1000\t1000\t1000\t1000$/m);
    t.regex(status, /^CapEff:\t0+$/m);
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
    t.regex(mounts, / \/ ro[, ]/);
  }
});

const nowhere = `apiVersion: v1
kind: Config
current-context: c
clusters: [{ name: c, cluster: { server: 'https://127.0.0.1:1' } }]
users: [{ name: u, user: { token: none } }]
contexts: [{ name: c, context: { cluster: c, user: u } }]
`;

async function readReady(of: ServerProcess): Promise<Readonly<Record<string, unknown>>> {
  let facts: Readonly<Record<string, unknown>> | undefined;
  const ready = eventually(60_000, () => {
    const line = of
      .logs()
      .split('\n')
      .find((each) => each.startsWith('{"ready":true'));
    facts = line === undefined ? undefined : (JSON.parse(line) as typeof facts);
    return Promise.resolve(facts === undefined ? [of.logs()] : []);
  });
  await Promise.race([ready, of.ended]).catch((error: unknown) => {
    throw new Error(of.logs(), { cause: error });
  });
  return facts ?? {};
}
