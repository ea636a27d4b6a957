// What is refused, or warned of, before names are made: names that DNS cannot carry, short names
// that lead nowhere or that another Service has, DNSZones and clusters that are not there.
// Input: the change, and the log. Output: warnings; a refusal is thrown with its field. Called by
// admission.ts.
//
//   D1. A Service whose global name no DNSZone can carry is refused: its name cannot be changed
//       later. Where only some zones, or some levels, cannot, it is told.
//   D2. A short name is refused where a policy of another Service wants it already: it would be
//       taken from that one, or never come. Also where another policy overrules that one now: when
//       it no longer does, the older wish would take the name from whoever has it by then. What was
//       in the policy before is not judged again.
//   D3. What another object may still bring (a DNSZone, a cluster) is warned of, not refused:
//       objects are applied in any order.

import { toLogKey, toLogPrefix, toServiceKey } from '../../common/model/ids.ts';
import type { DnsZone } from '../../common/model/dns-zone.ts';
import {
  isthmusGroup,
  type Cluster,
  type DnsAlias,
  type ServiceDns,
  type ServicePolicy,
} from '../../common/model/isthmus-kinds.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { Topology } from '../../common/model/topology.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { isOwnForm, toGlobalName, type NameScope } from '../../common/pure/level-names.ts';
import { invalid } from '../api/machinery/answer/status-error.ts';
import type { FieldError } from '../api/machinery/kind.ts';
import { invalidValue } from '../api/machinery/rules/field-errors.ts';
import type { Desired } from '../desired/store.ts';
import { toMarkName } from '../dns/apply/ownership.ts';
import { isNameable, levelsOf } from '../dns/publish/levels.ts';
import { isPublishedIn } from '../dns/zones/selection.ts';
import { isChosen } from '../placement/plan-choice.ts';
import { listed } from './admission-preview.ts';

export interface DnsAdmissionOptions {
  readonly desired: Desired;
  readonly scope: NameScope;
}

const nameMax = 253;
// Two labels with their dots: zone and region.
const placeMax = 128;
const listedMax = 3;

/** D1. */
export function admitNames(
  options: DnsAdmissionOptions,
  change: { readonly next: Service; readonly old: Service | undefined },
  dns: ServiceDns | undefined,
): readonly string[] {
  const { next, old } = change;
  if (!hasNames(next) || (old !== undefined && hasNames(old))) return [];
  const { name, namespace = '' } = next.metadata;
  const key = toServiceKey({ namespace, name });
  const domains = domainsOf(options, namespace, dns);
  const globals = domains.map((domain) => toGlobalName(key, { ...options.scope, domain }));
  const unmarked = new Set(domainsOf(options, namespace, dns, isEmbedded));
  // At a provider the names have a mark beside them, which is longer.
  const longest = domains.map((domain) => {
    const scope = { ...options.scope, domain };
    return unmarked.has(domain) ? toGlobalName(key, scope) : toMarkName(key, scope);
  });
  const tooLong = longest.filter((each) => !isNameable(each));
  const [first] = tooLong;
  if (first !== undefined && tooLong.length === longest.length) {
    const what = first.startsWith('_') ? 'the owner mark of its names' : 'its public name';
    const detail =
      `${what} would be ${first}, of ${first.length} characters, and DNS carries ` +
      `${nameMax}: choose a shorter name or namespace, or a DNSZone of a shorter domain`;
    const errors = [invalidValue('metadata.name', name, detail)];
    throw invalid({ group: '', kind: 'Service', name, errors });
  }
  const isNear = globals.some((global) => global.length > nameMax - placeMax);
  const places = isNear ? clustersOf(options).map(toPlaced) : [];
  const levels = domains.flatMap(
    (domain) => levelsOf(key, { ...options.scope, domain }, places).tooLong,
  );
  const long = [...new Set([...tooLong, ...levels])].sort();
  return long.length === 0 ? [] : [`too long for DNS, so left out: ${listed(long, 1, 'names')}`];
}

function toPlaced(cluster: Cluster): { readonly topology: Topology } {
  return { topology: topologyOf(cluster) };
}

