// A coordinator and its agents over a NATS that is not theirs: with the coordinator's operator,
// where a removed cluster is cut at once, and with an account of somebody else's operator, where a
// condition says what the bound is. Real processes; on the oldest server and on the current one.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { isthmusApiVersion, type Cluster } from '../../common/model/isthmus-kinds.ts';
import type { Condition } from '../../common/model/kube-object.ts';
import { eventually } from '../support/eventually.ts';
import {
  createExternalNats,
  makeTheirAccount,
  type ExternalNats,
} from '../support/external-nats.ts';
import { natsVersions } from '../support/nats-world.ts';
import { a, f, openRealMesh, type RealMesh, type RealMeshOptions } from '../support/real-mesh.ts';
import { runProgram } from '../support/run-program.ts';

for (const { name, binary, test } of natsVersions) {
  test.serial(
    `external ${name} with our operator: reports arrive, and a removed cluster is cut at once`,
    async (t) => {
      const { nats, mesh } = await openMesh(t, binary, (external) => ({
        coordinatorFlags: [`--nats-url=${external.url}`, `--nats-ca-file=${external.caFile}`],
        prepare: async ({ layout }) => startTrusting(external, layout.coordinatorDir),
      }));
      await reporting(mesh, [a, f]);
      t.like(await conditionAt(mesh, a, 'TelemetryRevocable'), {
        status: 'True',
        reason: 'AtOnce',
      });
      await mesh.kubectl('federation-cluster', ['delete', 'cluster', f, '--wait=false']);
      await eventually(20_000, () =>
        Promise.resolve(
          /Authentication Revoked/.test(mesh.logOf(`${f}/agent`)) ? [] : ['the agent is not cut'],
        ),
      );
      await reporting(mesh, [a]);
      // A server that starts anew has forgotten, and is told again.
      await reporting(mesh, [a]);
      await nats.kill();
      await startTrusting(nats, mesh.layout.coordinatorDir);
      await reporting(mesh, [a]);
      await eventually(20_000, () =>
        Promise.resolve(/authentication error/.test(nats.log()) ? [] : [nats.log().slice(-300)]),
      );
      t.is(await mesh.metric('admin', 'mesh_nats_revocations_total', 'effect="now"'), 1);
    },
  );

  test.serial(
    `external ${name} with their operator: reports arrive, and the condition says the bound`,
    async (t) => {
      const theirs = makeTheirAccount();
      const { nats, mesh } = await openMesh(t, binary, (external) => {
        const seedFile = join(external.folder, 'signing.nk');
        writeFileSync(seedFile, `${theirs.signingSeed}\n`, { mode: 0o600 });
        return {
          coordinatorFlags: [
            `--nats-url=${external.url}`,
            `--nats-ca-file=${external.caFile}`,
            `--nats-account=${theirs.account}`,
            `--nats-signing-seed-file=${seedFile}`,
          ],
          prepare: () => external.start(theirs.trustLines),
        };
      });
      await reporting(mesh, [a, f]);
      const condition = await conditionAt(mesh, a, 'TelemetryRevocable');
      t.like(condition, { status: 'False', reason: 'WhenLoginEnds' });
      t.true(condition?.message.includes('15 minutes'), condition?.message);
      t.true(condition?.message.includes(nats.url), condition?.message);
      t.regex(mesh.logOf('coordinator'), /removed clusters stay NATS users until their login ends/);
      t.notRegex(mesh.logOf('coordinator'), new RegExp(theirs.signingSeed));
    },
  );
}

async function openMesh(
  t: ExecutionContext,
  binary: string,
  toOptions: (nats: ExternalNats) => RealMeshOptions,
): Promise<{ readonly nats: ExternalNats; readonly mesh: RealMesh }> {
  const nats = await createExternalNats(binary);
  t.teardown(() => nats.end());
  const mesh = await openRealMesh({ clusters: 2, ...toOptions(nats) });
  t.teardown(() => mesh.close());
  return { nats, mesh };
}

/** As an administrator does it: what the command prints goes into the server's configuration. */
async function startTrusting(nats: ExternalNats, dataDir: string): Promise<void> {
  const main = new URL('../../coordinator/main.js', import.meta.url).pathname;
  const args = [main, 'nats', 'config', '--data-dir', dataDir];
  const { code, output, errors } = await runProgram(process.execPath, args, { env: {} });
  if (code !== 0) throw new Error(`nats config: ${errors}`);
  await nats.start(output.split('\n'));
}

async function reporting(mesh: RealMesh, clusters: readonly string[]): Promise<void> {
  await eventually(20_000, async () => {
    const all = await Promise.all(clusters.map((name) => conditionAt(mesh, name, 'Telemetry')));
    return all.filter((one) => one?.status !== 'True').map((one) => JSON.stringify(one ?? 'none'));
  });
}

async function conditionAt(
  mesh: RealMesh,
  name: string,
  type: string,
): Promise<Condition | undefined> {
  const path = { apiVersion: isthmusApiVersion, plural: 'clusters' };
  const cluster = (await mesh.kube().get(path, name)) as Cluster | undefined;
  return cluster?.status?.conditions?.find((one) => one.type === type);
}
