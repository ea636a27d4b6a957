// Watches: what comes, in which order and form, and when a watch is refused.

import { configMap, service } from '../objects.ts';
import { del, get, patch, post, setup, watch, type Area } from '../step.ts';

const as = (form: string): string => `application/json;as=${form};v=v1;g=meta.k8s.io`;
const label = (name: string, value: string | null) =>
  patch('merge', 'label', `configmaps/${name}`, { metadata: { labels: { app: value } } });
const make = (name: string, labels = {}) =>
  post('create', 'configmaps', { ...configMap(name), metadata: { name, labels } });
const list = (name = 'rv') =>
  get('list', 'configmaps?limit=1', { save: { [name]: ['metadata', 'resourceVersion'] } });

export const watches: Area = {
  name: 'watches',
  steps: [
    setup(make('a')),
    setup(make('b', { app: 'x' })),
    setup(list()),
    watch('from a list [k8s 58]', 'configmaps?watch=true&resourceVersion={rv}', {
      writes: [make('c'), label('c', 'y'), del('delete', 'configmaps/c')],
      events: 3,
    }),
    watch('without revision [k8s 59]', 'configmaps?watch=1', { events: 2 }),
    watch('from 0 [k8s 59]', 'configmaps?watch=true&resourceVersion=0', { events: 2 }),
    watch('from nonsense [k8s 59]', 'configmaps?watch=true&resourceVersion=x'),
    watch(
      'match without initial events [k8s 62]',
      'configmaps?watch=true&resourceVersion={rv}&resourceVersionMatch=Exact',
    ),
    watch('initial events without match [k8s 62]', 'configmaps?watch=true&sendInitialEvents=true'),
    watch(
      'initial events with Exact [k8s 62]',
      'configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion={rv}',
    ),
    watch(
      'initial events [k8s 62]',
      'configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
      { events: 3 },
    ),
    watch(
      'initial events from 0 [k8s 62]',
      'configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=0',
      { events: 3 },
    ),
    watch(
      'initial events without bookmarks [k8s 62]',
      'configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1',
      { events: 3 },
    ),
    watch(
      'no initial events [k8s 62]',
      'configmaps?watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion={rv}&timeoutSeconds=1',
      { events: 9 },
    ),
    setup(list()),
    watch(
      'into and out of a selector [k8s 63]',
      'configmaps?watch=true&resourceVersion={rv}&labelSelector=app%3Dx',
      {
        writes: [label('a', 'x'), label('a', 'z'), label('b', 'x2'), del('delete', 'configmaps/b')],
        events: 3,
      },
    ),
    setup(list()),
    watch(
      'one name [k8s 67]',
      'configmaps?watch=true&resourceVersion=0&fieldSelector=metadata.name%3Da',
      {
        writes: [label('a', 'q')],
        events: 2,
      },
    ),
    watch('one name by its path [k8s 67]', 'configmaps/a?watch=true&resourceVersion=0'),
    watch('by the old path', '/api/v1/watch/namespaces/{ns}/configmaps?resourceVersion=0'),
    watch(
      'a timeout ends it [k8s 64]',
      'configmaps?watch=true&resourceVersion={rv}&timeoutSeconds=1',
      { events: 9 },
    ),
    // All that come: how many are in the first write is chance.
    watch('as table [k8s 66]', 'configmaps?watch=true&resourceVersion=0&timeoutSeconds=2', {
      headers: { accept: as('Table') },
      writes: [make('t')],
      events: 20,
    }),
    watch('as partial objects [k8s 39]', 'configmaps?watch=true&resourceVersion=0', {
      headers: { accept: as('PartialObjectMetadata') },
    }),
    watch('as a partial list [k8s 39]', 'configmaps?watch=true&resourceVersion=0', {
      headers: { accept: as('PartialObjectMetadataList') },
    }),
    watch('as YAML [k8s 25]', 'configmaps?watch=true&resourceVersion=0', {
      headers: { accept: 'application/yaml' },
    }),
    watch('with a malformed selector [k8s 53]', 'configmaps?watch=true&labelSelector=a%20b'),
    watch('with an unsupported field [k8s 54]', 'configmaps?watch=true&fieldSelector=foo%3Dbar'),
    watch('with limit', 'configmaps?watch=true&limit=1&timeoutSeconds=1', { events: 2 }),
    watch('with continue', 'configmaps?watch=true&continue=abc&timeoutSeconds=1', { events: 2 }),
    watch(
      'of an unknown namespace [k8s 57]',
      '/api/v1/namespaces/missing/configmaps?watch=true&timeoutSeconds=1',
    ),
    setup(post('a Service', 'services', service('s'))),
    watch('a deleted Service [k8s 65]', 'services?watch=true&resourceVersion=0', {
      writes: [del('delete', 'services/s')],
      events: 2,
    }),
    watch('of a namespace', '/api/v1/namespaces?watch=true&fieldSelector=metadata.name%3D{ns}'),
  ],
};
