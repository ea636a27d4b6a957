// The status of one DNSZone, from everything known of it. Input: the zone, its provider, what was
// written there. Output: its next status; each condition that is not as it should be names the way
// out. Pure.
//
//   T1. Ready says the one thing that a person has to do first.
//   T2. What is not known is not said: a condition comes with its first finding.

import type { DnsZone } from '../../../common/model/dns-zone.ts';
import type { AppliedZone } from '../../../common/model/views.ts';
import type { Said } from '../../../common/pure/conditions.ts';
import { toWayOut } from '../apply/plan-fuse.ts';
import type { Refusal } from './plan-conflicts.ts';
import type { ZoneFound } from './provider-keeper.ts';

export interface ZoneFacts {
  readonly zone: DnsZone;
  /** Another DNSZone is in its way. */
  readonly conflict: Refusal | undefined;
  readonly found: ZoneFound | undefined;
  /** At a provider; undefined for the embedded zone. */
  readonly applied: AppliedZone | undefined;
  /** From the publications of the zone. */
  readonly published: PublishedCounts;
  /** Services with somebody else's records in their way, sorted; and names of theirs. */
  readonly foreign: readonly { readonly key: string; readonly names: readonly string[] }[];
  /** Of an embedded zone: the names of its servers, whichever DNSZone of the domain says them. */
  readonly nameServers: readonly string[];
  /** What the parent zone says, once somebody looked. */
  readonly delegation: Omit<Said, 'type'> | undefined;
}

export interface PublishedCounts {
  readonly services: number;
  readonly recordSets: number;
  /** Services that lost names to the budget. */
  readonly cut: number;
}

/** Ours: those that are not said (any more) go. */
export const zoneConditionTypes: ReadonlySet<string> = new Set([
  'Ready',
  'Authorized',
  'Delegated',
  'SingleServer',
  'Frozen',
  'PlanHeld',
  'Fenced',
  'NameConflict',
  'NameBudget',
]);

export function planZoneConditions(facts: ZoneFacts): readonly Said[] {
  const rest = [
    ...sayAuthorized(facts),
    ...sayDelegated(facts),
    ...saySingleServer(facts),
    ...sayHolds(facts),
    sayConflicts(facts),
    sayBudget(facts),
  ];
  return [sayReady(facts), ...rest];
}

function sayReady(facts: ZoneFacts): Said {
  const { zone, conflict, found, applied } = facts;
  const no = (reason: string, message: string): Said => toSaid('Ready', 'False', reason, message);
  if (zone.metadata.deletionTimestamp !== undefined) return no('Deleting', sayDeleting(facts));
  if (conflict !== undefined) return no(conflict.reason, conflict.message);
  if (zone.spec.provider === 'Embedded') {
    if (found?.opening.kind === 'refused') {
      const { reason, message } = found.opening;
      return no(reason, `${ended(message)} Until then nobody can transfer the zone.`);
    }
    return toSaid('Ready', 'True', 'Served', `The coordinator answers for ${zone.spec.domain}.`);
  }
  if (found === undefined) return toSaid('Ready', 'Unknown', 'Opening', 'The provider is opened.');
  if (found.opening.kind === 'refused') {
    return no(found.opening.reason, staying(found.opening.message));
  }
  const fault = faultOf(found);
  if (fault !== undefined) return no(fault.reason, staying(fault.message));
  if (applied?.fence !== undefined) return no('Fenced', applied.fence.message);
  if (zone.spec.frozen === true) return no('Frozen', frozenMessage(zone));
  if (applied?.heldPlan !== undefined) return no('PlanHeld', heldMessage(zone, applied.heldPlan));
  if (applied?.lastError !== undefined) {
    return no(applied.lastError.reason, staying(applied.lastError.message));
  }
  if (found.answer === undefined) {
    return toSaid('Ready', 'Unknown', 'Asking', 'The provider is asked for the zone.');
  }
  const message = `Names are written at ${placeOf(zone)} (${zone.spec.provider}).`;
  return toSaid('Ready', 'True', 'Writable', `${message}${sayVisibility(zone, found)}`);
}

