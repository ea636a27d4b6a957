// What Argo CD sends, from the sources of its engine: version, all resources of the API, OpenAPI v2
// as protobuf, then pages of 500 and a watch of every resource that has both; apply on the server,
// tried first; a Service of type LoadBalancer is healthy once it has an address.

import { readSwagger } from '../support/swagger-reader.ts';
import { eventually } from '../support/eventually.ts';
import { at, listAt, type Ask, type Loose } from './kube-connection.ts';

interface Resource {
  readonly path: string;
  readonly kind: string;
}

const proto = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const apply = { 'content-type': 'application/apply-patch+yaml' };
const services = '/api/v1/namespaces/default/services';

export async function watchAndApply(ask: Ask): Promise<readonly string[]> {
  const facts: string[] = [];
  const say = (fact: string): void => void facts.push(fact);
  say(`version ${(await ask({ path: '/version' })).status}`);
  const openapi = await ask({ path: '/openapi/v2', headers: { accept: proto } });
  say(`openapi ${openapi.status} ${openapi.type}`);
  const schemas = at(readSwagger(openapi.body), 'definitions');
  const service = (schemas as Loose)['io.k8s.api.core.v1.Service'];
  say(`schema of Service: ${service !== undefined}`);

  const resources = await discover(ask);
  const wanted = ['ConfigMap', 'Service', 'EndpointSlice', 'RoleBinding', 'Event', 'Lease'];
  const known = new Set(resources.map(({ kind }) => kind));
  say(`resources: ${wanted.filter((kind) => known.has(kind)).join()}`);
  const faults = await Promise.all(resources.map((resource) => follow(ask, resource)));
  say(`faults: ${faults.flat().join('; ')}`);

  const path = `${services}/argo`;
  const spec = { type: 'LoadBalancer', selector: { app: 'a' }, ports: [{ port: 80 }] };
  const metadata = {
    name: 'argo',
    namespace: 'default',
    annotations: { 'argocd.argoproj.io/tracking-id': 'shop:/Service:default/argo' },
  };
  const body = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  const as = `${path}?fieldManager=argocd-controller&force=true`;
  const tried = await ask({ method: 'PATCH', path: `${as}&dryRun=All`, headers: apply, body });
  say(`tried ${tried.status}, then ${(await ask({ path })).status}`);
  const applied = await ask({ method: 'PATCH', path: as, headers: apply, body });
  say(`applied ${applied.status}`);
  const versionOf = (value: unknown): unknown => at(value, 'metadata.resourceVersion');
  await eventually(40_000, async () => {
    const { json } = await ask({ path });
    return listAt(json, 'status.loadBalancer.ingress').length > 0 ? [] : ['Progressing'];
  });
  say('healthy');
  // Trying again tells what would change: nothing.
  const again = await ask({ method: 'PATCH', path: `${as}&dryRun=All`, headers: apply, body });
  say(`in sync: ${JSON.stringify(at(again.json, 'spec.ports')) === portsOf(applied.json)}`);
  say(`has versions: ${versionOf(applied.json) !== undefined}`);
  const query = '?propagationPolicy=Foreground';
  say(`pruned ${(await ask({ method: 'DELETE', path: `${path}${query}` })).status}`);
  await eventually(40_000, async () =>
    (await ask({ path })).status === 404 ? [] : ['still there'],
  );
  return facts;
}

function portsOf(service: unknown): string {
  return JSON.stringify(at(service, 'spec.ports'));
}

/** Each resource of a preferred version that can be listed and watched. */
async function discover(ask: Ask): Promise<readonly Resource[]> {
  const groups = listAt((await ask({ path: '/apis' })).json, 'groups');
  const versions = groups.map((group) => String(at(group, 'preferredVersion.groupVersion')));
  const roots = ['/api/v1', ...versions.map((version) => `/apis/${version}`)];
  const found = await Promise.all(
    roots.map(async (root) =>
      listAt((await ask({ path: root })).json, 'resources').flatMap((resource) => {
        const verbs = listAt(resource, 'verbs');
        if (!verbs.includes('list') || !verbs.includes('watch')) return [];
        const path = `${root}/${String(at(resource, 'name'))}`;
        return [{ path, kind: String(at(resource, 'kind')) }];
      }),
    ),
  );
  return found.flat();
}

/** What is wrong with its list or its watch. */
async function follow(ask: Ask, { path, kind }: Resource): Promise<readonly string[]> {
  let version: unknown;
  for (let next = ''; ; ) {
    const page = await ask({ path: `${path}?limit=500${next}` });
    if (page.status !== 200) return [`${path}: list ${page.status}`];
    if (page.json['kind'] !== `${kind}List`) return [`${path}: ${String(page.json['kind'])}`];
    version = at(page.json, 'metadata.resourceVersion');
    const token = at(page.json, 'metadata.continue');
    if (typeof token !== 'string' || token === '') break;
    next = `&continue=${encodeURIComponent(token)}`;
  }
  const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=1`;
  const watch = await ask({ path: `${path}?${query}&resourceVersion=${String(version)}` });
  const errors = watch.lines.filter((line) => line['type'] === 'ERROR');
  const isGood = watch.status === 200 && errors.length === 0;
  return isGood ? [] : [`${path}: watch ${watch.status} ${JSON.stringify(errors)}`];
}
