// Looks at one Service in one zone: reads the whole truth, plans, audits, and says what is to be
// done. It calls nobody; the writer asks it again right before it sends.

import type { ServiceKey } from '../../../common/model/ids.ts';
import { splitServiceKey, toLogKey } from '../../../common/model/ids.ts';
import type { Publication } from '../../../common/model/publication.ts';
import type { DnsZoneState, DnsZoneView } from '../../../common/model/views.ts';
import { readPublication, toPublicationKey } from '../../../common/pure/publication-object.ts';
import type { Desired } from '../../desired/store.ts';
import type { DnsProvider, ZoneRecordSet } from '../provider/provider.ts';
import { auditGroup, type GroupFinding } from './audit.ts';
import type { Journal } from './journal.ts';
import { isSameSet, toMark } from './ownership.ts';
import { suspect } from './plan-fuse.ts';
import { namesOf, planGroup, type GroupInput, type Obstacle } from './plan-group.ts';
import { toZoneRecordSets } from './zone-records.ts';
import type { Group, Planned } from './zone-state.ts';

export interface LookOptions {
  readonly desired: Desired;
  readonly zones: DnsZoneView;
  readonly journal: Journal;
  readonly federation: string;
  readonly ownerId: string;
}

export type Look =
  | {
      readonly kind: 'settled';
      /** To record, if it is different from what is. */
      readonly after: readonly ZoneRecordSet[];
      readonly isRecorded: boolean;
      readonly obstacle: Obstacle | undefined;
      /** Nothing of it is or shall be there. */
      readonly isGone: boolean;
    }
  | {
      readonly kind: 'change';
      readonly planned: Planned;
      readonly obstacle: Obstacle | undefined;
    }
  | { readonly kind: 'doubted'; readonly findings: readonly GroupFinding[] };

export interface Facts {
  readonly zone: DnsZoneState;
  readonly publication: Publication | undefined;
  /** 0: there is none. */
  readonly publicationRevision: number;
  readonly input: GroupInput;
  readonly revision: number;
}

export function readFacts(
  options: LookOptions,
  zone: DnsZoneState,
  provider: DnsProvider | undefined,
  group: Group,
): Facts {
  const { desired, journal, federation, ownerId } = options;
  const stored = desired.get(toPublicationKey(group.key, zone.name));
  const publication = readPublication(stored?.object);
  const { sets, revision } = journal.recorded(group.key, zone.name);
  const scope = { federation, domain: zone.spec.domain };
  const ttlSecondsMin = provider?.capabilities.ttlSecondsMin ?? 0;
  const isHandedBack = zone.isDeleting && zone.spec.deletionPolicy === 'Orphan';
  const input: GroupInput = {
    key: group.key,
    wanted: zone.isDeleting || publication === undefined ? [] : toZoneRecordSets(publication),
    mark: toMark(group.key, scope, { ownerId, ttlSecondsMin }),
    recorded: sets,
    observed: group.observed,
    takeOverFrom: zone.spec.takeOverFrom ?? [],
    isHandedBack,
  };
  return { zone, publication, publicationRevision: stored?.revision ?? 0, input, revision };
}

export function look(options: LookOptions, facts: Facts): Look {
  const { input, publication, zone, revision } = facts;
  const plan = planGroup(input);
  if (plan.kind === 'settled') {
    const isRecorded = isSameSets(plan.after, input.recorded);
    const isGone = plan.after.length === 0 && input.wanted.length === 0;
    return { kind: 'settled', after: plan.after, isRecorded, obstacle: plan.obstacle, isGone };
  }
  const { group, after, priority, obstacle } = plan;
  const findings = auditGroup({
    key: input.key,
    scope: { federation: options.federation, domain: zone.spec.domain },
    group,
    mark: input.mark,
    recorded: input.recorded,
    observed: input.observed,
    takeOverFrom: input.takeOverFrom,
    shortNames: shortNamesOf(publication),
    isHandedBack: input.isHandedBack,
  });
  if (findings.length > 0) return { kind: 'doubted', findings };
  const cause = { shards: publication?.shards, isWished: isWished(options, facts) };
  const suspicion = suspect(group, cause);
  const { observed } = input;
  const planned = { group, after, priority, suspicion, revision, zone, observed };
  return { kind: 'change', planned, obstacle };
}

/** Every name to read of this Service. */
export function namesToRead(facts: Facts): readonly string[] {
  return namesOf(facts.input);
}

function shortNamesOf(publication: Publication | undefined): ReadonlySet<string> {
  const sets = publication?.recordSets ?? [];
  return new Set(sets.flatMap(({ name, level }) => (level === 'alias' ? [name] : [])));
}

/** U1. A publication that is gone while its Service stands, and is selected, is no wish. */
function isWished({ desired, zones }: LookOptions, { zone, publication, input }: Facts): boolean {
  if (zone.isDeleting) return true;
  if (publication !== undefined) return false;
  // undefined: a moment in which nobody knows yet, and so no wish.
  const selected = zones.zonesOf(input.key);
  const isDeselected = selected !== undefined && !selected.includes(zone.name);
  return isDeselected || !isStanding(desired, input.key);
}

function isStanding(desired: Desired, key: ServiceKey): boolean {
  const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
  const service = desired.get(at);
  return service !== undefined && service.object.metadata.deletionTimestamp === undefined;
}

function isSameSets(a: readonly ZoneRecordSet[], b: readonly ZoneRecordSet[]): boolean {
  return a.length === b.length && a.every((set, at) => isSameAs(set, b[at]));
}

function isSameAs(set: ZoneRecordSet, other: ZoneRecordSet | undefined): boolean {
  return other !== undefined && isSameSet(set, other);
}