/** What the provider says of who can ask, where the spec says otherwise: both may be meant so. */
function sayVisibility({ spec }: DnsZone, { description }: ZoneFound): string {
  const isPrivate = description?.isPrivate;
  if (isPrivate === true && spec.visibility !== 'Private') {
    return (
      ' The zone is a private one there: with spec.visibility: Private, private addresses are ' +
      'published too, and nobody looks for its delegation.'
    );
  }
  if (isPrivate === false && spec.visibility === 'Private') {
    return ' The zone is a public one there: the whole world can read the private addresses in it.';
  }
  return '';
}

/** As a person would look for it at the provider. */
function placeOf({ spec }: DnsZone): string {
  const { domain, route53, cloudDNS, rfc2136 } = spec;
  const ids = [cloudDNS?.project, cloudDNS?.managedZone].filter((id) => id !== undefined);
  const id = route53?.hostedZoneId ?? (ids.length === 0 ? undefined : ids.join('/'));
  const at = route53?.endpoint ?? cloudDNS?.endpoint;
  const where = id === undefined || at === undefined ? id : `${id} at ${at}`;
  return where ?? rfc2136?.server ?? domain;
}

function ended(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}

function staying(message: string): string {
  return `${ended(message)} Published records stay as they are.`;
}

function faultOf(found: ZoneFound): Refusal | undefined {
  const { outcome, message = '' } = found.answer ?? {};
  switch (outcome) {
    case 'denied':
      return { reason: 'Denied', message };
    case 'noZone':
      return { reason: 'ZoneNotFound', message };
    case 'unavailable':
      return { reason: 'Unavailable', message };
    default:
      return undefined;
  }
}

function sayDeleting({ zone, applied, published, found }: ZoneFacts): string {
  const { name } = zone.metadata;
  if (published.services > 0) {
    return `The names of ${count(published.services, 'Service')} are withdrawn first.`;
  }
  const fault = whatHolds({ zone, found, applied });
  const left = `${count(applied?.recordSets ?? 0, 'record set')} of ours are to be removed first.`;
  const stuck =
    fault === undefined
      ? ''
      : ` That cannot be done: ${ended(fault.message)} To leave them behind: kubectl patch dnszone ` +
        `${name} --type=merge -p '{"metadata":{"finalizers":null}}'`;
  return `${left}${stuck}`;
}

/** Also what a person decides. */
function whatHolds({
  zone,
  found,
  applied,
}: Pick<ZoneFacts, 'zone' | 'found' | 'applied'>): { readonly message: string } | undefined {
  if (zone.spec.frozen === true) return { message: frozenMessage(zone) };
  return applied?.fence ?? whyStuck({ found, applied });
}

/** Why nothing can be removed at the provider now. */
export function whyStuck({
  found,
  applied,
}: Pick<ZoneFacts, 'found' | 'applied'>): { readonly message: string } | undefined {
  if (found?.opening.kind === 'refused') return found.opening;
  return (found === undefined ? undefined : faultOf(found)) ?? applied?.lastError;
}

function sayAuthorized({ zone, found }: ZoneFacts): readonly Said[] {
  if (zone.spec.provider === 'Embedded' || found?.answer === undefined) return [];
  const { outcome, message } = found.answer;
  switch (outcome) {
    case 'denied':
      return [toSaid('Authorized', 'False', 'Denied', message)];
    case 'noZone':
      return [toSaid('Authorized', 'False', 'ZoneNotFound', message)];
    case 'ok':
      return [
        toSaid('Authorized', 'True', 'Authorized', 'The provider lets us read and write the zone.'),
      ];
    default:
      return [toSaid('Authorized', 'Unknown', 'NotAnswering', message)];
  }
}

