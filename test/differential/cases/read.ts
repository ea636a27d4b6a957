// Reads: forms of one object and of lists, negotiation, tables, and the options of lists.

import { configMap, service } from '../objects.ts';
import { get, post, put, setup, type Area, type HttpOptions } from '../step.ts';

const accept = (value: string): HttpOptions => ({ headers: { accept: value } });
const as = (form: string, version = 'v1'): string =>
  `application/json;as=${form};v=${version};g=meta.k8s.io`;
const table = accept(as('Table'));
const withTable = (path: string, title: string, options: HttpOptions = table) =>
  get(title, path, options);

const objects = [
  setup(
    post(
      'one',
      'services',
      service('one', { selector: { app: 'a', tier: 'b' } }, { labels: { app: 'a' } }),
    ),
  ),
  setup(
    post('two', 'services', service('two', { type: 'NodePort' }, { labels: { app: 'b', x: 'y' } })),
  ),
  setup(
    post('three', 'services', service('three', { type: 'LoadBalancer' }, { labels: { app: 'c' } })),
  ),
  setup(
    post(
      'four',
      'services',
      service('four', { type: 'ExternalName', externalName: 'a.example.com' }),
    ),
  ),
  setup(post('five', 'services', service('five', { clusterIP: 'None', selector: { a: 'b' } }))),
  setup(post('six', 'services', service('six', { externalIPs: ['192.0.2.2', '192.0.2.1'] }))),
  setup(post('a map', 'configmaps', configMap('map', { a: 'b', c: 'd' }))),
  setup(
    put('addresses', 'services/three/status', {
      ...service('three', { type: 'LoadBalancer' }),
      status: {
        loadBalancer: {
          ingress: [{ ip: '198.51.100.9' }, { hostname: 'lb.example.com' }, { ip: '198.51.100.3' }],
        },
      },
    }),
  ),
];

