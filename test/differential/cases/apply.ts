// Server-side apply.

import { configMap, service } from '../objects.ts';
import {
  get,
  patch,
  post,
  put,
  setup,
  type Area,
  type HttpOptions,
  type HttpStep,
} from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;

const as = (
  manager: string,
  title: string,
  [path, body]: readonly [string, unknown],
  options: HttpOptions & { readonly query?: string } = {},
): HttpStep =>
  patch('apply', title, `${path}?fieldManager=${manager}${options.query ?? ''}`, body, options);
const force = { query: '&force=true' };
const of = (spec: Fields, metadata: Fields = {}): readonly [string, unknown] => [
  'services/s',
  service('s', spec, metadata),
];
const only = (body: Fields, name = 's'): readonly [string, unknown] => [
  `services/${name}`,
  { apiVersion: 'v1', kind: 'Service', metadata: { name }, ...body },
];
const map = (data: Fields, metadata: Fields = {}): readonly [string, unknown] => [
  'configmaps/m',
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm', ...metadata }, data },
];
const letter = (index: number): string => String.fromCharCode(97 + index);
const at80 = [{ port: 80, name: 'a' }];

export const apply: Area = {
  name: 'apply',
  steps: [
    as('m1', 'creates [k8s 94]', of({ ports: at80, selector: { a: 'b' } }, { labels: { x: '1' } })),
    as('m1', 'again [k8s 94]', of({ ports: at80, selector: { a: 'b' } }, { labels: { x: '1' } })),
    as('m2', 'equal values are shared [k8s 95]', of({ ports: at80 })),
    as('m2', 'a conflict [k8s 95]', of({ ports: at80 }, { labels: { x: '2' } })),
    as(
      'm2',
      'conflicts [k8s 95]',
      of({ ports: [{ port: 80, name: 'z' }], selector: { c: 'd' } }, { labels: { x: '2' } }),
    ),
    as('m2', 'an atomic conflict [k8s 97]', of({ ports: at80, selector: { a: 'b', c: 'd' } })),
    as('m2', 'a granular map has none [k8s 97]', of({ ports: at80 }, { labels: { y: '1' } })),
    as(
      'm2',
      'force [k8s 95]',
      of({ ports: at80, selector: { c: 'd' } }, { labels: { x: '2' } }),
      force,
    ),
    as(
      'm1',
      'loses what was taken [k8s 95]',
      of({ ports: at80, selector: { a: 'b' } }, { labels: { x: '1' } }),
    ),
    as('m1', 'gives up [k8s 96]', of({ ports: at80 })),
    as('m2', 'a port more [k8s 98]', of({ ports: [...at80, { port: 81, name: 'b' }] })),
    as('m2', 'the port given up [k8s 96]', of({ ports: at80 })),
    as(
      'm2',
      'one number, another protocol [k8s 98]',
      of({ ports: [...at80, { port: 80, protocol: 'UDP', name: 'u' }] }),
    ),
    as('m2', 'another number adds a port [k8s 98]', of({ ports: [{ port: 90, name: 'a' }] })),
    as('m2', 'a key twice [k8s 98]', of({ ports: [...at80, { port: 80, name: 'b' }] })),
    as('m1', 'everything given up [k8s 96]', only({})),
    get('after giving up [k8s 96]', 'services/s'),
    as('m1', 'an unknown field [k8s 99]', of({ foo: 1 })),
    as('m1', 'an unknown field, Ignore [k8s 99]', of({ foo: 1 }), {
      query: '&fieldValidation=Ignore',
    }),
    as('m1', 'an unknown field, Strict [k8s 99]', of({ foo: 1 }), {
      query: '&fieldValidation=Strict',
    }),
    as('m1', 'a wrong type [k8s 99]', of({ ports: 'x' })),
    as('m1', 'a text for a number [k8s 99]', of({ ports: [{ port: 'x' }] })),
    as('m1', 'no version [k8s 99]', ['services/s', { kind: 'Service', metadata: { name: 's' } }]),
    as('m1', 'no kind [k8s 99]', ['services/s', { apiVersion: 'v1', metadata: { name: 's' } }]),
    as('m1', 'nothing [k8s 99]', ['services/s', {}]),
    as('m1', 'an empty body [k8s 99]', ['services/s', '']),
    as('m1', 'garbage [k8s 99]', ['services/s', '{{']),
    as('m1', 'another kind [k8s 99]', ['services/s', configMap('s')]),
    as('m1', 'another version [k8s 99]', ['services/s', { ...service('s'), apiVersion: 'v9' }]),
    as('m1', 'another name [k8s 99]', ['services/s', service('other')]),
    as('m1', 'no name [k8s 99]', ['services/s', { apiVersion: 'v1', kind: 'Service' }]),
    as('m1', 'another namespace [k8s 99]', of({}, { namespace: 'other' })),
    as('m1', 'managedFields [k8s 99]', of({}, { managedFields: [{ manager: 'x' }] })),
    as('m1', 'an old revision [k8s 99]', of({}, { resourceVersion: '1' })),
    as('m1', 'a uid on create [k8s 99]', ['services/uid', service('uid', {}, { uid: 'zzz' })]),
    as('m1', 'a revision on create [k8s 99]', [
      'services/rv',
      service('rv', {}, { resourceVersion: '1' }),
    ]),
    as('m1', 'an invalid object [k8s 99]', of({ ports: [{ port: 80, protocol: 'X' }] })),
    as('m1', 'YAML [k8s 94]', [
      'services/y',
      'apiVersion: v1\nkind: Service\nmetadata: {name: y}\nspec:\n  ports:\n  - port: 80\n',
    ]),
    as('m1', 'YAML of two documents [k8s 99]', [
      'services/y',
      'apiVersion: v1\n---\nkind: Service\n',
    ]),
    patch('apply', 'no manager [k8s 99]', 'services/s', service('s')),
    as('', 'an empty manager [k8s 99]', of({})),
    as('x'.repeat(129), 'a manager too long [k8s 34]', of({})),
    as('m1', 'a force that is none [k8s 99]', of({}), { query: '&force=x' }),
    as('m3', 'dry run [k8s 103]', of({ ports: at80 }, { labels: { dry: 'run' } }), {
      query: '&dryRun=All',
    }),
    as('m3', 'dry run of a new one [k8s 103]', ['services/dry', service('dry')], {
      query: '&dryRun=All',
    }),
    get('after the dry run [k8s 103]', 'services/dry'),
  ],
};

