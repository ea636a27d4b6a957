import test from 'ava';
import { parsePoolRanges } from '../../coordinator/api/allocation/pool-ranges.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import {
  createServiceApi,
  messageOf,
  portsOf,
  specOf,
  type ServiceApi,
} from '../support/service-api.ts';

const one = { ports: [{ port: 80 }] };

async function addressOf(api: ServiceApi, name: string): Promise<string> {
  return String(specOf(await api.get(name))['clusterIP']);
}

test('[k8s 16] a Service gets an address of the range, in both fields, and owns neither', async (t) => {
  const { create } = await createServiceApi();
  const answer = await create('a', one);
  t.is(answer.status, 201);
  const { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy } = specOf(answer);
  t.regex(String(clusterIP), /^10\.96\.\d+\.\d+$/);
  t.deepEqual([clusterIPs, ipFamilies, ipFamilyPolicy], [[clusterIP], ['IPv4'], 'SingleStack']);
  t.notRegex(JSON.stringify(answer.json['metadata']), /f:clusterIP|f:ipFamil/);
});

test('an address that is taken, or of no range, is refused in the words of Kubernetes', async (t) => {
  const { create } = await createServiceApi();
  t.is((await create('a', { ...one, clusterIP: '10.96.0.10' })).status, 201);
  const taken = await create('b', { ...one, clusterIP: '10.96.0.10' });
  t.is(taken.status, 422);
  t.is(
    messageOf(taken),
    'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated',
  );
  // The same address, written as old releases allowed.
  t.regex(messageOf(await create('b', { ...one, clusterIP: '10.96.0.010' })), /already allocated/);
  for (const clusterIP of ['1.2.3.4', '10.96.0.0', '10.96.255.255']) {
    t.is(
      messageOf(await create('c', { ...one, clusterIP })),
      `Service "c" is invalid: spec.clusterIPs: Invalid value: ["${clusterIP}"]: failed to allocate IP ${clusterIP}: the provided network does not match the current range`,
    );
  }
});

