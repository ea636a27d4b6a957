// Deletes, and what follows from them.

import { configMap, namespace, service } from '../objects.ts';
import { del, get, patch, post, put, setup, type Area } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;
const saved = { save: { uid: ['metadata', 'uid'], rv: ['metadata', 'resourceVersion'] } };
const map = (name: string, metadata: Fields = {}) =>
  setup(post(name, 'configmaps', { ...configMap(name), metadata: { name, ...metadata } }, saved));
const owned = (name: string, more: Fields = {}) =>
  map(name, {
    ownerReferences: [
      { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: '{uid}', ...more },
    ],
  });
const gone = (title: string, path: string) => get(title, path, { until: 404 });
const held = { finalizers: ['example.com/hold'] };

export const deletes: Area = {
  name: 'deletes',
  steps: [
    setup(post('s', 'services', service('s'))),
    del('a Service [k8s 104]', 'services/s'),
    gone('it is gone [k8s 104]', 'services/s'),
    del('a missing one [k8s 104]', 'services/s'),
    map('c'),
    del('a ConfigMap [k8s 104]', 'configmaps/c'),
    map('d'),
    del('with an empty body [k8s 107]', 'configmaps/d', ''),
    map('e'),
    del('dry run [k8s 107]', 'configmaps/e?dryRun=All'),
    del('dry run in the body [k8s 107]', 'configmaps/e', { dryRun: ['All'] }),
    get('is still there [k8s 107]', 'configmaps/e'),
    del('dry run of nonsense [k8s 107]', 'configmaps/e?dryRun=x'),
    del('a policy that is none [k8s 107]', 'configmaps/e', { propagationPolicy: 'Nonsense' }),
    del('a policy that is none, in the query [k8s 107]', 'configmaps/e?propagationPolicy=Nonsense'),
    del('policy and orphanDependents [k8s 107]', 'configmaps/e', {
      propagationPolicy: 'Orphan',
      orphanDependents: true,
    }),
    del('a body of another kind [k8s 107]', 'configmaps/e', { kind: 'Pod', apiVersion: 'v1' }),
    del('garbage [k8s 107]', 'configmaps/e', 'x'),
    del('a grace period as text [k8s 107]', 'configmaps/e?gracePeriodSeconds=x'),
    del('a grace period below 0 [k8s 107]', 'configmaps/e?gracePeriodSeconds=-1'),
    map('e2'),
    del('a policy as number [k8s 107]', 'configmaps/e2', { propagationPolicy: 3 }),
    del('an unknown option [k8s 107]', 'configmaps/e2', { nonsense: 1 }),
    map('e3'),
    del('another uid [k8s 107]', 'configmaps/e3', { preconditions: { uid: 'zzz' } }),
    del('another revision [k8s 107]', 'configmaps/e3', { preconditions: { resourceVersion: '1' } }),
    del('the right ones [k8s 107]', 'configmaps/e3', {
      preconditions: { uid: '{uid}', resourceVersion: '{rv}' },
    }),
    setup(post('again', 'services', service('again'), saved)),
    setup(del('again', 'services/again')),
    setup(get('is gone', 'services/again', { until: 404 })),
    setup(post('again', 'services', service('again'))),
    del('the old uid [k8s 110]', 'services/again', { preconditions: { uid: '{uid}' } }),
    get('the new one stays [k8s 110]', 'services/again'),
    map('f', held),
    del('with a finalizer [k8s 105]', 'configmaps/f'),
    del('twice [k8s 105]', 'configmaps/f'),
    get('it goes on [k8s 105]', 'configmaps/f'),
    patch('merge', 'a new finalizer [k8s 105]', 'configmaps/f', {
      metadata: { finalizers: ['example.com/hold', 'example.com/new'] },
    }),
    put('an update while going [k8s 105]', 'configmaps/f', {
      ...configMap('f', { a: 'b' }),
      metadata: { name: 'f', ...held },
    }),
    patch('merge', 'the last finalizer goes [k8s 105]', 'configmaps/f', {
      metadata: { finalizers: null },
    }),
    gone('and it is gone [k8s 105]', 'configmaps/f'),
    setup(post('held', 'services', service('h', {}, held))),
    del('a Service with a finalizer [k8s 105]', 'services/h'),
    patch('merge', 'the last of a Service goes [k8s 105]', 'services/h', {
      metadata: { finalizers: null },
    }),
    gone('and the Service is gone [k8s 105]', 'services/h'),
    map('owner'),
    owned('child1'),
    owned('child2'),
    del('in the background [k8s 106]', 'configmaps/owner?propagationPolicy=Background'),
    gone('the first child goes [k8s 106]', 'configmaps/child1'),
    gone('the second child goes [k8s 106]', 'configmaps/child2'),
    map('owner'),
    owned('child3'),
    del('as orphan [k8s 106]', 'configmaps/owner', { propagationPolicy: 'Orphan' }),
    gone('the owner goes [k8s 106]', 'configmaps/owner'),
    get('the orphan stays [k8s 106]', 'configmaps/child3'),
    map('owner'),
    owned('child4', { blockOwnerDeletion: true }),
    del('in the foreground [k8s 106]', 'configmaps/owner', { propagationPolicy: 'Foreground' }),
    gone('the owner goes last [k8s 106]', 'configmaps/owner'),
    get('the child went first [k8s 106]', 'configmaps/child4'),
    map('owner'),
    owned('child5'),
    del('by the old option [k8s 106]', 'configmaps/owner', { orphanDependents: true }),
    gone('the owner goes too [k8s 106]', 'configmaps/owner'),
    get('its orphan stays [k8s 106]', 'configmaps/child5'),
    map('lost', {
      ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: 'never-was' }],
    }),
    gone('one without its owner goes [k8s 106]', 'configmaps/lost'),
    map('x1', { labels: { set: 'x' } }),
    map('x2', { labels: { set: 'x' } }),
    map('y1', { labels: { set: 'y' } }),
    del('a set, dry run [k8s 108]', 'configmaps?labelSelector=set%3Dx&dryRun=All'),
    del('a set [k8s 108]', 'configmaps?labelSelector=set%3Dx'),
    del('by field [k8s 108]', 'configmaps?fieldSelector=metadata.name%3Dy1'),
    del('nothing left of it [k8s 108]', 'configmaps?labelSelector=set'),
    del('a malformed selector [k8s 108]', 'configmaps?labelSelector=a%20b'),
    del('with a precondition [k8s 108]', 'configmaps?labelSelector=set', {
      preconditions: { uid: 'x' },
    }),
    setup(post('s1', 'services', service('s1', {}, { labels: { set: 's' } }))),
    setup(post('s2', 'services', service('s2', {}, { labels: { set: 's' } }))),
    del('a set of Services [k8s 108]', 'services?labelSelector=set%3Ds'),
    gone('the Services are gone [k8s 108]', 'services/s2'),
  ],
};

