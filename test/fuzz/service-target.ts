// Addresses and node ports of Services: whatever is created, changed and deleted, none is given twice,
// none is lost.

import fc from 'fast-check';
import { toLogPrefix } from '../../common/model/ids.ts';
import type { Json, JsonObject } from '../../common/model/kube-object.ts';
import {
  isRecord,
  ownList,
  ownRecord,
  toJsonObject,
} from '../../coordinator/api/machinery/schema/json-value.ts';
import { createServiceApi, type ServiceApi } from '../support/service-api.ts';
import { mutate, mutationsOf } from './inputs.ts';
import { seedObjects } from './seed-objects.ts';
import { law, type FuzzTarget } from './target.ts';

const addressValue = fc.constantFrom<Json>(
  '10.96.0.1',
  '10.96.0.2',
  '10.96.0.9',
  'None',
  '',
  null,
  'x',
  '::1',
);
const portValue = fc.constantFrom<Json>(30_000, 30_001, 29_999, 0, null, -1, 'x');
const value = fc.oneof(
  addressValue,
  portValue,
  fc.constantFrom<Json>('NodePort', 'ClusterIP', 'LoadBalancer', 'ExternalName', [], {}),
);
const fields: fc.Arbitrary<JsonObject> = fc.record(
  {
    clusterIP: addressValue,
    clusterIPs: fc.array(addressValue, { maxLength: 2 }),
    type: fc.constantFrom<Json>('NodePort', 'ClusterIP', 'LoadBalancer', 'ExternalName'),
    healthCheckNodePort: portValue,
    allocateLoadBalancerNodePorts: fc.boolean(),
    externalTrafficPolicy: fc.constantFrom<Json>('Local', 'Cluster'),
    externalName: fc.constant('a.example'),
    ports: fc.array(
      fc.record(
        {
          name: fc.constantFrom('a', 'b'),
          port: fc.constantFrom(80, 81),
          nodePort: portValue,
          protocol: fc.constantFrom('TCP', 'UDP'),
        },
        { requiredKeys: ['port'] },
      ) as fc.Arbitrary<Json>,
      { maxLength: 3 },
    ),
  },
  { requiredKeys: [] },
);
const step = fc.record({
  how: fc.constantFrom('create', 'create', 'patch', 'put', 'delete', 'dry'),
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  seed: fc.nat({ max: 5 }),
  fields,
  mutations: mutationsOf(value, 2),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const addresses = 6; // of a /29, without its first and last
const portsInRange = 8;

export const serviceTarget: FuzzTarget = {
  name: 'service',
  laws: [
    law(
      'nothing is given twice, nothing leaks, a delete frees',
      fc.asyncProperty(
        fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 8 }),
        async (rounds) => {
          const api = await createServiceApi({ addresses: '10.96.0.0/29', ports: '30000-30007' });
          try {
            for (const round of rounds) {
              const codes = await Promise.all(round.map((each) => perform(api, each)));
              const fault = codes.find((code) => code !== '');
              if (fault !== undefined) throw new Error(fault);
              checkUnique(api);
            }
            await checkFree(api);
          } finally {
            await api.fixture.api.close();
            api.pools.close();
            await api.desired.close();
          }
        },
      ),
    ),
  ],
};

/** What was answered, when it is a fault. */
async function perform(api: ServiceApi, of: Step): Promise<string> {
  const { how, name, seed, mutations } = of;
  const seeds = seedObjects['/Service'] ?? [];
  const spec = mutate({ ...ownRecord(seeds[seed] ?? {}, 'spec'), ...of.fields }, mutations);
  const metadata = { name, namespace: 'default' };
  const answer = await {
    create: () => api.create(name, spec),
    dry: () => api.create(name, spec, {}, '?dryRun=All'),
    patch: () => api.patch(name, { spec: mutate(of.fields, mutations) }),
    put: () => api.put(name, { apiVersion: 'v1', kind: 'Service', metadata, spec }),
    delete: () => api.remove(name),
  }[how]();
  const isFull = /failed to allocate |duplicate nodePort|is already allocated/.test(answer.text);
  return answer.status >= 500 && !isFull ? `${how}: ${answer.status} ${answer.text}` : '';
}

interface Held {
  readonly addresses: readonly string[];
  readonly ports: readonly string[];
}

function heldBy(api: ServiceApi): Held {
  const specs = [...api.desired.list(toLogPrefix('', 'services'))].map(({ object }) =>
    ownRecord(toJsonObject(object), 'spec'),
  );
  return {
    addresses: specs.flatMap((spec) =>
      ownList(spec, 'clusterIPs')
        .map(String)
        .filter((each) => each !== 'None'),
    ),
    ports: specs.flatMap((spec) => {
      const ports = ownList(spec, 'ports')
        .filter(isRecord)
        .map((port) => port['nodePort']);
      // One Service may have the same number for TCP and UDP.
      const own = [...ports, spec['healthCheckNodePort']].filter((each) => each !== undefined);
      return [...new Set(own.map(String))];
    }),
  };
}

function checkUnique(api: ServiceApi): void {
  const { addresses: ips, ports } = heldBy(api);
  for (const values of [ips, ports]) {
    if (new Set(values).size !== values.length)
      throw new Error(`given twice: ${values.join(', ')}`);
  }
}

/** All that is not held can be had, and all of it once everything is deleted. */
async function checkFree(api: ServiceApi): Promise<void> {
  for (const name of ['a', 'b', 'c', 'd']) await api.remove(name);
  const made = [];
  for (let index = 0; index < addresses; index += 1) {
    made.push(await api.create(`free-${index}`, { ports: [{ port: 80 }] }));
  }
  for (let index = 0; index < portsInRange; index += 1) {
    const nodePort = 30_000 + index;
    const spec = { type: 'NodePort', ports: [80 + index].map((port) => ({ port, nodePort })) };
    if (index < addresses) made.push(await api.put(`free-${index}`, toService(index, spec)));
  }
  const lost = made.find(({ status }) => status >= 300);
  if (lost !== undefined) throw new Error(`leaked: ${lost.text}`);
}

function toService(index: number, spec: object): object {
  const metadata = { name: `free-${index}`, namespace: 'default' };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec };
}
