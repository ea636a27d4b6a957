import test from 'ava';
import fc from 'fast-check';
import type { Service } from '../../common/model/kube-object.ts';
import { planPlacement } from '../../coordinator/placement/plan.ts';
import { createServiceApi, type ServiceApi } from '../support/service-api.ts';

const port = fc.record(
  {
    port: fc.integer({ min: 1, max: 65_535 }),
    protocol: fc.constantFrom('TCP', 'UDP'),
    nodePort: fc.integer({ min: 30_000, max: 32_767 }),
  },
  { requiredKeys: ['port'] },
);

const spec = fc.record(
  {
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
    externalName: fc.constant('a.example'),
    ports: fc
      .array(port, { minLength: 1, maxLength: 3 })
      .map((ports) => ports.map((each, i) => ({ ...each, name: `p${i}` }))),
    clusterIP: fc.constantFrom('None', '10.96.0.7'),
    ipFamilyPolicy: fc.constantFrom('SingleStack', 'PreferDualStack', 'RequireDualStack'),
    externalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
    healthCheckNodePort: fc.integer({ min: 30_000, max: 32_767 }),
    selector: fc.constant({ a: 'b' }),
  },
  { requiredKeys: ['type', 'ports', 'externalName'] },
);

type Wanted = typeof spec extends fc.Arbitrary<infer T> ? T : never;

const virtual = ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'healthCheckNodePort'] as const;

/** Without what its type may not say, so that most are accepted. */
function toPlausible(wanted: Wanted): object {
  const { type, ports, clusterIP, ipFamilyPolicy, externalTrafficPolicy, ...rest } = wanted;
  const isOutside = type === 'NodePort' || type === 'LoadBalancer';
  const { healthCheckNodePort, ...plain } = rest;
  const isChecked = type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
  const isHeadless = clusterIP === 'None';
  return {
    ...plain,
    type,
    ports: ports.map(({ nodePort, ...each }) =>
      isOutside && nodePort !== undefined ? { ...each, nodePort } : each,
    ),
    ...(type === 'ExternalName' || (isHeadless && isOutside) ? {} : { clusterIP }),
    ...(type === 'ExternalName' ? {} : { ipFamilyPolicy }),
    ...(isOutside ? { externalTrafficPolicy } : {}),
    ...(isChecked ? { healthCheckNodePort } : {}),
  };
}

/** What a member would be told that is the federation's own. */
function leakOf(service: Service): string | undefined {
  const manifest = planPlacement({ service, policies: [], clusters: [] }).manifest.spec;
  const told = new Map(Object.entries(manifest));
  const field = virtual.find((name) => told.has(name));
  if (field !== undefined) return field;
  if (JSON.stringify(manifest).includes('nodePort')) return 'nodePort';
  const isHeadless = service.spec.clusterIP === 'None';
  return told.get('clusterIP') === (isHeadless ? 'None' : undefined) ? undefined : 'clusterIP';
}

test('P3 no shard carries what the federation gave, nor node ports that the user chose', async (t) => {
  let stored = 0;
  await fc.assert(
    fc.asyncProperty(spec, async (wanted) => {
      const api: ServiceApi = await createServiceApi({ addresses: '10.96.0.0/16,fd00::/112' });
      const answer = await api.create('web', toPlausible(wanted));
      if (answer.status !== 201) return;
      stored += 1;
      t.is(leakOf(answer.json as unknown as Service), undefined);
    }),
    { numRuns: 150 },
  );
  t.true(stored > 75, `${stored} Services were accepted`);
});
