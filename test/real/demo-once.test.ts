// The quick start itself: the guide plays to its end; a running demo is what demo.json says, does
// what ctl says, leaves nothing behind, and continues with its state.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../../demo/leftovers.ts';
import { findProgram, testWith } from '../support/programs.ts';
import { runToEnd, startProgram, temporaryDir, until } from './demo-process.ts';

const test = testWith('kubectl', 'nats-server');

interface DemoJson {
  readonly federation: string;
  readonly kubeconfig: string;
  readonly clusters: Readonly<
    Record<
      string,
      { readonly context: string; readonly pids: { cluster?: number; agent?: number } }
    >
  >;
  readonly pids: { readonly coordinator?: number; readonly nats?: number };
}

function pidsOf(demo: DemoJson): readonly number[] {
  const members = Object.values(demo.clusters).flatMap(({ pids }) => [pids.cluster, pids.agent]);
  return [...members, demo.pids.coordinator, demo.pids.nats].flatMap((pid) => pid ?? []);
}

test.serial('npm run demo -- --once: every step of the guide is ok', async (t) => {
  t.timeout(330_000);
  const once = startProgram('demo/main.js', ['--once']);
  t.teardown(() => void once.child.kill('SIGTERM'));
  const code = await once.ended();
  const steps = once.lines.filter((line) => line.startsWith('step '));
  t.deepEqual(
    steps.filter((line) => !/^step \d+ ok: /.test(line)),
    [],
  );
  t.is(once.lines.at(-1), `${steps.length} of ${steps.length} steps ok`, once.errors());
  t.is(code, 0);
});

test.serial('a demo is what demo.json says, obeys ctl, ends whole, and continues', async (t) => {
  t.timeout(180_000);
  const dir = temporaryDir(t);
  const ctl = (...args: readonly string[]) =>
    runToEnd(process.execPath, ['dist/demo/main.js', 'ctl', ...args, '--dir', dir]);
  const read = (): DemoJson => JSON.parse(readFileSync(join(dir, 'demo.json'), 'utf8')) as DemoJson;
  const kubectl = (...args: readonly string[]) =>
    runToEnd(findProgram('kubectl') ?? 'kubectl', args, {
      KUBECONFIG: join(dir, 'kubeconfig'),
      KUBECACHEDIR: join(dir, 'kubectl-cache'),
    });

  t.is((await ctl('kill', 'nats')).code, 1, 'no demo runs yet');
  const first = startProgram('demo/main.js', ['--dir', dir, '--any-port']);
  t.teardown(() => void first.child.kill('SIGTERM'));
  const ready = JSON.parse((await first.line(/^ready \{/)).slice('ready '.length)) as DemoJson;
  t.deepEqual(read(), ready);
  t.is(pidsOf(ready).length, 10);
  t.true(pidsOf(ready).every(isAlive));
  const created = await kubectl(
    '--context=federation-cluster',
    'create',
    '-f',
    'examples/services/nginx.yaml',
  );
  t.like(created, { code: 0 });

  const again = await runToEnd(process.execPath, ['dist/demo/main.js', '--dir', dir, '--any-port']);
  t.is(again.code, 1);
  t.regex(again.errors, /runs already/);

  const name = 'aws-us-east-1a';
  const pid = ready.clusters[name]?.pids.agent ?? 0;
  t.like(await ctl('stop', `${name}/agent`), { code: 0 });
  t.regex(readFileSync(`/proc/${pid}/stat`, 'utf8'), /\) T /);
  t.like(await ctl('cont', `${name}/agent`), { code: 0 });
  t.like(await ctl('kill', `${name}/agent`), { code: 0 });
  t.false(isAlive(pid));
  t.is(read().clusters[name]?.pids.agent, undefined);
  t.like(await ctl('start', `${name}/agent`), { code: 0 });
  t.true(isAlive(read().clusters[name]?.pids.agent ?? 0));
  t.is((await ctl('start', `${name}/agent`)).code, 1, 'it runs already');
  t.is((await ctl('kill', 'nobody')).code, 1);
  t.like(await ctl('kill', 'nats'), { code: 0 });
  t.like(await ctl('start', 'nats'), { code: 0 });
  t.not(read().pids.nats, ready.pids.nats);

  const last = pidsOf(read());
  first.child.kill('SIGINT');
  t.is(await first.ended(), 0);
  t.deepEqual(last.filter(isAlive), []);

  const second = startProgram('demo/main.js', ['--dir', dir, '--any-port']);
  t.teardown(() => void second.child.kill('SIGTERM'));
  await second.line(/^ready \{/);
  const found = await kubectl(
    '--context=federation-cluster',
    'get',
    'service',
    'nginx',
    '-o',
    'name',
  );
  t.is(found.output.trim(), 'service/nginx');
  const pids = pidsOf(read());
  second.child.kill('SIGKILL');
  await until(() => !pids.some(isAlive));
  t.pass('even after SIGKILL of the demo its parts end by themselves');
});
