// The federation's CA is replaced under a running federation: by the command that a person types,
// with kubectl, agents and NATS going on, and an agent that was away all the time coming back.

import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeJoinToken } from '../../demo/federation-api.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { connectKube } from '../../common/runtime/kube-http.ts';
import { loadKubeEndpoint } from '../../common/runtime/kubeconfig.ts';
import { eventually } from '../support/eventually.ts';
import { testWith } from '../support/programs.ts';
import { a, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { findProgram } from '../support/programs.ts';
import { runProgram, type Ran } from '../support/run-program.ts';

const test = testWith('kubectl', 'nats-server');
const main = new URL('../../coordinator/main.js', import.meta.url).pathname;
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh({ clusters: 2 });
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

function ca(...args: readonly string[]): Promise<Ran> {
  const flags = ['--data-dir', mesh.layout.coordinatorDir];
  return runProgram(process.execPath, [main, 'keys', 'ca', ...args, ...flags], { env: {} });
}

/** With this kubeconfig, not the merged one. */
function getClusters(kubeconfig: string): Promise<Ran> {
  const env = { KUBECONFIG: kubeconfig, KUBECACHEDIR: join(mesh.layout.dir, 'kubectl-cache') };
  return runProgram(findProgram('kubectl') ?? 'kubectl', ['get', 'clusters'], { env });
}

async function clusterOf(name: string, client = mesh.kube()): Promise<Cluster> {
  const object = await client.get({ apiVersion: 'isthmus.dev/v1alpha1', plural: 'clusters' }, name);
  return object as Cluster; // of the kind that was asked for
}

test.serial('what cannot be done is said, with the way out', async (t) => {
  const odd = await ca('replace');
  t.is(odd.code, 2);
  t.regex(odd.errors, /keys ca list .*keys ca rotate/s);
  const retire = await ca('retire');
  t.is(retire.code, 1);
  t.regex(retire.errors, /there is no former CA/);
  const nowhere = await runProgram(
    process.execPath,
    [main, 'keys', 'ca', 'rotate', '--data-dir', join(mesh.layout.dir, 'nowhere')],
    { env: {} },
  );
  t.is(nowhere.code, 1);
  t.regex(nowhere.errors, /holds no federation yet: see --data-dir/);
});

function hashOf(listed: string, line: 'signs' | 'former'): string {
  return new RegExp(`^${line}\\s+([0-9a-f]{64})`, 'm').exec(listed)?.[1] ?? '';
}

test.serial(
  'a CA is replaced, used, and its predecessor retired, and nobody is cut off',
  async (t) => {
    const { layout } = mesh;
    const kubeconfig = join(layout.coordinatorDir, 'admin.kubeconfig');
    const oldConfig = join(layout.dir, 'old.kubeconfig');
    copyFileSync(kubeconfig, oldConfig);
    const before = await ca('list');
    t.is(before.code, 0, before.errors);
    t.false(before.output.includes('former'));
    const oldToken = await makeJoinToken(mesh.kube(), 'pinned-old');
    await mesh.kill(`${f}/agent`);
    const digest = (await clusterOf(a)).status?.trustDigest;

    const rotated = await ca('rotate');
    t.is(rotated.code, 0, rotated.errors);
    t.is(hashOf(rotated.output, 'former'), hashOf(before.output, 'signs'));
    const again = await ca('rotate');
    t.is(again.code, 1);
    t.regex(again.errors, /the last rotation is not over: .* keys ca retire/);

    await eventually(20_000, async () =>
      (await clusterOf(a)).status?.trustDigest === digest
        ? ['the agent does not know the new CA']
        : [],
    );
    await eventually(30_000, async () =>
      mesh.logOf(`${a}/agent`).includes('certificate renewed')
        ? []
        : ['no certificate of the new CA'],
    );
    t.false(mesh.logOf(`${a}/agent`).includes('session ended'), 'the stream went on');
    for (const config of [oldConfig, kubeconfig]) {
      const seen = await getClusters(config);
      t.is(seen.code, 0, seen.errors);
    }
    const newToken = await makeJoinToken(mesh.kube(), 'pinned-new');
    t.is(newToken.token.split('.').at(-1), hashOf(rotated.output, 'signs').slice(0, 32));
    for (const [cluster, { token }] of [
      ['pinned-old', oldToken],
      ['pinned-new', newToken],
    ] as const) {
      const extra = mesh.startAgent({ id: cluster, member: a, cluster, token });
      await eventually(20_000, async () =>
        extra.log().includes('session open') ? [] : [`${cluster} is not in: ${extra.log()}`],
      );
      await extra.end();
    }

    await eventually(20_000, async () => {
      const retired = await ca('retire');
      return retired.code === 0 ? [] : [retired.errors];
    });
    const after = await ca('list');
    t.is(hashOf(after.output, 'signs'), hashOf(rotated.output, 'signs'));
    t.false(after.output.includes('former'));
    await eventually(10_000, async () => {
      const { code } = await getClusters(oldConfig);
      return code === 0 ? ['the former CA is still served'] : [];
    });
    t.regex((await getClusters(oldConfig)).errors, /Unauthorized|x509/);
    t.is((await getClusters(kubeconfig)).code, 0);
    // A connection that was opened with a certificate of the former CA is no way around.
    await t.throwsAsync(clusterOf(a), { code: 'KUBE_UNAUTHORIZED' });
    const config = await loadKubeEndpoint({ kubeconfigPath: kubeconfig, context: undefined }, {});
    const renewed = connectKube({ config, clock: systemClock, chance: systemChance });
    t.teardown(() => renewed.close());
    t.false(
      readFileSync(join(layout.coordinatorDir, 'ca-report.json'), 'utf8').includes('PRIVATE'),
    );

    await mesh.kill(`${a}/agent`);
    await mesh.start(`${a}/agent`);
    await mesh.start(`${f}/agent`); // away from before the rotation until after the retirement
    await eventually(40_000, async () => {
      const [one, other] = [await clusterOf(a, renewed), await clusterOf(f, renewed)];
      return [one, other].flatMap(({ metadata, status }) =>
        ['Ready', 'Telemetry']
          .filter(
            (type) => status?.conditions?.find((each) => each.type === type)?.status !== 'True',
          )
          .map(
            (type) =>
              `${metadata.name} is not ${type}: ${mesh.logOf(`${metadata.name}/agent`).slice(-600)}`,
          ),
      );
    });
  },
);

test.serial(
  'a rotation that is asked for while no coordinator runs is done by the next',
  async (t) => {
    await mesh.kill('coordinator');
    const asked = await ca('rotate');
    t.is(asked.code, 0, asked.errors);
    t.regex(asked.output, /no coordinator runs .* the next one rotates the CA when it starts/);
    await mesh.start('coordinator');
    const listed = await ca('list');
    t.true(listed.output.includes('former'), listed.output);
    await eventually(40_000, async () => {
      const { output } = await ca('list');
      return output.includes('yet: none') ? [] : [output];
    });
    t.is((await getClusters(join(mesh.layout.coordinatorDir, 'admin.kubeconfig'))).code, 0);
  },
);
