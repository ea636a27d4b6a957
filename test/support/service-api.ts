// The federation's API with addresses and ports for Services, over a store in memory.

import { systemChance, type Chance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { parsePoolRanges } from '../../coordinator/api/allocation/pool-ranges.ts';
import {
  createServicePools,
  type ServicePools,
} from '../../coordinator/api/allocation/service-pools.ts';
import { namespaceKind } from '../../coordinator/api/kinds/namespace.ts';
import { serviceKind } from '../../coordinator/api/kinds/service/service.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import {
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
} from '../../coordinator/desired/memory-store.ts';
import type { Desired, Store } from '../../coordinator/desired/store.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { createApiFixture, type Answer, type ApiFixture } from './api-fixture.ts';

export interface ServiceApiOptions {
  /** Default 10.96.0.0/16. */
  readonly addresses?: string;
  readonly ports?: string;
  /** Of a server that ran before. */
  readonly disk?: MemoryDisk;
  readonly wrap?: (store: Store) => Store;
  /** What generated names are made of. */
  readonly chance?: Chance;
}

export interface ServiceApi {
  readonly fixture: ApiFixture;
  readonly desired: Desired;
  readonly disk: MemoryDisk;
  readonly pools: ServicePools;
  /** POSTs to the namespace default. */
  create(name: string, spec: object, metadata?: object, query?: string): Promise<Answer>;
  get(name: string): Promise<Answer>;
  put(name: string, body: object, query?: string): Promise<Answer>;
  /** A merge patch. */
  patch(name: string, body: object, query?: string): Promise<Answer>;
  remove(name: string): Promise<Answer>;
}

export const servicesPath = '/api/v1/namespaces/default/services';
const mergePatch = { 'content-type': 'application/merge-patch+json' };

export async function createServiceApi(options: ServiceApiOptions = {}): Promise<ServiceApi> {
  const disk = options.disk ?? createMemoryDisk('services');
  const store = createMemoryStore({ disk });
  const common = { clock: systemClock, log: silentLog, metrics: silentMetrics };
  const desired = await createDesired({ ...common, store: options.wrap?.(store) ?? store });
  const ranges = parsePoolRanges({
    addresses: options.addresses ?? '10.96.0.0/16',
    ports: options.ports,
  });
  if (typeof ranges === 'string') throw new Error(ranges);
  const term = await acquireTerm({ desired, holder: 'test' });
  const pools = createServicePools({
    ranges,
    desired,
    term,
    clock: systemClock,
    chance: systemChance,
  });
  // Without the finalizer of the federation, which no stage here would take away.
  const kinds = [namespaceKind, serviceKind({ federation: false, pools })];
  const fixture = await createApiFixture({
    desired,
    kinds,
    chance: options.chance ?? systemChance,
  });
  const { call } = fixture;
  return {
    fixture,
    desired,
    disk,
    pools,
    create: (name, spec, metadata = {}, query = '') =>
      call('POST', `${servicesPath}${query}`, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { ...(name === '' ? {} : { name }), ...metadata },
        spec,
      }),
    get: (name) => call('GET', `${servicesPath}/${name}`),
    put: (name, body, query = '') => call('PUT', `${servicesPath}/${name}${query}`, body),
    patch: (name, body, query = '') =>
      call('PATCH', `${servicesPath}/${name}${query}`, body, mergePatch),
    remove: (name) => call('DELETE', `${servicesPath}/${name}`),
  };
}

/** Of an answer: the spec, for reading. */
export function specOf(answer: Answer): Readonly<Record<string, unknown>> {
  return (answer.json['spec'] ?? {}) as Readonly<Record<string, unknown>>;
}

export function messageOf(answer: Answer): string {
  return String(answer.json['message'] ?? '');
}

export interface ListedPort {
  readonly port: number;
  readonly protocol: string;
  readonly nodePort?: number;
}

export function portsOf(answer: Answer): readonly ListedPort[] {
  return (specOf(answer)['ports'] ?? []) as readonly ListedPort[];
}