export const namespaces: Area = {
  name: 'namespaces',
  steps: [
    post('create [k8s 111]', '/api/v1/namespaces', namespace('{ns}-a')),
    post('again [k8s 111]', '/api/v1/namespaces', namespace('{ns}-a')),
    post(
      'with labels [k8s 111]',
      '/api/v1/namespaces',
      namespace('{ns}-b', { labels: { 'kubernetes.io/metadata.name': 'wrong', l: '1' } }),
    ),
    post('with a finalizer of its own [k8s 111]', '/api/v1/namespaces', {
      ...namespace('{ns}-c'),
      spec: { finalizers: ['example.com/f'] },
    }),
    post('an invalid name [k8s 111]', '/api/v1/namespaces', namespace('A.b')),
    post('an invalid finalizer [k8s 111]', '/api/v1/namespaces', {
      ...namespace('{ns}-d'),
      spec: { finalizers: ['x y'] },
    }),
    post(
      'with a namespace [k8s 111]',
      '/api/v1/namespaces',
      namespace('{ns}-e', { namespace: 'other' }),
    ),
    get('read [k8s 111]', '/api/v1/namespaces/{ns}-a'),
    patch('merge', 'the name label is kept [k8s 111]', '/api/v1/namespaces/{ns}-a', {
      metadata: { labels: { 'kubernetes.io/metadata.name': null, n: '1' } },
    }),
    patch('merge', 'spec is not written [k8s 111]', '/api/v1/namespaces/{ns}-a', {
      spec: { finalizers: ['example.com/f'] },
    }),
    patch('merge', 'status [k8s 111]', '/api/v1/namespaces/{ns}-a/status', {
      status: {
        conditions: [
          {
            type: 'X',
            status: 'True',
            reason: 'R',
            message: 'm',
            lastTransitionTime: '2020-01-01T00:00:00Z',
          },
        ],
      },
    }),
    put('status by PUT [k8s 111]', '/api/v1/namespaces/{ns}-b/status', {
      ...namespace('{ns}-b'),
      status: { phase: 'Terminating' },
    }),
    put('finalize while active [k8s 111]', '/api/v1/namespaces/{ns}-c/finalize', {
      ...namespace('{ns}-c'),
      spec: { finalizers: ['example.com/f'] },
    }),
    setup(post('contents', '/api/v1/namespaces/{ns}-a/configmaps', configMap('m'))),
    setup(post('a Service in it', '/api/v1/namespaces/{ns}-a/services', service('s'))),
    del('delete [k8s 111]', '/api/v1/namespaces/{ns}-a'),
    get('it goes with its contents [k8s 111]', '/api/v1/namespaces/{ns}-a', { until: 404 }),
    get('the contents are gone [k8s 111]', '/api/v1/namespaces/{ns}-a/configmaps/m'),
    setup(
      post('held contents', '/api/v1/namespaces/{ns}-b/configmaps', {
        metadata: { name: 'held', finalizers: ['example.com/hold'] },
      }),
    ),
    del('delete with held contents [k8s 111]', '/api/v1/namespaces/{ns}-b'),
    get('it says what remains [k8s 111]', '/api/v1/namespaces/{ns}-b?remains', {
      pick: (body) => (body as { status: { phase: string } }).status.phase,
    }),
    post('nothing new in it [k8s 28]', '/api/v1/namespaces/{ns}-b/configmaps', configMap('new')),
    // The namespace's controller deletes the object at some time of its own: that is not compared.
    patch(
      'merge',
      'updates in it [k8s 111]',
      '/api/v1/namespaces/{ns}-b/configmaps/held',
      { data: { a: 'b' } },
      { pick: (body) => (body as { readonly data: unknown }).data },
    ),
    patch(
      'merge',
      'let it go [k8s 111]',
      '/api/v1/namespaces/{ns}-b/configmaps/held',
      { metadata: { finalizers: null } },
      { pick: (body) => (body as { readonly data: unknown }).data },
    ),
    get('then it goes [k8s 111]', '/api/v1/namespaces/{ns}-b', { until: 404 }),
    del('default is protected [k8s 111]', '/api/v1/namespaces/default'),
    del('kube-system is protected [k8s 111]', '/api/v1/namespaces/kube-system'),
    del('kube-public is protected [k8s 111]', '/api/v1/namespaces/kube-public'),
    del('a missing one [k8s 111]', '/api/v1/namespaces/{ns}-none'),
    del('dry run [k8s 111]', '/api/v1/namespaces/{ns}-c?dryRun=All'),
    del('another uid [k8s 107]', '/api/v1/namespaces/{ns}-c', { preconditions: { uid: 'zzz' } }),
  ],
};
