// The guide on real Kubernetes: four members, each a real kube-apiserver over a real etcd with a
// real kube-controller-manager.

import { testWithPeers } from '../support/peers.ts';
import { startProgram } from './demo-process.ts';

const test = testWithPeers('etcd', 'kube-apiserver', 'kube-controller-manager');

test('npm run demo -- --once --real: every step of the guide is ok', async (t) => {
  t.timeout(780_000);
  const once = startProgram('demo/main.js', ['--once', '--real']);
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
