// What the federation refuses, or warns of, beyond a kind's own rules: what has to do with other
// objects, and with clusters.
//
//   W1. Names that every cluster keeps for itself are refused; agents refuse them too (I13). The
//       Service `kubernetes` is the API's own (api/kubernetes-service.ts).
//   W2. A placement that cannot be read, and overrides that cannot be done to the Service that is
//       there, are refused with their place; what was wrong before is not judged again.
//   W4. A Service that some clusters have already is told of with their names, before it is adopted.
//   W5. A Service is no larger than a member cluster stores: nothing that its etcd would refuse is
//       sent to an agent.
//   W6. Names that DNS cannot carry or another Service has, and places that are no labels of it, are
//       refused with their field (admission-dns.ts, admission-places.ts).
//   W3. A dry run answers which clusters and names would change, as warnings.

import {
  isFederated,
  toClusterName,
  toLogKey,
  toLogPrefix,
  toServiceKey,
} from '../../common/model/ids.ts';
import {
  isthmusGroup,
  type Cluster,
  type ServicePolicy,
} from '../../common/model/isthmus-kinds.ts';
import type { DnsZone } from '../../common/model/dns-zone.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { PlacementView, SessionView } from '../../common/model/views.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { runInTurns } from '../../common/runtime/turn-pace.ts';
import { previewCluster, warnOfAbsence } from './admission-clusters.ts';
import { admitNames, admitPolicyDns } from './admission-dns.ts';
import { judgeInSteps } from './admission-overrides.ts';
import { doubtPlaces, warnOfPlaces } from './admission-places.ts';
import { warnOfLeaving, warnOfNesting } from './admission-zones.ts';
import { listed, previewService, type Wanted } from './admission-preview.ts';
import type { Admit } from '../api/machinery/api.ts';
import {
  forbiddenBecause,
  invalid,
  tooLargeBecause,
} from '../api/machinery/answer/status-error.ts';
import { invalidValue } from '../api/machinery/rules/field-errors.ts';
import type { Desired } from '../desired/store.ts';
import { chooseClusters, governingPolicy, readAnnotation } from '../placement/plan.ts';
import { toManifest, v1SelectorAnnotation } from '../placement/plan-manifest.ts';
import { fitsShard, shardBytesMax } from '../placement/plan-overrides.ts';

export interface AdmissionOptions {
  readonly desired: Desired;
  readonly placement: Pick<PlacementView, 'clustersOf'>;
  readonly sessions: Pick<SessionView, 'session' | 'hasForeignService'>;
  readonly scope: { readonly federation: string; readonly domain: string };
  readonly clock: Pick<Clock, 'soon'>;
}

type Change = Parameters<Admit>[0];

export function createAdmission(options: AdmissionOptions): Admit {
  return async (change) => {
    const { kind, subresource } = change;
    if (subresource !== '') return { warnings: [] };
    switch (`${kind.group}/${kind.plural}`) {
      case '/services':
        return { warnings: await admitService(options, change) };
      case `${isthmusGroup}/servicepolicies`:
        return { warnings: await admitPolicy(options, change) };
      case `${isthmusGroup}/clusters`:
        return { warnings: await admitCluster(options, change) };
      case `${isthmusGroup}/dnszones`:
        return { warnings: admitZone(options, change) };
      default:
        return { warnings: [] };
    }
  };
}

function admitZone(options: AdmissionOptions, change: Change): readonly string[] {
  const [next, old] = [change.object as DnsZone | undefined, change.old as DnsZone | undefined];
  if (next === undefined) return [];
  return change.operation === 'create' || old === undefined
    ? warnOfNesting(options, next)
    : warnOfLeaving(options, old, next);
}

async function admitService(options: AdmissionOptions, change: Change): Promise<readonly string[]> {
  const [next, old] = [change.object as Service | undefined, change.old as Service | undefined];
  const object = next ?? old;
  if (object === undefined) return [];
  const { name, namespace = '' } = object.metadata;
  if (change.operation === 'create') refuseReserved(namespace, name);
  const key = toServiceKey({ namespace, name });
  if (!isFederated(key)) return [];
  refuseUnreadable(next, old);
  refuseTooLarge(next);
  const policies = policiesOf(options, namespace);
  const warnings =
    next === undefined
      ? []
      : [
          ...admitNames(options, { next, old }, governingPolicy(next, policies).policy?.spec?.dns),
          ...(await warnOfOverrides(options, next, old, policies)),
          ...warnOfAdoption(options, { service: next, policies }),
        ];
  if (!change.isDryRun) return warnings;
  const after = next === undefined ? undefined : { service: next, policies };
  const before = old === undefined ? undefined : { service: old, policies };
  return [...warnings, ...(await preview(options, { before, after }))];
}