test('a node port that is taken, or out of range, is refused in the words of Kubernetes', async (t) => {
  const { create } = await createServiceApi();
  const asking = (...nodePorts: readonly number[]) => ({
    type: 'NodePort',
    ports: nodePorts.map((nodePort, i) => ({ name: `p${i}`, port: 80 + i, nodePort })),
  });
  t.is((await create('a', asking(30010))).status, 201);
  t.is(
    messageOf(await create('b', asking(30011, 30010))),
    'Service "b" is invalid: spec.ports[1].nodePort: Invalid value: 30010: provided port is already allocated',
  );
  t.is(
    messageOf(await create('b', asking(80))),
    'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  );
  t.is((await create('b', asking(30011))).status, 201, 'what a refused write held is free again');
});

test('two ports of one number share a node port; a load balancer may go without', async (t) => {
  const { create } = await createServiceApi();
  const ports = [
    { name: 'tcp', port: 53, protocol: 'TCP' },
    { name: 'udp', port: 53, protocol: 'UDP' },
    { name: 'web', port: 80 },
  ];
  const [tcp, udp, web] = portsOf(await create('a', { type: 'NodePort', ports }));
  t.is(tcp?.nodePort, udp?.nodePort);
  t.not(tcp?.nodePort, web?.nodePort);
  const bare = await create('b', {
    type: 'LoadBalancer',
    allocateLoadBalancerNodePorts: false,
    ports: [
      { name: 'x', port: 1 },
      { name: 'y', port: 2, nodePort: 30500 },
    ],
  });
  t.deepEqual(
    portsOf(bare).map(({ nodePort }) => nodePort),
    [undefined, 30500],
  );
});

test('[k8s 79] a local load balancer gets a port for its health check, which stays', async (t) => {
  const { create, patch } = await createServiceApi();
  const local = { ...one, type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
  const port = Number(specOf(await create('a', local))['healthCheckNodePort']);
  t.true(port >= 30000 && port <= 32767);
  const changed = await patch('a', {
    spec: { healthCheckNodePort: port === 30001 ? 30002 : 30001 },
  });
  t.is(changed.status, 422);
  t.regex(messageOf(changed), /spec\.healthCheckNodePort: Forbidden: field is immutable$/);
  t.is(
    specOf(await patch('a', { spec: { healthCheckNodePort: null } }))['healthCheckNodePort'],
    port,
  );
  const open = await patch('a', { spec: { externalTrafficPolicy: 'Cluster' } });
  t.is(specOf(open)['healthCheckNodePort'], undefined);
  const other = await create('b', { ...local, healthCheckNodePort: port });
  t.is(other.status, 201, 'the port is free again');
  const third = await create('c', { ...local, healthCheckNodePort: port });
  t.is(third.status, 500);
  t.is(
    messageOf(third),
    `Internal error occurred: failed to allocate requested HealthCheck NodePort ${port}: provided port is already allocated`,
  );
});

test('[k8s 20] a dry run shows the network’s own address, stores nothing and takes nothing', async (t) => {
  const { create, desired, get } = await createServiceApi({ addresses: '10.96.0.0/30' });
  const before = desired.revision();
  for (let round = 0; round < 5; round += 1) {
    const shown = await create('a', { ...one, type: 'NodePort' }, {}, '?dryRun=All');
    t.is(shown.status, 201);
    t.is(specOf(shown)['clusterIP'], '10.96.0.0');
    t.true((portsOf(shown)[0]?.nodePort ?? 0) > 0);
  }
  const chosen = await create('a', { ...one, clusterIP: '1.2.3.4' }, {}, '?dryRun=All');
  t.regex(
    messageOf(chosen),
    /the provided IP \(1\.2\.3\.4\) is not in the valid range\. The range of valid IPs is 10\.96\.0\.0\/30$/,
  );
  t.is(desired.revision(), before);
  t.is((await get('a')).status, 404);
  t.is((await create('a', one)).status, 201, 'the next create gets a working address');
});

test('a range gives what it has, says when it is full, and takes back what a delete frees', async (t) => {
  const api = await createServiceApi({ addresses: '10.96.0.0/29' });
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const made = await Promise.all(names.map((name) => api.create(name, one)));
  t.deepEqual(
    made.map(({ status }) => status),
    names.map(() => 201),
  );
  t.is(new Set(made.map((answer) => specOf(answer)['clusterIP'])).size, 6);
  const refused = await api.create('g', one);
  t.is(refused.status, 500);
  t.is(
    messageOf(refused),
    'Internal error occurred: failed to allocate a serviceIP: range is full',
  );
  const freed = await addressOf(api, 'c');
  t.is((await api.remove('c')).status, 200);
  t.is(specOf(await api.create('g', one))['clusterIP'], freed);
});

test('a restart finds in the log what is taken', async (t) => {
  const first = await createServiceApi({ addresses: '10.96.0.0/30', ports: '30000-30001' });
  const spec = { ...one, type: 'NodePort' };
  t.is((await first.create('a', spec)).status, 201);
  const taken = await addressOf(first, 'a');
  first.pools.close();
  const { disk } = first;
  const second = await createServiceApi({ disk, addresses: '10.96.0.0/30', ports: '30000-30001' });
  t.regex(messageOf(await second.create('b', { ...one, clusterIP: taken })), /already allocated/);
  t.is((await second.create('b', spec)).status, 201);
  t.is(
    messageOf(await second.create('c', one)),
    'Internal error occurred: failed to allocate a serviceIP: range is full',
  );
  await second.remove('a');
  t.is(specOf(await second.create('c', one))['clusterIP'], taken);
});

test('I12 a server that lost the term gives nothing out any more', async (t) => {
  const first = await createServiceApi();
  await acquireTerm({ desired: first.desired, holder: 'another replica' });
  const refused = await first.create('a', one);
  t.true(refused.status >= 500, messageOf(refused));
  t.is((await first.create('b', { type: 'ExternalName', externalName: 'a.example' })).status, 201);
});

test('an answer that the store lost frees nothing that it may have written', async (t) => {
  let isLost = false;
  const api = await createServiceApi({
    addresses: '10.96.0.0/30',
    wrap: (store) => ({
      ...store,
      write: async (request) => {
        const outcome = await store.write(request);
        if (isLost) throw new Error('the answer was lost');
        return outcome;
      },
    }),
  });
  isLost = true;
  t.true((await api.create('a', one)).status >= 500);
  isLost = false;
  const taken = await addressOf(api, 'a');
  const second = await api.create('b', one);
  t.not(specOf(second)['clusterIP'], taken);
  t.is((await api.create('c', one)).status, 500);
});

test('without a range Services get no address, and still their ports', async (t) => {
  const { create, patch } = await createServiceApi({ addresses: 'none' });
  const answer = await create('a', { ...one, type: 'LoadBalancer' });
  t.is(answer.status, 201);
  t.is(specOf(answer)['clusterIP'], undefined);
  t.deepEqual(specOf(answer)['ipFamilies'], ['IPv4']);
  t.true((portsOf(answer)[0]?.nodePort ?? 0) >= 30000);
  t.is((await patch('a', { metadata: { labels: { a: 'b' } } })).status, 200);
});

test('a Service from before there were ranges gets its address with the next write', async (t) => {
  const bare = await createServiceApi({ addresses: 'none' });
  await bare.create('a', one);
  const { disk } = bare;
  const later = await createServiceApi({ disk });
  const touched = await later.patch('a', { metadata: { labels: { a: 'b' } } });
  t.regex(String(specOf(touched)['clusterIP']), /^10\.96\./);
});

test('ranges are read with care', (t) => {
  for (const [addresses, ports, wrong] of [
    ['10.0.0.0/7', '1-2', /prefix from \/8 to \/30/],
    ['fd00::/64', '1-2', /prefix from \/80 to \/126/],
    ['10.0.0.0/16,10.1.0.0/16', '1-2', /two ranges of IPv4/],
    ['010.0.0.0/16', '1-2', /not a range such as/],
    ['x', '1-2', /not a range such as/],
    ['none', '2-1', /service-node-port-range: "2-1" is not a range/],
    ['none', '0-1', /not a range of ports/],
    ['none', '1-65536', /not a range of ports/],
  ] as const) {
    t.regex(String(parsePoolRanges({ addresses, ports })), wrong);
  }
  const ranges = parsePoolRanges({ addresses: '10.1.2.3/16, fd00::/112', ports: '30000-32767' });
  if (typeof ranges === 'string') return t.fail(ranges);
  t.deepEqual(
    ranges.addresses.map(({ text, size, reserved }) => [text, size, reserved]),
    [
      ['10.1.0.0/16', 65_534, 256],
      ['fd00::/112', 65_535, 256],
    ],
  );
  t.deepEqual([ranges.ports.size, ranges.ports.reserved], [2768, 86]);
});