export const negotiation: Area = {
  name: 'negotiation',
  steps: [
    ...objects.slice(0, 2),
    get('no Accept [k8s 25]', 'services/one', accept('')),
    get('*/* [k8s 25]', 'services/one', accept('*/*')),
    get('application/* [k8s 25]', 'services/one', accept('application/*')),
    get('YAML [k8s 25]', 'services/one', {
      ...accept('application/yaml'),
      pick: (body) =>
        String(body)
          .split('\n')
          .filter((line) => /^\S/.test(line)),
    }),
    get('by q-values [k8s 25]', 'services/one', {
      ...accept('application/yaml;q=0.1,application/json;q=0.9'),
    }),
    get('something else [k8s 25]', 'services/one', accept('text/html')),
    get('something else, a list [k8s 25]', 'services', accept('text/html')),
    get('HTML, else anything [k8s 25]', 'services/one', accept('text/html,*/*;q=0.8')),
    get('malformed Accept [k8s 25]', 'services/one', accept(';;;')),
    get('an unknown form [k8s 25]', 'services/one', accept(as('Nonsense'))),
    get(
      'an unknown form, else JSON [k8s 25]',
      'services/one',
      accept(`${as('Nonsense')},application/json`),
    ),
    get('a table of an unknown version [k8s 25]', 'services', accept(as('Table', 'v9'))),
    get('a table of v1beta1 [k8s 66]', 'services/one', accept(as('Table', 'v1beta1'))),
    get('a list as one partial object [k8s 39]', 'services', accept(as('PartialObjectMetadata'))),
    get('one as a partial list [k8s 39]', 'services/one', accept(as('PartialObjectMetadataList'))),
    get('partial object [k8s 39]', 'services/one', accept(as('PartialObjectMetadata'))),
    get(
      'partial object of v1beta1 [k8s 39]',
      'services/one',
      accept(as('PartialObjectMetadata', 'v1beta1')),
    ),
    get('partial list [k8s 39]', 'services', accept(as('PartialObjectMetadataList'))),
    get('an error as table [k8s 39]', 'services/missing', table),
    get('a table as YAML [k8s 25]', 'services/one', {
      ...accept('application/yaml;as=Table;v=v1;g=meta.k8s.io'),
      pick: (body) => String(body).split('\n').slice(0, 2),
    }),
    post('415 [k8s 25]', 'services', 'x', { headers: { 'content-type': 'text/plain' } }),
    post('form [k8s 25]', 'services', 'a=b', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
    post('no Content-Type [k8s 25]', 'services', service('untyped'), {
      headers: { 'content-type': '' },
    }),
    post('a charset [k8s 25]', 'services', service('charset'), {
      headers: { 'content-type': 'application/json; charset=utf-8' },
    }),
    post('malformed Content-Type [k8s 25]', 'services', service('x'), {
      headers: { 'content-type': 'application' },
    }),
    post('a write as table [k8s 25]', 'services', service('tabled'), table),
    post(
      'a write as partial object [k8s 25]',
      'services',
      service('part'),
      accept(as('PartialObjectMetadata')),
    ),
    post(
      'a write that cannot be answered [k8s 25]',
      'services',
      service('html'),
      accept('text/html'),
    ),
    get('the write is not there [k8s 25]', 'services/html'),
    get('pretty [k8s 46]', 'services/missing?pretty=true', {
      pick: (body) => JSON.stringify(body),
    }),
  ],
};

export const tables: Area = {
  name: 'tables',
  steps: [
    ...objects,
    withTable('services', 'Services [k8s 35]'),
    withTable('services/one', 'one Service [k8s 35]'),
    withTable('services/three', 'one LoadBalancer [k8s 35]'),
    withTable('services?includeObject=None', 'without objects [k8s 38]'),
    withTable('services/one?includeObject=Object', 'with the object [k8s 38]'),
    withTable('services/one?includeObject=Metadata', 'with metadata [k8s 38]'),
    withTable('services/one?includeObject=Nonsense', 'with nonsense [k8s 38]'),
    withTable('services?limit=2', 'a page [k8s 35]'),
    withTable('services?labelSelector=app%3Dnone', 'no rows [k8s 35]'),
    withTable('configmaps', 'ConfigMaps [k8s 35]'),
    withTable('secrets', 'no Secrets [k8s 35]'),
    withTable('events', 'no Events [k8s 35]'),
    withTable('endpoints', 'no Endpoints [k8s 44]'),
    withTable(
      '/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices',
      'no EndpointSlices [k8s 44]',
    ),
    withTable('/apis/coordination.k8s.io/v1/namespaces/{ns}/leases', 'no Leases [k8s 35]'),
    withTable('/api/v1/namespaces/{ns}', 'a Namespace [k8s 35]'),
    withTable('/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles', 'no Roles [k8s 35]'),
    withTable(
      '/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings',
      'no RoleBindings [k8s 35]',
    ),
  ],
};

export const lists: Area = {
  name: 'lists',
  steps: [
    ...objects,
    get('all, in order [k8s 56]', 'services', { save: { rv: ['metadata', 'resourceVersion'] } }),
    get('one [k8s 56]', 'services/one'),
    get('missing [k8s 37]', 'services/missing'),
    get('a name that cannot be [k8s 37]', 'services/A_b'),
    get('an unknown namespace [k8s 57]', '/api/v1/namespaces/missing/services'),
    get('limit [k8s 49]', 'services?limit=2', { save: { page: ['metadata', 'continue'] } }),
    get('the second page [k8s 48]', 'services?limit=2&continue={page}', {
      save: { page: ['metadata', 'continue'] },
    }),
    get('the last page [k8s 48]', 'services?limit=2&continue={page}'),
    get('limit of all [k8s 49]', 'services?limit=6'),
    get('limit 0 [k8s 49]', 'services?limit=0'),
    get('limit below 0 [k8s 49]', 'services?limit=-1'),
    get('limit as text [k8s 49]', 'services?limit=x'),
    get('limit with a selector [k8s 49]', 'services?limit=1&labelSelector=app'),
    get('continue without limit [k8s 48]', 'services?continue={page}'),
    get('junk token [k8s 48]', 'services?limit=2&continue=junk'),
    get('token and revision [k8s 48]', 'services?limit=2&continue={page}&resourceVersion=1'),
    get('token and revision 0 [k8s 48]', 'services?limit=2&continue={page}&resourceVersion=0'),
    get('token and match [k8s 52]', 'services?limit=2&continue={page}&resourceVersionMatch=Exact'),
    get('revision 0 [k8s 51]', 'services?resourceVersion=0'),
    get('revision of the list [k8s 51]', 'services?resourceVersion={rv}'),
    get('revision of nonsense [k8s 51]', 'services?resourceVersion=x'),
    get('revision below 0 [k8s 51]', 'services?resourceVersion=-1'),
    get('revision of the future [k8s 51]', 'services?resourceVersion=9000000000000000'),
    get('one at revision 0 [k8s 51]', 'services/one?resourceVersion=0'),
    get('one at nonsense [k8s 51]', 'services/one?resourceVersion=x'),
    get('one of the future [k8s 51]', 'services/one?resourceVersion=9000000000000000'),
    get('match Exact [k8s 52]', 'services?resourceVersion={rv}&resourceVersionMatch=Exact'),
    get(
      'match NotOlderThan [k8s 52]',
      'services?resourceVersion={rv}&resourceVersionMatch=NotOlderThan',
    ),
    get('match Exact of 0 [k8s 52]', 'services?resourceVersion=0&resourceVersionMatch=Exact'),
    get(
      'match NotOlderThan of 0 [k8s 52]',
      'services?resourceVersion=0&resourceVersionMatch=NotOlderThan',
    ),
    get('match without revision [k8s 52]', 'services?resourceVersionMatch=Exact'),
    get('match of nonsense [k8s 52]', 'services?resourceVersion={rv}&resourceVersionMatch=x'),
    get(
      'match and limit [k8s 52]',
      'services?limit=1&resourceVersion={rv}&resourceVersionMatch=Exact',
    ),
    get('initial events on a list [k8s 52]', 'services?sendInitialEvents=true'),
    ...[
      'app=a',
      'app==a',
      'app!=a',
      'app',
      '!app',
      'app in (a,b)',
      'app notin (a,b)',
      'app=a,x',
      'app in ()',
      'app=',
      'app>1',
      'app<2',
      'app in (a',
      'a b',
      '=a',
      'app=a=b',
      ',',
      'app in a',
      'x=y,app=b',
      '-a=b',
    ].map((selector) =>
      get(
        `label selector ${selector} [k8s 53]`,
        `services?labelSelector=${encodeURIComponent(selector)}`,
        {
          pick: namesOrError,
        },
      ),
    ),
    ...[
      'metadata.name=one',
      'metadata.name!=one',
      'metadata.namespace={ns}',
      'metadata.namespace=other',
      'spec.type=NodePort',
      'spec.clusterIP=None',
      'spec.type!=ClusterIP,metadata.name!=two',
      'spec.foo=a',
      'metadata.labels=a',
      'foo',
      'metadata.name',
      'metadata.name=one,',
      'metadata.name==two',
      '=',
      'metadata.name>a',
      'metadata.name=a\\,b',
    ].map((selector) =>
      get(
        `field selector ${selector} [k8s 54]`,
        `services?fieldSelector=${encodeURIComponent(selector).replaceAll('%7B', '{').replaceAll('%7D', '}')}`,
        {
          pick: namesOrError,
        },
      ),
    ),
    get('field selector of ConfigMaps [k8s 54]', 'configmaps?fieldSelector=metadata.name%3Dmap'),
    get('unsupported of ConfigMaps [k8s 54]', 'configmaps?fieldSelector=data%3Dx'),
    get('of Secrets [k8s 54]', 'secrets?fieldSelector=type%3DOpaque'),
    get(
      'of Namespaces [k8s 54]',
      '/api/v1/namespaces?fieldSelector=status.phase%3DActive,metadata.name%3D{ns}',
    ),
    get('of Events, unsupported [k8s 54]', 'events?fieldSelector=message%3Dx'),
    get('timeoutSeconds of nonsense', 'services?timeoutSeconds=x'),
    get('watch of nonsense', 'services?watch=maybe', { pick: namesOrError }),
    get('unknown parameters are ignored', 'services/one?nonsense=1'),
    get('across namespaces [k8s 36]', '/api/v1/services?fieldSelector=metadata.namespace%3D{ns}'),
  ],
};

function namesOrError(body: unknown): unknown {
  const { items, ...rest } = body as {
    readonly items?: readonly { readonly metadata: { readonly name: string } }[];
  };
  return { ...rest, items: items?.map(({ metadata }) => metadata.name) };
}