export const managedFields: Area = {
  name: 'managed-fields',
  steps: [
    setup(post('an owner', 'configmaps', configMap('o'), { save: { o: ['metadata', 'uid'] } })),
    post(
      'create [k8s 100]',
      'services',
      service(
        's',
        { selector: { a: 'b' }, type: 'LoadBalancer' },
        {
          labels: { l: '1' },
          annotations: { n: '1' },
          finalizers: ['example.com/f'],
        },
      ),
    ),
    put(
      'update by another [k8s 100]',
      'services/s?fieldManager=editor',
      service('s', { selector: { a: 'c' }, type: 'LoadBalancer' }, { labels: { l: '2' } }),
    ),
    patch('merge', 'patch by a third [k8s 100]', 'services/s?fieldManager=patcher', {
      metadata: { annotations: { n: '2' } },
      spec: { ports: [{ port: 81, name: 'x' }] },
    }),
    patch('json', 'a field removed [k8s 100]', 'services/s?fieldManager=remover', [
      { op: 'remove', path: '/spec/selector' },
    ]),
    put('status by a controller [k8s 101]', 'services/s/status?fieldManager=controller', {
      ...service('s', { type: 'LoadBalancer' }),
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
    }),
    as('applier', 'status by apply [k8s 101]', [
      'services/s/status',
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 's' },
        status: {
          conditions: [
            {
              type: 'Ok',
              status: 'True',
              reason: 'R',
              message: 'm',
              lastTransitionTime: '2020-01-01T00:00:00Z',
            },
          ],
        },
      },
    ]),
    as(
      'applier',
      'status of the wrong path [k8s 101]',
      only({
        status: { loadBalancer: { ingress: [{ ip: '1.2.3.9' }] } },
      }),
    ),
    as('applier', 'spec by the status path [k8s 101]', [
      'services/s/status',
      service('s', { selector: { q: 'r' } }),
    ]),
    as(
      'applier',
      'a conflict with an update [k8s 95]',
      only({ spec: { ports: [{ port: 81, name: 'y' }] } }),
    ),
    as('applier', 'a conflict with status [k8s 95]', [
      'services/s/status',
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 's' },
        status: { loadBalancer: { ingress: [{ ip: '1.2.3.8' }] } },
      },
    ]),
    as(
      'applier',
      'metadata sets [k8s 98]',
      only({
        metadata: {
          name: 's',
          finalizers: ['example.com/g'],
          ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: '{o}' }],
        },
      }),
    ),
    as('applier', 'metadata sets given up [k8s 96]', only({})),
    patch('merge', 'tracking reset [k8s 102]', 'services/s', { metadata: { managedFields: [{}] } }),
    patch('merge', 'no tracking after it [k8s 102]', 'services/s', {
      metadata: { labels: { after: '1' } },
    }),
    as(
      'applier',
      'before the first apply [k8s 102]',
      only({ metadata: { name: 's', labels: { after: '2' } } }),
    ),
    as(
      'applier',
      'forced [k8s 102]',
      only({ metadata: { name: 's', labels: { after: '2' } } }),
      force,
    ),
    as('m1', 'a map [k8s 94]', map({ a: '1', b: '2' })),
    as('m2', 'another key [k8s 97]', map({ c: '3' })),
    as('m2', 'a key of another [k8s 97]', map({ a: '9', c: '3' })),
    as('m1', 'a key given up [k8s 96]', map({ a: '1' })),
    as('m1', 'all given up [k8s 96]', [
      'configmaps/m',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' } },
    ]),
    setup(
      post(
        'client-side',
        'services?fieldManager=kubectl-client-side-apply',
        service(
          'c',
          {},
          {
            annotations: {
              'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(
                service('c', {}, { annotations: {}, namespace: 'x', labels: { gone: '1' } }),
              ),
            },
            labels: { gone: '1' },
          },
        ),
      ),
    ),
    as(
      'kubectl',
      'from client-side apply [k8s 102]',
      ['services/c', service('c', {}, { labels: { now: '1' } })],
      force,
    ),
    // The oldest go by their second and then by name: with names that rise in the order of writing
    // it is one order, however many seconds the twelve take at either server.
    ...Array.from({ length: 12 }, (_, index) =>
      setup(
        patch('merge', `manager ${index}`, `configmaps/m?fieldManager=u${letter(index)}`, {
          data: { [`k${letter(index)}`]: 'v' },
        }),
      ),
    ),
    get('the oldest managers are merged [k8s 100]', 'configmaps/m'),
    as('m1', 'a namespace [k8s 94]', [
      '/api/v1/namespaces/{ns}',
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: '{ns}', labels: { applied: '1' } },
      },
    ]),
    as('m1', 'a Secret [k8s 94]', [
      'secrets/s',
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        stringData: { a: 'b' },
      },
    ]),
    as('m1', 'a Secret again [k8s 94]', [
      'secrets/s',
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        stringData: { a: 'c' },
      },
    ]),
    as('m1', 'a Lease [k8s 94]', [
      '/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/l',
      {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'l' },
        spec: { holderIdentity: 'me', leaseDurationSeconds: 15 },
      },
    ]),
    as('m1', 'a missing namespace [k8s 28]', [
      '/api/v1/namespaces/missing/services/x',
      service('x'),
    ]),
  ],
};
