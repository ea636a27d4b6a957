// The federation's API with rights, without a transport: any user asks, roles decide.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { startAccess, type AccessStage } from '../../coordinator/api/access/stage.ts';
import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import type { Access, UserInfo } from '../../coordinator/api/machinery/access/access.ts';
import type { Api, ApiOptions, ApiRequest } from '../../coordinator/api/machinery/api.ts';
import { createApi } from '../../coordinator/api/machinery/server.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { createProjection } from '../../coordinator/desired/projection.ts';
import type { Desired } from '../../coordinator/desired/store.ts';

export function user(name: string, ...groups: readonly string[]): UserInfo {
  return { name, groups: [...groups, 'system:authenticated'] };
}

export const root = user('root', 'system:masters');

export interface AccessAnswer {
  readonly status: number;
  readonly text: string;
  /** Of a Status or an object; tests reach into it. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly message: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

export type Ask = (
  who: UserInfo | undefined,
  method: string,
  target: string,
  body?: unknown,
  more?: Partial<ApiRequest>,
) => Promise<AccessAnswer>;

export interface AccessApi {
  readonly api: Api;
  readonly desired: Desired;
  readonly rights: AccessStage;
  readonly ask: Ask;
  /** As root; fails the test by an error when the server refuses. */
  make(target: string, object: object): Promise<void>;
  close(): Promise<void>;
}

export async function startAccessApi(
  options: {
    readonly reviewToken?: Access['reviewToken'];
    readonly more?: Partial<ApiOptions>;
  } = {},
): Promise<AccessApi> {
  const kinds = federationKinds({ caHash: 'none' });
  const common = { clock: systemClock, log: silentLog, metrics: silentMetrics };
  const store = createMemoryStore({ disk: createMemoryDisk('access') });
  const desired = await createDesired({ ...common, store });
  for (const name of ['default', 'shop']) await addNamespace(desired, name);
  const ports = { ...common, desired, chance: systemChance };
  const rights = await startAccess(ports, { kinds, reviewToken: options.reviewToken });
  const projected = kinds.filter(({ storage }) => storage === 'projected');
  const projections = new Map(
    projected.map(({ group, plural }) => [
      `${group}/${plural}`,
      createProjection({ epoch: 1, group, resource: plural, clock: systemClock }),
    ]),
  );
  const { access } = rights;
  const api = createApi({
    ...ports,
    kinds,
    projections,
    access,
    authorize: access.authorize,
    version: { gitVersion: 'v1.34.0+isthmus.1' },
    ...options.more,
  });
  const ask: Ask = (who, method, target, body, more) =>
    call(api, { who, method, target, body, more });
  return {
    api,
    desired,
    rights,
    ask,
    make: async (target, object) => {
      const { status, text } = await ask(root, 'POST', target, object);
      if (status !== 201) throw new Error(text);
      await rights.idle();
    },
    close: async () => {
      await api.close();
      await rights.stop();
      await desired.close();
    },
  };
}

async function addNamespace(desired: Desired, name: string): Promise<void> {
  const key = toLogKey({ group: '', resource: 'namespaces', name });
  const object: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  };
  await desired.write({ key, object, expected: toRevision(0) });
}

async function call(
  api: Api,
  asked: {
    readonly who: UserInfo | undefined;
    readonly method: string;
    readonly target: string;
    readonly body: unknown;
    readonly more: Partial<ApiRequest> | undefined;
  },
): Promise<AccessAnswer> {
  const { who, method, target, body, more } = asked;
  const bytes =
    body instanceof Uint8Array ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const response = await api.handle({
    method,
    target,
    headers: {},
    body: bytes,
    user: who,
    signal: new AbortController().signal,
    ...more,
  });
  const text =
    response.body instanceof Uint8Array ? Buffer.from(response.body).toString('utf8') : '';
  const json = parse(text);
  const { status, headers } = response;
  return { status, text, json, message: String(json['message'] ?? ''), headers };
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/** A binding of a ClusterRole to one user, cluster-wide or in a namespace. */
export function bind(
  name: string,
  to: { readonly role: string; readonly kind?: string; readonly user: string },
): object {
  return {
    metadata: { name },
    roleRef: { kind: to.kind ?? 'ClusterRole', name: to.role },
    subjects: [{ kind: 'User', name: to.user }],
  };
}

export const paths = {
  clusterRoles: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  clusterRoleBindings: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  roles: '/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles',
  roleBindings: '/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings',
  services: '/api/v1/namespaces/shop/services',
} as const;