function refuseReserved(namespace: string, name: string): void {
  if (!namespace.startsWith('kube-')) return;
  const why =
    `${namespace}/${name} is every cluster's own: ` +
    'Services of kube-* namespaces are not federated';
  throw forbiddenBecause({ group: '', resource: 'services', name, why });
}

/** W5. What is stored already may shrink, and go. */
function refuseTooLarge(next: Service | undefined): void {
  if (next === undefined || next.metadata.deletionTimestamp !== undefined) return;
  if (fitsShard(toManifest(next, undefined))) return;
  throw tooLargeBecause(`a Service is at most ${shardBytesMax} bytes, as clusters store it`);
}

/** W2. */
function refuseUnreadable(next: Service | undefined, old: Service | undefined): void {
  const text = next?.metadata.annotations?.[v1SelectorAnnotation];
  if (next === undefined || text === undefined) return;
  if (text === old?.metadata.annotations?.[v1SelectorAnnotation]) return;
  const wrong = readAnnotation(next);
  if (typeof wrong !== 'string') return;
  const field = `metadata.annotations[${v1SelectorAnnotation}]`;
  const errors = [invalidValue(field, text, wrong)];
  throw invalid({ group: '', kind: 'Service', name: next.metadata.name, errors });
}

/** An edit that a policy's overrides do not fit any more is the user's right, and is told. */
async function warnOfOverrides(
  options: AdmissionOptions,
  next: Service,
  old: Service | undefined,
  policies: readonly ServicePolicy[],
): Promise<readonly string[]> {
  const { policy } = governingPolicy(next, policies);
  if (policy?.spec?.overrides === undefined) return [];
  if (old !== undefined && isSameJson(old.spec, next.spec)) return [];
  const { clock } = options;
  const [first] = await runInTurns(clock, judgeInSteps(policy, next, clustersOf(options)));
  if (first === undefined) return [];
  const outcome = old === undefined ? 'get none' : 'keep their last content';
  return [
    `ServicePolicy ${policy.metadata.name} does not fit, its shards ${outcome}: ${first.field}: ${first.message}`,
  ];
}

/** W4. Of clusters that would get their first shard of it. */
function warnOfAdoption(options: AdmissionOptions, wanted: Wanted): readonly string[] {
  const { placement, sessions } = options;
  const { name, namespace = '' } = wanted.service.metadata;
  const key = toServiceKey({ namespace, name });
  const recorded = new Set(placement.clustersOf(key));
  const { policy } = governingPolicy(wanted.service, wanted.policies);
  const chosen = chooseClusters({ ...wanted, clusters: clustersOf(options), recorded }, policy);
  if (typeof chosen === 'string') return [];
  const held = chosen.filter(
    (cluster) => !recorded.has(cluster) && sessions.hasForeignService(cluster, key),
  );
  if (held.length === 0) return [];
  const outcome = {
    always: 'it will be adopted, and changed to conform',
    ifEqual: 'it will be adopted where it is equal, and left alone elsewhere',
    never: 'it will be left alone, and there will be no shard there',
  }[policy?.spec?.adoption ?? 'always'];
  const who = listed(held, adoptersMax, 'clusters');
  return [`a Service ${key} is there already in ${who}: ${outcome}`];
}

const adoptersMax = 5;

async function admitPolicy(options: AdmissionOptions, change: Change): Promise<readonly string[]> {
  const next = change.object as ServicePolicy | undefined;
  const old = change.old as ServicePolicy | undefined;
  const { name, namespace = '' } = (next ?? old)?.metadata ?? { name: '' };
  const others = policiesOf(options, namespace).filter(({ metadata }) => metadata.name !== name);
  const warnings: string[] = [];
  if (next !== undefined) {
    const service = serviceOf(options, namespace, next.spec?.serviceName);
    if (service !== undefined && !isSameJson(next.spec?.overrides, old?.spec?.overrides)) {
      const judging = judgeInSteps(next, service, clustersOf(options));
      const errors = await runInTurns(options.clock, judging);
      if (errors.length > 0)
        throw invalid({ group: isthmusGroup, kind: 'ServicePolicy', name, errors });
    }
    warnings.push(...warnOfRival(next, old, others), ...admitPolicyDns(options, next, old));
    if (service !== undefined)
      warnings.push(...warnOfAdoption(options, { service, policies: [...others, next] }));
  }
  if (!change.isDryRun) return warnings;
  const names = new Set([old?.spec?.serviceName, next?.spec?.serviceName]);
  for (const target of names) {
    const service = serviceOf(options, namespace, target);
    if (service === undefined) continue;
    const before = { service, policies: [...others, ...(old === undefined ? [] : [old])] };
    const after = { service, policies: [...others, ...(next === undefined ? [] : [next])] };
    warnings.push(...(await preview(options, { before, after })));
  }
  return warnings;
}

