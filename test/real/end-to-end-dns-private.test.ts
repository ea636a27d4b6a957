// A shard whose load balancer has a private address alone: in no public zone, and found in a private
// one once there is one. A real coordinator, a real agent.

import { systemClock as clock } from '../../common/runtime/clock.ts';
import { askDns } from '../../demo/guide/dns-udp.ts';
import { toAnswer } from '../../demo/guide/expected-dns.ts';
import { eventually } from '../support/eventually.ts';
import { scope } from '../support/nginx-views.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const federated = 'federation-cluster';
const address = '10.0.0.7';
let mesh: RealMesh;

test.before(async () => {
  mesh = await openRealMesh({ clusters: 1, coordinatorFlags: ['--ttl-seconds=2'] });
  await mesh.createNginx();
});

test.after.always('no process crashed, and none is left', async (t) => {
  await mesh?.close();
  t.deepEqual(mesh?.crashes, []);
});

/** Until the federation's Service says so. */
function said(pattern: RegExp): Promise<void> {
  return eventually(20_000, async () => {
    const path = '{.status.loadBalancer.ingress[*].ip} {.status.conditions[*].message}';
    const text = await mesh.kubectl(federated, [
      'get',
      'service',
      'inner',
      '-o',
      `jsonpath=${path}`,
    ]);
    return pattern.test(text) ? [] : [text];
  });
}

async function apply(object: object): Promise<void> {
  await mesh.kubectl(federated, ['apply', '-f', '-'], JSON.stringify(object));
}

async function answerOf(domain: string): Promise<string> {
  const name = `inner.default.${scope.federation}.svc.${domain}`;
  return toAnswer(await askDns(mesh.at('dns'), name, clock));
}

test.serial(
  'a private address alone is told of, and found where a private zone has it',
  async (t) => {
    await apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'inner', namespace: 'default' },
      spec: { externalIPs: [address], ports: [{ port: 80 }], selector: { run: 'nginx' } },
    });
    await said(/ClusterIP has no address outside its clusters\. .*a public zone may not carry/);
    const spec = { domain: 'corp.example', provider: 'Embedded', visibility: 'Private' };
    const metadata = { name: 'corp' };
    const zone = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'DNSZone', metadata, spec };
    await apply(zone);
    await eventually(20_000, async () => {
      const found = await answerOf('corp.example');
      return found === `A ${address}` ? [] : [`corp.example says ${found}`];
    });
    await said(new RegExp(`^${address} `));
    t.notRegex(await answerOf(scope.domain), /10\.0\.0\.7/, 'a public zone leads there');
  },
);
