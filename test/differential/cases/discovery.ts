// What a client learns before it asks for anything.

import { get, send, type Area } from '../step.ts';

type Json = Record<string, unknown>;

const served = new Set(['services', 'namespaces', 'events', 'configmaps', 'secrets', 'endpoints']);

/** Of a list of resources, those that the federation serves, with what it serves of them. */
function resources(body: unknown): unknown {
  const list = body as { readonly resources: readonly (Json & { readonly name: string })[] };
  const ours = list.resources.filter(({ name }) => {
    const [plural = '', subresource] = name.split('/');
    return served.has(plural) && subresource !== 'proxy';
  });
  return { ...list, resources: byKey(ours, 'name') };
}

/** A list whose order is each server's own, as a map. */
function byKey(list: readonly Json[], key: string): Json {
  return Object.fromEntries(list.map((item) => [String(item[key]), item]));
}

function aggregated(body: unknown): unknown {
  const list = body as {
    readonly items: readonly {
      readonly metadata: Json;
      readonly versions: readonly {
        readonly resources: readonly (Json & { readonly resource: string })[];
      }[];
    }[];
  };
  const items = list.items.map((item) => ({
    ...item,
    metadata: { name: item.metadata['name'] },
    versions: item.versions.map((version) => ({
      ...version,
      resources: byKey(
        version.resources
          .filter(({ resource }) => served.has(resource))
          .map((resource) => ({
            ...resource,
            subresources: ((resource['subresources'] ?? []) as Json[]).filter(
              ({ subresource }) => subresource !== 'proxy',
            ),
          })),
        'resource',
      ),
    })),
  }));
  return { ...list, items };
}

const groupsServed = new Set([
  'authentication.k8s.io',
  'authorization.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'rbac.authorization.k8s.io',
]);

const groups = (body: unknown): unknown =>
  byKey(
    (body as { readonly groups: readonly Json[] }).groups.filter(({ name }) =>
      groupsServed.has(String(name)),
    ),
    'name',
  );

/** Of a group's resources, by name, for groups of which we serve a part. */
const named = (body: unknown): unknown => {
  const list = body as { readonly resources?: readonly Json[] };
  return { ...list, resources: byKey(list.resources ?? [], 'name') };
};

const accept = (value: string) => ({ headers: { accept: value } });
const aggregatedV2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const aggregatedBeta = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList';
export const discovery: Area = {
  name: 'discovery',
  steps: [
    get('legacy /api [k8s 1]', '/api', {
      pick: (body) => ({ ...(body as Json), serverAddressByClientCIDRs: [] }),
    }),
    get('legacy /apis [k8s 1]', '/apis', { pick: groups }),
    get('/api/v1 resources [k8s 3]', '/api/v1', { pick: resources }),
    get('/apis/events.k8s.io [k8s 4]', '/apis/events.k8s.io'),
    get('/apis/events.k8s.io/v1 [k8s 4]', '/apis/events.k8s.io/v1', { pick: named }),
    get('/apis/discovery.k8s.io [k8s 4]', '/apis/discovery.k8s.io'),
    get('/apis/coordination.k8s.io/v1 [k8s 4]', '/apis/coordination.k8s.io/v1', { pick: named }),
    get('/apis/authorization.k8s.io/v1 [k8s 4]', '/apis/authorization.k8s.io/v1', { pick: named }),
    get('/apis/authentication.k8s.io/v1 [k8s 4]', '/apis/authentication.k8s.io/v1', {
      pick: named,
    }),
    get('/apis/rbac.authorization.k8s.io/v1 [k8s 4]', '/apis/rbac.authorization.k8s.io/v1', {
      pick: named,
    }),
    get('aggregated /api v2 [k8s 2]', '/api', { ...accept(aggregatedV2), pick: aggregated }),
    get('aggregated /api v2beta1 [k8s 2]', '/api', { ...accept(aggregatedBeta), pick: aggregated }),
    get('aggregated or plain, the first that fits [k8s 2]', '/api', {
      ...accept(
        `application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,${aggregatedV2}`,
      ),
      pick: (body) => (body as Json)['kind'],
    }),
    get('aggregated /apis has its shape [k8s 2]', '/apis', {
      ...accept(aggregatedV2),
      pick: (body) => ({ kind: (body as Json)['kind'], apiVersion: (body as Json)['apiVersion'] }),
    }),
    get('version has its members [k8s 12]', '/version', {
      pick: (body) => Object.keys(body as Json).sort(),
    }),
    get('healthz [k8s 13]', '/healthz'),
    get('livez ping [k8s 13]', '/livez/ping'),
    get('readyz ping [k8s 13]', '/readyz/ping'),
    get('a check that is none [k8s 13]', '/livez/nonsense'),
    get('OpenAPI v3 index entry [k8s 8]', '/openapi/v3', {
      pick: (body) => (body as { paths: Json }).paths['api/v1'],
    }),
    get('OpenAPI v3 with a wrong hash [k8s 8]', '/openapi/v3/api/v1?hash=ABC'),
    get('OpenAPI v3 of an unknown group [k8s 8]', '/openapi/v3/apis/nonsense.io/v1'),
    get('OpenAPI v2 begins as Swagger [k8s 9]', '/openapi/v2', {
      pick: (body) => ({ swagger: (body as Json)['swagger'], keys: Object.keys(body as Json) }),
    }),
    get('unknown path [k8s 14]', '/nonsense'),
    get('unknown group [k8s 14]', '/apis/nonsense.io/v1/things'),
    get('unknown group alone [k8s 14]', '/apis/nonsense.io'),
    get('unknown version [k8s 14]', '/api/v9/services'),
    get('unknown resource [k8s 14]', '/api/v1/namespaces/{ns}/nonsense'),
    get('unknown cluster resource [k8s 14]', '/api/v1/nonsense'),
    get('unknown subresource [k8s 14]', 'services/x/nonsense'),
    get('a namespaced kind by cluster path and name [k8s 14]', '/api/v1/services/x'),
    send('HEAD', 'HEAD of a list [k8s 14]', 'services'),
    send('OPTIONS', 'OPTIONS of a list [k8s 14]', 'services'),
    send('PUT', 'PUT to a list [k8s 14]', 'services'),
    send('PATCH', 'PATCH to a list [k8s 14]', 'services'),
    send('POST', 'POST across namespaces [k8s 14]', '/api/v1/services'),
    send('POST', 'POST to a name [k8s 14]', 'services/x'),
    send('DELETE', 'DELETE of all namespaces [k8s 14]', '/api/v1/namespaces'),
    send('DELETE', 'DELETE across namespaces [k8s 14]', '/api/v1/services'),
    send('FOO', 'a method that is none [k8s 14]', 'services'),
  ],
};
