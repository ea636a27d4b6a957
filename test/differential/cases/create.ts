// Creates: what a server fills in, what it takes from the client, and what it refuses.

import { namespace, service } from '../objects.ts';
import { del, get, post, setup, type Area } from '../step.ts';

const yaml = { headers: { 'content-type': 'application/yaml' } };
const of = (query: string): string => `services?${query}`;
const meta = (metadata: Readonly<Record<string, unknown>>) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  // Without an address: kube-apiserver allocates one before it looks at the name, and tries its
  // whole range with an object that cannot be stored.
  spec: { ports: [{ port: 80 }], clusterIP: 'None' },
});

export const create: Area = {
  name: 'create',
  steps: [
    post('ClusterIP [k8s 16]', 'services', service('plain', { selector: { app: 'a' } })),
    post('again [k8s 17]', 'services', service('plain')),
    post('without kind and version [k8s 33]', 'services', {
      metadata: { name: 'bare' },
      spec: { ports: [{ port: 80 }] },
    }),
    post('status is ignored [k8s 29]', 'services', {
      ...service('status', { type: 'LoadBalancer' }),
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } },
    }),
    post('dry run [k8s 20]', of('dryRun=All'), service('dry')),
    get('after the dry run [k8s 20]', 'services/dry'),
    post('dry run of nonsense [k8s 20]', of('dryRun=Bogus'), service('dry')),
    post('dry run twice [k8s 20]', of('dryRun=All&dryRun=All'), service('dry')),
    post('Strict, unknown field [k8s 21]', of('fieldValidation=Strict'), {
      ...service('strict', { portz: [] }),
      stat: 1,
    }),
    post('Warn, unknown field [k8s 21]', of('fieldValidation=Warn'), service('warn', { foo: 1 })),
    post(
      'default, unknown field [k8s 21]',
      'services',
      service('warn2', { foo: 1, bar: { x: 1 } }),
    ),
    post(
      'Ignore, unknown field [k8s 21]',
      of('fieldValidation=Ignore'),
      service('ign', { foo: 1 }),
    ),
    post('a field validation that is none [k8s 21]', of('fieldValidation=x'), service('x')),
    post(
      'Strict, duplicate key [k8s 22]',
      of('fieldValidation=Strict'),
      '{"metadata":{"name":"dup","name":"dup2"},"spec":{"ports":[{"port":80,"port":81}]}}',
    ),
    post(
      'Warn, duplicate key [k8s 22]',
      of('fieldValidation=Warn'),
      '{"metadata":{"name":"dup","name":"dup2"},"spec":{"ports":[{"port":80,"port":81}]}}',
    ),
    post('names are case sensitive [k8s 24]', of('fieldValidation=Strict'), {
      metadata: { name: 'case' },
      Spec: { ports: [] },
      spec: { Ports: [], ports: [{ port: 80 }] },
    }),
    post('null is absent [k8s 24]', 'services', service('nulls', { selector: null, type: null })),
    post('port as text [k8s 24]', 'services', service('t', { ports: [{ port: 'x' }] })),
    post('port as fraction [k8s 24]', 'services', service('t', { ports: [{ port: 80.5 }] })),
    post(
      'port as exponent [k8s 24]',
      'services',
      '{"metadata":{"name":"e"},"spec":{"ports":[{"port":8e1}]}}',
    ),
    post(
      'port as 80.0 [k8s 24]',
      'services',
      '{"metadata":{"name":"f"},"spec":{"ports":[{"port":80.0}]}}',
    ),
    post(
      'port too large for its type [k8s 24]',
      'services',
      service('t', { ports: [{ port: 2 ** 40 }] }),
    ),
    post('selector as list [k8s 24]', 'services', service('t', { selector: ['a'] })),
    post('selector value as number [k8s 24]', 'services', service('t', { selector: { a: 1 } })),
    post('ports as map [k8s 24]', 'services', service('t', { ports: { port: 80 } })),
    post('metadata as text [k8s 24]', 'services', { metadata: 'x' }),
    post('labels as number [k8s 24]', 'services', service('t', {}, { labels: 3 })),
    post('bool as text [k8s 24]', 'services', service('t', { publishNotReadyAddresses: 'yes' })),
    post(
      'targetPort as bool [k8s 24]',
      'services',
      service('t', { ports: [{ port: 80, targetPort: true }] }),
    ),
    post('time as nonsense [k8s 24]', 'services', service('t', {}, { creationTimestamp: 'x' })),
    post('wrong kind [k8s 24]', 'services', { ...service('t'), kind: 'Pod' }),
    post('unknown kind [k8s 24]', 'services', { ...service('t'), kind: 'Nonsense' }),
    post('wrong version [k8s 24]', 'services', { ...service('t'), apiVersion: 'v9' }),
    post('wrong group [k8s 24]', 'services', { ...service('t'), apiVersion: 'apps/v1' }),
    post('malformed version [k8s 24]', 'services', { ...service('t'), apiVersion: 'a/b/c' }),
    post('empty body [k8s 24]', 'services', ''),
    post('garbage [k8s 24]', 'services', 'garbage'),
    post('cut off [k8s 24]', 'services', '{"metadata":{"name":"x"'),
    post('a list as body [k8s 24]', 'services', '[]'),
    post('a number as body [k8s 24]', 'services', '3'),
    post('null as body [k8s 24]', 'configmaps', 'null'),
    post(
      'trailing text [k8s 24]',
      'services',
      '{"metadata":{"name":"trail"},"spec":{"ports":[{"port":80}]}} x',
    ),
    post('an empty object [k8s 24]', 'configmaps', {}),
    post(
      'YAML [k8s 23]',
      'services',
      'metadata: {name: yaml}\nspec:\n  ports:\n  - port: 80\n',
      yaml,
    ),
    post(
      'YAML boolean as name [k8s 23]',
      'services',
      'metadata: {name: y}\nspec: {ports: [{port: 80}]}\n',
      yaml,
    ),
    post(
      'YAML anchors [k8s 23]',
      'services',
      'metadata: {name: anchor, labels: &l {a: b}}\nspec: {ports: [{port: 80}], selector: *l}\n',
      yaml,
    ),
    post('YAML tabs [k8s 23]', 'services', 'metadata:\n\tname: x\n', yaml),
    post(
      'YAML of two documents [k8s 23]',
      'services',
      'metadata: {name: d1}\nspec: {ports: [{port: 80}]}\n---\nmetadata: {name: d2}\n',
      yaml,
    ),
    post(
      'YAML duplicate key [k8s 23]',
      of('fieldValidation=Strict'),
      'metadata: {name: x}\nmetadata: {name: y}\n',
      yaml,
    ),
    post(
      'YAML octal port [k8s 23]',
      'services',
      'metadata: {name: octal}\nspec: {ports: [{port: 0120}]}\n',
      yaml,
    ),
    post('name and generateName missing [k8s 26]', 'services', meta({})),
    post('namespace of another [k8s 26]', 'services', meta({ name: 'x', namespace: 'other' })),
    post('resourceVersion set [k8s 26]', 'services', meta({ name: 'x', resourceVersion: '1' })),
    post('resourceVersion 0 [k8s 26]', 'services', meta({ name: 'rv0', resourceVersion: '0' })),
    post(
      'server-owned metadata [k8s 26]',
      'services',
      meta({
        name: 'owned',
        uid: 'mine',
        selfLink: '/x',
        creationTimestamp: '2001-01-01T00:00:00Z',
        deletionTimestamp: '2001-01-01T00:00:00Z',
        deletionGracePeriodSeconds: 3,
        generation: 7,
      }),
    ),
    post('generateName [k8s 27]', 'services', meta({ generateName: 'gen-' })),
    post(
      'labels and annotations [k8s 26]',
      'services',
      meta({
        name: 'labelled',
        labels: { 'a.b/c': 'd', e: '' },
        annotations: { 'X/y': 'z', k: '' },
      }),
    ),
    post(
      'invalid labels [k8s 26]',
      'services',
      meta({
        name: 'x',
        labels: { ok: 'no spaces' },
      }),
    ),
    post(
      'invalid annotations [k8s 26]',
      'services',
      meta({ name: 'x', annotations: { 'a b': 'c' } }),
    ),
    post(
      'annotations too long [k8s 26]',
      'services',
      meta({
        name: 'x',
        annotations: { a: 'x'.repeat(262_145) },
      }),
    ),
    post(
      'invalid finalizers [k8s 26]',
      'services',
      meta({ name: 'x', finalizers: ['foo', 'a/b/c'] }),
    ),
    post(
      'owner references [k8s 26]',
      'services',
      meta({
        name: 'x',
        ownerReferences: [
          { apiVersion: '', kind: '', name: '', uid: '' },
          { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: 'u1', controller: true },
          { apiVersion: 'v1', kind: 'ConfigMap', name: 'b', uid: 'u2', controller: true },
          { apiVersion: 'v1', kind: 'Event', name: 'b', uid: 'u3' },
        ],
      }),
    ),
    post(
      'managedFields sent [k8s 26]',
      'services',
      meta({
        name: 'managed',
        managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'v1' }],
      }),
    ),
    post('missing namespace [k8s 28]', '/api/v1/namespaces/missing/services', service('x')),
    post(
      'missing namespace, dry run [k8s 28]',
      '/api/v1/namespaces/missing/services?dryRun=All',
      service('x'),
    ),
    post('field manager too long [k8s 34]', of(`fieldManager=${'x'.repeat(129)}`), service('x')),
    post('field manager not printable [k8s 34]', of('fieldManager=a%07b'), service('x')),
    post(
      'field manager at its bound [k8s 34]',
      of(`fieldManager=${'x'.repeat(128)}`),
      service('bound'),
    ),
    post('agent names the manager [k8s 100]', 'services', service('agent'), {
      headers: { 'user-agent': 'my-tool/1.2 (linux)' },
    }),
    post('an agent without slash [k8s 100]', 'services', service('agent2'), {
      headers: { 'user-agent': 'just words here' },
    }),
    setup(post('a namespace with a finalizer', '/api/v1/namespaces', namespace('{ns}-going'))),
    setup(
      post('something that stays', '/api/v1/namespaces/{ns}-going/configmaps', {
        metadata: { name: 'stays', finalizers: ['example.com/stay'] },
      }),
    ),
    setup(del('end it', '/api/v1/namespaces/{ns}-going')),
    post('terminating namespace [k8s 28]', '/api/v1/namespaces/{ns}-going/services', service('y')),
    post('body over the limit [k8s 32]', 'services', 'x'.repeat(3_145_729)),
    post(
      'headless with affinity warns [k8s 31]',
      'services',
      service('h', { clusterIP: 'None', sessionAffinity: 'ClientIP' }),
    ),
    post(
      'externalName without its type warns [k8s 31]',
      'services',
      service('en', { externalName: 'a.b' }),
    ),
    post(
      'several warnings [k8s 31]',
      'services',
      service('many', {
        clusterIP: 'None',
        externalName: 'a.b',
        externalIPs: ['1.2.3.4'],
        loadBalancerIP: '1.2.3.4',
        foo: 1,
        trafficDistribution: 'PreferClose',
      }),
    ),
    post(
      'non-canonical addresses warn [k8s 31]',
      'services',
      service('canon', {
        externalIPs: ['2001:db8:0:0::1'],
      }),
    ),
  ],
};