function sayDelegated({ delegation }: ZoneFacts): readonly Said[] {
  return delegation === undefined ? [] : [{ type: 'Delegated', ...delegation }];
}

function saySingleServer({ zone, nameServers: servers }: ZoneFacts): readonly Said[] {
  if (zone.spec.provider !== 'Embedded') return [];
  const type = 'SingleServer';
  if (servers.length >= 2) {
    return [toSaid(type, 'False', 'SeveralServers', `Served by ${servers.join(', ')}.`)];
  }
  const message =
    `Names of ${zone.spec.domain} can be asked of one server only, and are gone with it. Before ` +
    'you delegate the domain: let secondaries transfer the zone (spec.embedded.allowTransfer, ' +
    'notify), and name at least two servers in spec.embedded.nameServers.';
  return [toSaid(type, 'True', 'FewerThanTwoServers', message)];
}

function sayHolds({ zone, applied }: ZoneFacts): readonly Said[] {
  if (zone.spec.provider === 'Embedded') return [];
  const frozen =
    zone.spec.frozen === true
      ? toSaid('Frozen', 'True', 'FrozenByUser', frozenMessage(zone))
      : toSaid('Frozen', 'False', 'NotFrozen', 'Changes are written.');
  const held =
    applied?.heldPlan === undefined
      ? toSaid('PlanHeld', 'False', 'NothingHeld', 'No change waits to be confirmed.')
      : toSaid('PlanHeld', 'True', 'MassChange', heldMessage(zone, applied.heldPlan));
  const fenced =
    applied?.fence === undefined
      ? toSaid('Fenced', 'False', 'OnlyWriter', 'No other coordinator writes here.')
      : toSaid('Fenced', 'True', applied.fence.reason, applied.fence.message);
  return [frozen, held, fenced];
}

function frozenMessage({ metadata }: DnsZone): string {
  return (
    'spec.frozen is true: nothing is written here, and the names stay as they are. To go on: ' +
    `kubectl isthmus dns unfreeze ${metadata.name}`
  );
}

function heldMessage({ metadata }: DnsZone, held: NonNullable<AppliedZone['heldPlan']>): string {
  return `${held.message} ${toWayOut(metadata.name, held.hash)}`;
}

// A status is read by people; the rest is in the Services' own conditions.
const namedMax = 5;

function sayConflicts({ zone, foreign }: ZoneFacts): Said {
  const type = 'NameConflict';
  if (foreign.length === 0) {
    return toSaid(type, 'False', 'NoConflict', 'No record of others stands in the way.');
  }
  const named = foreign
    .slice(0, namedMax)
    .map(({ key, names }) => `${key} (${names.slice(0, 2).join(', ')})`);
  const more = foreign.length > namedMax ? ` and ${foreign.length - namedMax} more` : '';
  const message =
    `Records of others stand at names of ${count(foreign.length, 'Service')}: ` +
    `${named.join(', ')}${more}. They are left alone, and these Services' names as they were. ` +
    `Whose they are: kubectl isthmus dns import ${zone.metadata.name} --dry-run. Remove the records, ` +
    'or take them over by their owner id (spec.takeOverFrom).';
  return toSaid(type, 'True', 'ForeignRecords', message);
}

function sayBudget({ zone, published }: ZoneFacts): Said {
  const type = 'NameBudget';
  if (published.cut === 0) {
    return toSaid(type, 'False', 'WithinBudget', 'Every name that shall be there has room.');
  }
  const message =
    `${count(published.cut, 'Service')} lack names of zones and regions without a shard: the ` +
    'budget of the zone is used up. Ask the provider for a higher quota, raise spec.nameBudget ' +
    `(now ${zone.spec.nameBudget ?? 'from the quota'}), or choose fewer Services ` +
    '(spec.namespaces, spec.services).';
  return toSaid(type, 'True', 'BudgetUsedUp', message);
}

function toSaid(type: string, status: Said['status'], reason: string, message: string): Said {
  return { type, status, reason, message };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
