// A person revokes a cluster: within a second its agent has neither a session nor NATS, on the
// coordinator's own server, and the others notice nothing.

import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { conditionOf } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { a, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';
import { runProgram } from '../support/run-program.ts';

const test = testWith('kubectl', 'nats-server');
const plugin = new URL('../../plugin/main.js', import.meta.url).pathname;
const second = 1_000;
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh({ clusters: 2 });
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

test.serial(
  'I8 a revoked cluster loses its stream and its NATS user within a second',
  async (t) => {
    await eventually(20_000, async () => {
      const all = await Promise.all(
        [a, f].map((name) => conditionOf(mesh.kube(), name, 'Telemetry')),
      );
      return all.filter((status) => status !== 'True').map(String);
    });
    const kubeconfig = join(mesh.layout.coordinatorDir, 'admin.kubeconfig');
    const args = [
      plugin,
      'revoke',
      f,
      '--message',
      'its disk was stolen',
      '--kubeconfig',
      kubeconfig,
    ];
    const { code, output, errors } = await runProgram(process.execPath, args, { env: {} });
    t.is(code, 0, errors);
    t.regex(output, /revoked/);
    const linesOf = (part: string, pattern: RegExp) =>
      mesh
        .logOf(part)
        .split('\n')
        .filter((line) => pattern.test(line));
    // What nats-server says is lost when the agent writes as the server closes: then the agent hears
    // it when it comes again.
    const saidByNats = /Authentication Revoked|Authorization Violation/;
    await eventually(10_000, () =>
      Promise.resolve(
        [/telemetry bus lost/, saidByNats, /session refused/].flatMap((pattern) =>
          linesOf(`${f}/agent`, pattern).length === 0 ? [`no ${pattern.source} yet`] : [],
        ),
      ),
    );
    // All logs have one clock here. The stream goes in the turn of the write.
    const [streamAt, natsAt] = [
      timeOf(linesOf(`${f}/agent`, /session refused/).at(0)),
      timeOf(linesOf(`${f}/agent`, /telemetry bus lost/).at(-1)),
    ];
    t.log(`NATS ${natsAt - streamAt} ms after the stream`);
    t.true(Math.abs(natsAt - streamAt) < second);
    t.regex(linesOf(`${f}/agent`, /session refused/).at(0) ?? '', /Revoked.*its disk was stolen/);
    t.is(await conditionOf(mesh.kube(), a, 'Telemetry'), 'True');
    t.notRegex(mesh.logOf(`${a}/agent`), /telemetry bus lost/);
  },
);

function timeOf(line: string | undefined): number {
  return (JSON.parse(line ?? '{}') as { readonly time?: number }).time ?? Number.NaN;
}
