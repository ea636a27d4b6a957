// What Terraform's provider for Kubernetes sends, from its sources: kubernetes_service_v1 creates,
// polls, updates by JSON patch, deletes and polls; kubernetes_manifest finds the kind by discovery,
// asks whether it is a custom one, reads OpenAPI v2, tries and then applies.

import { eventually } from '../support/eventually.ts';
import { at, listAt, type Ask } from './kube-connection.ts';

const services = '/api/v1/namespaces/default/services';
const apply = { 'content-type': 'application/apply-patch+yaml' };
const deleteOptions = { kind: 'DeleteOptions', apiVersion: 'v1' };
const pollMs = 40_000;

export async function useServiceResource(ask: Ask): Promise<readonly string[]> {
  const facts: string[] = [];
  const say = (fact: string): void => void facts.push(fact);
  const path = `${services}/terraformed`;
  const ports = [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }];
  const body = {
    kind: 'Service',
    apiVersion: 'v1',
    metadata: { name: 'terraformed', namespace: 'default', labels: { app: 'a', old: 'b' } },
    spec: { ports, selector: { app: 'a' }, type: 'LoadBalancer', sessionAffinity: 'None' },
  };
  const made = await ask({ method: 'POST', path: services, body });
  say(`create ${made.status} ${made.type}`);
  await poll(
    async () => listAt((await ask({ path })).json, 'status.loadBalancer.ingress').length > 0,
  );
  say('has an address');
  const version = await ask({ path: '/version' });
  say(`version ${String(at(version.json, 'major'))}.${String(at(version.json, 'minor'))}`);
  const changes = [
    { op: 'replace', path: '/metadata/labels/app', value: 'c' },
    { op: 'remove', path: '/metadata/labels/old' },
    { op: 'replace', path: '/spec/selector', value: { app: 'c' } },
    { op: 'replace', path: '/spec/ports', value: [...ports, { name: 'tls', port: 443 }] },
  ];
  const headers = { 'content-type': 'application/json-patch+json' };
  const updated = await ask({ method: 'PATCH', path, headers, body: changes });
  say(`update ${updated.status}`);
  const { json } = await ask({ path });
  const labels = JSON.stringify(at(json, 'metadata.labels'));
  const numbers = listAt(json, 'spec.ports').map((port) => String(at(port, 'port')));
  say(`read ${labels} ${numbers.join()} ${String(at(json, 'spec.selector.app'))}`);
  const nodePort = at(json, 'spec.ports.0.nodePort');
  say(`keeps its ports: ${nodePort === at(made.json, 'spec.ports.0.nodePort')}`);
  const change = [{ op: 'replace', path: '/spec/type', value: 'ClusterIP' }];
  const inner = await ask({ method: 'PATCH', path, headers, body: change });
  say(`inner ${inner.status} ${String(at(inner.json, 'spec.type'))}`);
  say(`delete ${(await ask({ method: 'DELETE', path, body: deleteOptions })).status}`);
  await poll(async () => (await ask({ path })).status === 404);
  say('is gone');
  return facts;
}

export async function useManifestResource(ask: Ask): Promise<readonly string[]> {
  const facts: string[] = [];
  const say = (fact: string): void => void facts.push(fact);
  say(`kind found: ${await isDiscovered(ask, { group: '', kind: 'ConfigMap' })}`);
  const crd = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' };
  say(`kind of custom kinds found: ${await isDiscovered(ask, crd)}`);
  const customs = await ask({ path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions' });
  say(`custom kinds ${customs.status} ${String(customs.json['kind'])}`);
  const openapi = await ask({ path: '/openapi/v2', headers: { accept: 'application/json' } });
  const schema = at(openapi.json, 'definitions');
  const names = typeof schema === 'object' && schema !== null ? Object.keys(schema) : [];
  const wanted = ['core.v1.ConfigMap', 'apimachinery.pkg.apis.meta.v1.ObjectMeta'];
  say(`schemas: ${wanted.map((name) => names.some((each) => each.endsWith(name))).join()}`);

  const path = '/api/v1/namespaces/default/configmaps/planned';
  const metadata = { name: 'planned', namespace: 'default' };
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'b' } };
  const as = `${path}?fieldManager=Terraform&force=false`;
  const planned = await ask({ method: 'PATCH', path: `${as}&dryRun=All`, headers: apply, body });
  say(`plan ${planned.status}, then ${(await ask({ path })).status}`);
  const applied = await ask({ method: 'PATCH', path: as, headers: apply, body });
  say(`apply ${applied.status} by ${String(at(applied.json, 'metadata.managedFields.0.manager'))}`);
  const rival = { ...body, data: { a: 'c' } };
  const other = `${path}?fieldManager=another&force=false`;
  const refused = await ask({ method: 'PATCH', path: other, headers: apply, body: rival });
  say(`conflict ${refused.status} ${String(at(refused.json, 'details.causes.0.field'))}`);
  say(`delete ${(await ask({ method: 'DELETE', path })).status}`);
  await poll(async () => (await ask({ path })).status === 404);
  return facts;
}

/** As a REST mapper finds a kind: the group's preferred version, then the resources of it. */
async function isDiscovered(
  ask: Ask,
  wanted: { readonly group: string; readonly kind: string },
): Promise<boolean> {
  const groups = await ask({ path: '/apis', headers: { accept: 'application/json' } });
  const group = listAt(groups.json, 'groups').find((each) => at(each, 'name') === wanted.group);
  if (group === undefined && wanted.group !== '') return false;
  const version = String(at(group, 'preferredVersion.groupVersion'));
  const resources = await ask({ path: group === undefined ? '/api/v1' : `/apis/${version}` });
  return listAt(resources.json, 'resources').some((each) => at(each, 'kind') === wanted.kind);
}

function poll(isSo: () => Promise<boolean>): Promise<void> {
  return eventually(pollMs, async () => ((await isSo()) ? [] : ['not yet']));
}