/** Of two policies for one Service the older counts: whoever makes the second hears it at once. */
function warnOfRival(
  next: ServicePolicy,
  old: ServicePolicy | undefined,
  others: readonly ServicePolicy[],
): readonly string[] {
  const serviceName = next.spec?.serviceName ?? '';
  if (old?.spec?.serviceName === serviceName) return [];
  const named = { apiVersion: 'v1', kind: 'Service', metadata: { name: serviceName }, spec: {} };
  const { policy } = governingPolicy(named, [...others, next]);
  if (policy === undefined || policy === next) return [];
  return [
    `ServicePolicy ${policy.metadata.name}, which is older, holds for the Service ${serviceName}: this one counts for nothing`,
  ];
}

async function admitCluster(options: AdmissionOptions, change: Change): Promise<readonly string[]> {
  const { desired, placement, sessions, clock, scope } = options;
  const next = change.object as Cluster | undefined;
  const old = change.old as Cluster | undefined;
  const name = (next ?? old)?.metadata.name ?? '';
  const warnings: string[] = [];
  const others = clustersOf(options).filter(({ metadata }) => metadata.name !== name);
  if (next !== undefined) {
    const errors = doubtPlaces({ next, old, others });
    if (errors.length > 0) throw invalid({ group: isthmusGroup, kind: 'Cluster', name, errors });
    warnings.push(...warnOfPlaces({ next, old, others }));
  }
  if (change.operation === 'delete' && old !== undefined) {
    const isHere = sessions.session(toClusterName(old.metadata.name))?.isConnected === true;
    const absence = isHere ? undefined : warnOfAbsence(old);
    if (absence !== undefined) warnings.push(absence);
  }
  if (!change.isDryRun) return warnings;
  const policies = new Map<string, readonly ServicePolicy[]>();
  const preview = await previewCluster({
    before: old,
    after: change.operation === 'delete' ? undefined : next,
    others,
    services: servicesOf(desired),
    policiesOf: (namespace) => {
      const known = policies.get(namespace) ?? policiesOf(options, namespace);
      policies.set(namespace, known);
      return known;
    },
    placed: (key) => placement.clustersOf(key),
    rest: () => new Promise((resolve) => clock.soon(resolve)),
    domain: scope.domain,
  });
  return [...warnings, ...preview];
}

async function preview(
  options: AdmissionOptions,
  change: { readonly before: Wanted | undefined; readonly after: Wanted | undefined },
): Promise<readonly string[]> {
  const { placement, scope, clock } = options;
  const { name, namespace = '' } = (change.after ?? change.before)?.service.metadata ?? {
    name: '',
  };
  const recorded = new Set(placement.clustersOf(toServiceKey({ namespace, name })));
  const steps = previewService({ ...change, clusters: clustersOf(options), recorded, scope });
  return runInTurns(clock, steps);
}

function clustersOf({ desired }: AdmissionOptions): readonly Cluster[] {
  return [...desired.list(toLogPrefix(isthmusGroup, 'clusters'))].map(
    ({ object }) => object as Cluster,
  );
}

function policiesOf({ desired }: AdmissionOptions, namespace: string): readonly ServicePolicy[] {
  return [...desired.list(toLogPrefix(isthmusGroup, 'servicepolicies', namespace))].map(
    ({ object }) => object as ServicePolicy,
  );
}

function serviceOf(
  { desired }: AdmissionOptions,
  namespace: string,
  name: string | undefined,
): Service | undefined {
  if (name === undefined) return undefined;
  const at = toLogKey({ group: '', resource: 'services', namespace, name });
  return desired.get(at)?.object as Service | undefined; // by its log key
}

/** A copy of the list: the view must not change under a walk that rests. */
function servicesOf(desired: Desired): readonly Service[] {
  return [...desired.list(toLogPrefix('', 'services'))]
    .map(({ object }) => object as Service)
    .filter(({ metadata: { namespace = '', name } }) =>
      isFederated(toServiceKey({ namespace, name })),
    );
}
