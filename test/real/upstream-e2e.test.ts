// Upstream's conformance program against a coordinator: some cases for real, where it is built.
// All of them: npm run upstream.

import { findPeer } from '../support/find-peer.ts';
import { testWithPeers } from '../support/peers.ts';
import { runConformance } from '../upstream/conformance.ts';

const quickCases = [
  '[sig-api-machinery] Namespaces [Serial] should apply a finalizer to a Namespace',
  '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata',
  '[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch',
  '[sig-instrumentation] Events should manage the lifecycle of an event',
  '[sig-network] Services should complete a service status lifecycle',
  '[sig-network] Services should find a service from listing all namespaces',
  '[sig-network] Services should provide secure master service',
  '[sig-node] ConfigMap should run through a ConfigMap lifecycle',
  '[sig-node] Lease lease API should be available',
];

testWithPeers('kubectl', 'e2e.test')(
  "[k8s 129] cases of upstream's conformance program pass",
  async (t) => {
    t.timeout(170_000);
    const program = findPeer('e2e.test');
    const outcomes = await runConformance(
      'path' in program ? program.path : '',
      quickCases,
      150_000,
    );
    t.deepEqual(
      outcomes.map(({ name, state, reason }) => `${state} ${name} ${reason}`.trim()).sort(),
      quickCases.map((name) => `passed ${name}`).sort(),
    );
  },
);