/** As planned: a Service that clients outside can reach. */
function hasNames({ spec }: Service): boolean {
  const { type = 'ClusterIP', clusterIP, externalIPs = [] } = spec;
  if (clusterIP === 'None' || type === 'ExternalName') return false;
  return type === 'LoadBalancer' || type === 'NodePort' || externalIPs.length > 0;
}

export function admitPolicyDns(
  options: DnsAdmissionOptions,
  next: ServicePolicy,
  old: ServicePolicy | undefined,
): readonly string[] {
  const { name, namespace = '' } = next.metadata;
  const dns = next.spec?.dns;
  if (dns === undefined) return [];
  const aliases = dns.aliases ?? [];
  const isSameService = old?.spec?.serviceName === next.spec?.serviceName;
  const known = new Set(isSameService ? old?.spec?.dns?.aliases?.map((one) => one.name) : []);
  const errors = aliases.flatMap((alias, index) =>
    known.has(alias.name) ? [] : doubtAlias(options, next, { alias, index }),
  );
  if (errors.length > 0)
    throw invalid({ group: isthmusGroup, kind: 'ServicePolicy', name, errors });
  const before = old?.spec?.dns;
  return [
    ...warnOfZones(options, namespace, dns, before),
    ...warnOfAliases(options, namespace, dns),
    ...warnOfFailover(options, dns),
  ];
}

/** D2. */
function doubtAlias(
  { desired, scope }: DnsAdmissionOptions,
  policy: ServicePolicy,
  { alias, index }: { readonly alias: DnsAlias; readonly index: number },
): readonly FieldError[] {
  const field = `spec.dns.aliases[${index}].name`;
  const zones = zonesOf(desired).map(({ spec }) => spec.domain);
  const domain = [scope.domain, ...zones].find((one) => alias.name.endsWith(`.${one}`));
  if (domain !== undefined && isOwnForm(alias.name, { ...scope, domain })) {
    const detail = `has the form of the federation’s own names (<federation>.svc): choose another`;
    return [invalidValue(field, alias.name, detail)];
  }
  const apex = [scope.domain, ...zones].find((one) => alias.name === one);
  if (apex !== undefined) {
    const detail = `is the domain itself, where no CNAME may stand (RFC 1912 2.4): choose a name below it`;
    return [invalidValue(field, alias.name, detail)];
  }
  const server = zonesOf(desired).find((zone) => serversOf(zone).includes(alias.name));
  if (server !== undefined) {
    const detail = `is a name server’s of DNSZone ${server.metadata.name}: choose another`;
    return [invalidValue(field, alias.name, detail)];
  }
  const owner = ownerOf(desired, policy, alias.name);
  if (owner === undefined) return [];
  const { name = '', namespace = '' } = owner.metadata;
  const detail =
    `is wanted by the Service ${namespace}/${owner.spec?.serviceName ?? ''} already ` +
    `(ServicePolicy ${name}): choose another, or remove it there first`;
  return [invalidValue(field, alias.name, detail)];
}

function isEmbedded({ spec }: DnsZone): boolean {
  return spec.provider === 'Embedded';
}

/** Of the embedded zone, which answers for them itself. */
function serversOf(zone: DnsZone): readonly string[] {
  const { domain, embedded } = zone.spec;
  if (!isEmbedded(zone)) return [];
  const { nameServers = [] } = embedded ?? {};
  return nameServers.length === 0 ? [`ns1.${domain}`] : nameServers;
}

/** The first policy of another Service that wants the name. */
function ownerOf(
  desired: Desired,
  policy: ServicePolicy,
  alias: string,
): ServicePolicy | undefined {
  const isSame = (other: ServicePolicy): boolean =>
    other.metadata.namespace === policy.metadata.namespace &&
    other.spec?.serviceName === policy.spec?.serviceName;
  for (const { object } of desired.list(toLogPrefix(isthmusGroup, 'servicepolicies'))) {
    const other = object as ServicePolicy; // by its prefix
    const isWanted = other.spec?.dns?.aliases?.some(({ name }) => name === alias) === true;
    if (isWanted && !isSame(other)) return other;
  }
  return undefined;
}

