// What is counted of each request, under kube-apiserver's names and labels, so that dashboards
// and alerts written for it show us as well.
//
// Labels come from closed sets: of resources only served ones are named, or a stranger could
// fill the memory with paths.

import type { Metrics } from '../../../../common/runtime/metrics.ts';
import type { Route } from '../request/routes.ts';

const verbs: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETECOLLECTION',
};

// Of kube-apiserver's own histogram.
const secondsBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45,
  60,
];

/** One answered request; a watch is counted when it starts and not timed. */
export function countRequest(
  metrics: Metrics,
  route: Route | undefined,
  answered: { readonly code: number; readonly seconds: number; readonly contentType?: string },
): void {
  const labels = toRequestLabels(route, answered.contentType);
  metrics.count('apiserver_request_total', { ...labels, code: String(answered.code) });
  if (labels.verb === 'WATCH') return;
  metrics.observe('apiserver_request_duration_seconds', answered.seconds, labels, secondsBuckets);
}

export function toRequestLabels(route: Route | undefined, contentType: string | undefined) {
  const verb = toVerb(route, contentType);
  const common = { verb, dry_run: '', component: 'apiserver' };
  if (route?.kind !== 'resource' || route.definition === undefined) {
    return { ...common, group: '', version: '', resource: '', subresource: '', scope: '' };
  }
  const { group, version, resource, subresource, query } = route;
  const dryRun = query.has('dryRun') && query.get('dryRun') === 'All' ? 'All' : '';
  return {
    ...common,
    dry_run: dryRun,
    group,
    version,
    resource,
    subresource,
    scope: toScope(route),
  };
}

function toVerb(route: Route | undefined, contentType: string | undefined): string {
  const asked = route?.verb ?? '';
  const verb = Object.hasOwn(verbs, asked) ? (verbs[asked] ?? 'other') : 'other';
  return verb === 'PATCH' && contentType?.startsWith('application/apply-patch') === true
    ? 'APPLY'
    : verb;
}

function toScope(route: Route & { readonly kind: 'resource' }): string {
  if (route.name !== '' || route.verb === 'create') return 'resource';
  return route.namespace === '' ? 'cluster' : 'namespace';
}
