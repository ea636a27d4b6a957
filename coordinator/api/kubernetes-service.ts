// The Service `kubernetes` of the namespace `default`, and its Endpoints and EndpointSlices: what
// clients of any cluster find its API by. Input: where this API is reached, and the log. Output:
// the Service, written through the API itself; projected objects beside it.
//
//   K1. Deleted, it comes back at once; with other ports or another type it is put right. All else
//       of it is the users', as at a kube-apiserver.
//   K2. It is not federated: no cluster, name or status is ever computed for it.

import { apiServiceKey, toLogKey, toLogPrefix, splitServiceKey } from '../../common/model/ids.ts';
import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import { follow, type Desired } from '../desired/store.ts';
import type { Api } from './machinery/api.ts';
import { parseIp } from './machinery/rules/ip-rules.ts';
import { jsonEquals, own, ownRecord, toJsonObject } from './machinery/schema/json-value.ts';

/** Where clients reach this API. */
export interface ApiAddress {
  /** IP addresses; what is none is left out. */
  readonly hosts: readonly string[];
  readonly port: number;
}

export interface KubernetesServiceOptions {
  readonly at: ApiAddress;
  /** The first of the range of virtual addresses; undefined: Services have none. */
  readonly clusterIP: string | undefined;
  readonly api: Pick<Api, 'handle'>;
  readonly desired: Desired;
  readonly endpoints: { put(object: KubeObject): void };
  readonly endpointSlices: { put(object: KubeObject): void };
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

export interface KubernetesService {
  /** Resolves when the Service is right, or its next attempt waits. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** Publishes where the API is, and keeps the Service right until it is stopped. */
export function keepKubernetesService(options: KubernetesServiceOptions): KubernetesService {
  const { at, desired, clock, chance } = options;
  const birth = (): Birth => ({ uid: chance.uuid(), timestamp: toTimestamp(clock.now()) });
  options.endpoints.put(toEndpoints(at, birth()));
  for (const slice of toSlices(at, birth)) options.endpointSlices.put(slice);
  const loop = createLoop<string>({
    ...options,
    name: 'kubernetes-service',
    run: () => reconcile(options),
  });
  const handle = follow(desired, toLogPrefix('', 'services', namespace), ({ current }) => {
    if (current.key === logKey) loop.mark(apiServiceKey);
  });
  loop.mark(apiServiceKey);
  return {
    idle: () => loop.idle(),
    stop: async () => {
      handle.cancel();
      await loop.stop();
    },
  };
}

const { namespace, name } = splitServiceKey(apiServiceKey);
const logKey = toLogKey({ group: '', resource: 'services', namespace, name });
const path = `/api/v1/namespaces/${namespace}/services`;
const statusOk = 200;
const statusCreated = 201;
const statusInvalid = 422;
/** One of ours, in the audit log too. */
const user = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

async function reconcile(options: KubernetesServiceOptions): Promise<undefined> {
  const stored = options.desired.get(logKey)?.object;
  if (stored === undefined) return create(options);
  if (stored.metadata.deletionTimestamp !== undefined) return undefined; // comes back afterwards
  const spec = ownRecord(toJsonObject(stored), 'spec');
  const wanted = { type: 'ClusterIP', ports: toPorts(options.at) };
  const isRight = own(spec, 'type') === wanted.type && jsonEquals(own(spec, 'ports'), wanted.ports);
  if (isRight) return undefined;
  const object = { ...toJsonObject(stored), spec: { ...spec, ...wanted } };
  const status = await send(options, 'PUT', `${path}/${name}`, object);
  return expectStatus(status, [statusOk]);
}

/** K1. A Service from before ours may have the first address; then any other does. */
async function create(options: KubernetesServiceOptions): Promise<undefined> {
  const { at, clusterIP } = options;
  const post = (spec: JsonObject): Promise<number> =>
    send(options, 'POST', path, toService(at, spec));
  const first = await post(clusterIP === undefined ? {} : { clusterIP });
  if (first !== statusInvalid) return expectStatus(first, [statusCreated]);
  return expectStatus(await post({}), [statusCreated]);
}

function expectStatus(status: number, expected: readonly number[]): undefined {
  if (expected.includes(status)) return undefined;
  const what = `cannot write the Service ${apiServiceKey}: the API answers ${status}`;
  throw new MeshError('retryable', 'KUBERNETES_SERVICE', what);
}

async function send(
  { api }: KubernetesServiceOptions,
  method: string,
  target: string,
  object: JsonObject,
): Promise<number> {
  const { status } = await api.handle({
    method,
    target: `${target}?fieldManager=kube-apiserver`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: Buffer.from(JSON.stringify(object)),
    user,
    signal: new AbortController().signal,
  });
  return status;
}

function toPorts({ port }: ApiAddress): JsonObject['ports'] {
  return [{ name: 'https', protocol: 'TCP', port: 443, targetPort: port }];
}

function toService(at: ApiAddress, spec: JsonObject): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: { component: 'apiserver', provider: name } },
    spec: { type: 'ClusterIP', sessionAffinity: 'None', ports: toPorts(at), ...spec },
  };
}

interface Birth {
  readonly uid: string;
  readonly timestamp: string;
}

function toMetadata({ uid, timestamp }: Birth, labels: Readonly<Record<string, string>>) {
  return { name, namespace, uid, creationTimestamp: timestamp, labels };
}

function endpointPorts({ port }: ApiAddress): readonly object[] {
  return [{ name: 'https', port, protocol: 'TCP' }];
}

/** The label tells whoever mirrors Endpoints that slices of them are there already. */
function toEndpoints(at: ApiAddress, birth: Birth): KubeObject {
  const addresses = at.hosts.filter((host) => parseIp(host) !== undefined);
  const subset = { addresses: addresses.map((ip) => ({ ip })), ports: endpointPorts(at) };
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: toMetadata(birth, { 'endpointslice.kubernetes.io/skip-mirror': 'true' }),
    ...(addresses.length === 0 ? {} : { subsets: [subset] }),
  };
}

/** One for each family; the first has the Service's own name, as everywhere. */
function toSlices(at: ApiAddress, birth: () => Birth): readonly KubeObject[] {
  const families = (['IPv4', 'IPv6'] as const)
    .map((family) => ({
      family,
      hosts: at.hosts.filter((host) => parseIp(host)?.family === family),
    }))
    .filter(({ hosts }) => hosts.length > 0);
  return families.map(({ family, hosts }, index) => {
    const metadata = toMetadata(birth(), { 'kubernetes.io/service-name': name });
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: index === 0 ? metadata : { ...metadata, name: `${name}-${family.toLowerCase()}` },
      addressType: family,
      endpoints: hosts.map((host) => ({ addresses: [host], conditions: { ready: true } })),
      ports: endpointPorts(at),
    };
  });
}