/** D3. */
function warnOfZones(
  { desired }: DnsAdmissionOptions,
  namespace: string,
  dns: ServiceDns,
  before: ServiceDns | undefined,
): readonly string[] {
  const named = (dns.zones ?? []).filter((zone) => before?.zones?.includes(zone) !== true);
  return named.flatMap((name) => {
    const zone = zonesOf(desired).find(({ metadata }) => metadata.name === name);
    if (zone === undefined) return [`spec.dns.zones: there is no DNSZone ${name} (yet)`];
    return isPublishedIn({ name, spec: zone.spec }, selected(desired, namespace, dns))
      ? []
      : [`spec.dns.zones: DNSZone ${name} is not for the namespace ${namespace}`];
  });
}

function warnOfAliases(
  options: DnsAdmissionOptions,
  namespace: string,
  dns: ServiceDns,
): readonly string[] {
  const { aliases = [] } = dns;
  if (aliases.length === 0) return [];
  const domains = domainsOf(options, namespace, dns, ({ spec }) => spec.aliases !== 'Deny');
  const outside = aliases.filter(({ name }) => !domains.some((one) => name.endsWith(`.${one}`)));
  const levels = new Set(
    clustersOf(options).flatMap((cluster) => {
      const { region, zones } = topologyOf(cluster);
      return region === undefined ? [] : [region, ...zones.map((zone) => `${zone}.${region}`)];
    }),
  );
  const empty = aliases
    .map(({ region, zone }) => (zone === undefined ? region : `${zone}.${region ?? ''}`))
    .filter((level) => level !== undefined && !levels.has(level));
  return [
    ...(outside.length === 0
      ? []
      : [
          'spec.dns.aliases: within no DNSZone that publishes the Service and takes short names ' +
            `(${listed(domains, listedMax, 'domains')}): ` +
            listed(
              outside.map(({ name }) => name),
              listedMax,
              'names',
            ),
        ]),
    ...(empty.length === 0
      ? []
      : [
          'spec.dns.aliases: no registered cluster is there, so these lead one level up: ' +
            listed([...new Set(empty)].map(String), listedMax, 'levels'),
        ]),
  ];
}

function warnOfFailover(options: DnsAdmissionOptions, dns: ServiceDns): readonly string[] {
  const primary = dns.failover?.primary;
  if (primary === undefined) return [];
  if (clustersOf(options).some((cluster) => isChosen(cluster, primary))) return [];
  return ['spec.dns.failover.primary: it chooses no registered cluster, so all are backups'];
}

/** Of the DNSZones that publish Services of the namespace; the setting's while there is none. */
function domainsOf(
  { desired, scope }: DnsAdmissionOptions,
  namespace: string,
  dns: ServiceDns | undefined,
  isWanted: (zone: DnsZone) => boolean = () => true,
): readonly string[] {
  const all = zonesOf(desired);
  const service = selected(desired, namespace, dns);
  const publishing = all.filter(
    (zone) =>
      isWanted(zone) && isPublishedIn({ name: zone.metadata.name, spec: zone.spec }, service),
  );
  const domains = all.length === 0 ? [scope.domain] : publishing.map(({ spec }) => spec.domain);
  return [...new Set(domains)].sort();
}

function selected(desired: Desired, namespace: string, dns: ServiceDns | undefined) {
  const at = toLogKey({ group: '', resource: 'namespaces', name: namespace });
  const namespaceLabels = desired.get(at)?.object.metadata.labels ?? {};
  return { namespace, namespaceLabels, zones: dns?.zones };
}

function zonesOf(desired: Desired): readonly DnsZone[] {
  return [...desired.list(toLogPrefix(isthmusGroup, 'dnszones'))]
    .map(({ object }) => object as DnsZone) // by its prefix
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

function clustersOf({ desired }: DnsAdmissionOptions): readonly Cluster[] {
  return [...desired.list(toLogPrefix(isthmusGroup, 'clusters'))].map(
    ({ object }) => object as Cluster, // by its prefix
  );
}
