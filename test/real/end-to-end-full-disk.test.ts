// The coordinator's disk fills, slowly by its own objects and suddenly by somebody else's file:
// writes are refused with a Status, reads and DNS go on, nothing acknowledged is lost, and all is
// well again when there is room.

import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { watchDns } from '../support/dns-watch.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady, conditionOf, withoutLabel } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { askRaw } from '../support/raw-https.ts';
import { a, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { lostWrites, startWrites } from '../support/write-stream.ts';

const canMount = tryToMount();
const withPrograms = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';
const configMaps = '/api/v1/namespaces/default/configmaps';
// The store keeps 64 MiB free; what is above is for the test's own objects.
const diskBytes = 84 << 20;
let mesh: RealMesh;
let folder = '';

const test = {
  serial: (title: string, run: (t: ExecutionContext) => Promise<void>): void => {
    if (canMount) withPrograms.serial(title, run);
    else withPrograms.serial.skip(`${title} [needs the right to mount]`, (t) => t.pass());
  },
};

withPrograms.before(async () => {
  if (!canMount) return;
  mesh = await openRealMesh({
    clusters: 1,
    prepare: ({ layout }) => {
      folder = layout.coordinatorDir;
      mkdirSync(folder, { recursive: true });
      mount(folder, diskBytes);
      return Promise.resolve();
    },
    release: () => {
      execFileSync('umount', [folder]);
      return Promise.resolve();
    },
  });
  await mesh.createNginx();
});

withPrograms.after.always('no process crashed, and none is left', async (t) => {
  if (!canMount) return;
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial(
  'a disk filled by our own objects: refused in time, and a restart serves all',
  async (t) => {
    const acknowledged = new Map<string, string>();
    let refusal = { status: 0, body: '' };
    for (let count = 0; count < 60 && refusal.status === 0; count += 1) {
      const name = `big-${count}`;
      const object = toConfigMap(name, { name, filling: 'x'.repeat(900_000) });
      const answer = await post(object);
      if (answer.status === 201) {
        const { metadata } = JSON.parse(answer.body) as KubeObject;
        acknowledged.set(name, metadata.resourceVersion ?? '');
      } else refusal = answer;
    }
    t.true(refusal.status >= 500, `${refusal.status} ${refusal.body}`);
    const said = JSON.parse(refusal.body) as { kind: string; message: string };
    t.is(said.kind, 'Status');
    t.regex(said.message, /full|space/i);
    t.true(acknowledged.size > 2);
    t.deepEqual(await lostWrites(mesh.kube(), acknowledged), []);
    t.deepEqual(await mesh.dnsFaults([a]), []);
    t.is(
      (await mesh.kubectl(federated, ['get', 'svc', '-o', 'name'])).trim(),
      'service/kubernetes\nservice/nginx',
    );
    await mesh.kill('coordinator');
    await mesh.start('coordinator');
    t.deepEqual(await lostWrites(mesh.kube(), acknowledged), []);
    await eventually(10_000, () => mesh.dnsFaults([a]));
    t.true((await post(toConfigMap('still-full', {}))).status >= 500);
    // What DNS says is the coordinator's own record, which its reserve is for.
    await annotateReady(mesh, a, false);
    await eventually(10_000, () => mesh.dnsFaults([]));
    await annotateReady(mesh, a, true);
    await eventually(20_000, () => mesh.dnsFaults([a]));
    await mesh.kubectl(federated, ['delete', 'configmap', ...acknowledged.keys()]);
    mount(folder, diskBytes * 2, 'remount,');
    t.is((await post(toConfigMap('roomy', {}))).status, 201);
  },
);

test.serial('a disk filled at once by somebody else: reads go on, then all recovers', async (t) => {
  const dns = await watchDns(() => mesh.answers());
  const logBytes = statSync(mesh.layout.logOf('coordinator')).size;
  const writes = startWrites(mesh.kube(), 'w', 4);
  await writes.next(50);
  const filler = join(folder, 'filler');
  fillUp(filler);
  const failed = writes.failed();
  await eventually(10_000, () => Promise.resolve(writes.failed() > failed + 20 ? [] : ['writing']));
  const refused = await post(toConfigMap('refused', {}));
  t.true(refused.status >= 500, `${refused.status} ${refused.body}`);
  t.is((JSON.parse(refused.body) as { kind: string }).kind, 'Status');
  t.is(
    (await mesh.kubectl(federated, ['get', 'svc', '-o', 'name'])).trim(),
    'service/kubernetes\nservice/nginx',
  );
  t.deepEqual(await lostWrites(mesh.kube(), writes.acknowledged), []);
  t.is(await conditionOf(mesh.kube(), a, 'Ready'), 'True');
  rmSync(filler);
  await writes.next(20);
  await writes.stop();
  await mesh.kubectl(federated, ['label', 'svc', 'nginx', 'disk=free']);
  await eventually(10_000, () => withoutLabel(mesh, [a], { name: 'disk', value: 'free' }));
  await mesh.kill('coordinator');
  await mesh.start('coordinator');
  t.deepEqual(await lostWrites(mesh.kube(), writes.acknowledged), []);
  await dns.stop();
  t.deepEqual([...dns.wrong], []);
  t.true(statSync(mesh.layout.logOf('coordinator')).size - logBytes < 500_000, 'a bounded log');
});

function post(object: object): ReturnType<typeof askRaw> {
  return askRaw(join(mesh.layout.coordinatorDir, 'admin.kubeconfig'), {
    method: 'POST',
    path: configMaps,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(object),
  });
}

function toConfigMap(name: string, data: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

/** Writes until nothing more fits. */
function fillUp(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (const bytes of [1 << 20, 4_096]) writeUntilFull(file, Buffer.alloc(bytes, 1));
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, chunk: Buffer): void {
  for (;;) {
    try {
      if (writeSync(file, chunk) < chunk.length) return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
  }
}

function mount(at: string, bytes: number, how = ''): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `${how}size=${bytes}`, 'tmpfs', at], {
    stdio: 'ignore',
  });
}

function tryToMount(): boolean {
  const at = mkdtempSync(join(tmpdir(), 'isthmus-mount-'));
  try {
    mount(at, 1 << 20);
    execFileSync('umount', [at]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(at, { recursive: true, force: true });
  }
}
