// Record sets as Route 53 has them, and what each costs of a request.
// Input: sets of provider.ts or of the service. Output: the other ones. Pure.
//
//   S1. What is read and not changed can be deleted exactly: a set whose canonical form writes
//       differently than it stands (long IPv6, split TXT) is remembered as it stands (`RawForms`).

import type { ResourceRecordSet, RRType } from '@aws-sdk/client-route-53';
import { toCanonicalJson } from '../../../common/pure/canonical-json.ts';
import type { BatchLimits, RecordGroup, ZoneRecordSet } from './provider.ts';
import {
  fromRoute53Name,
  fromRoute53Value,
  toRoute53Name,
  toRoute53Value,
} from './route53-text.ts';

/** ResourceRecord elements and characters of Value elements of one request (AWS quotas). */
export const route53Limits: BatchLimits = { changes: 1000, bytes: 32_000 };
export const valuesPerSetMax = 400;

// Settings that people make and we do not.
const foreignSettings = [
  'Region',
  'GeoLocation',
  'Failover',
  'MultiValueAnswer',
  'HealthCheckId',
  'TrafficPolicyInstanceId',
  'CidrRoutingConfig',
  'GeoProximityLocation',
] as const;

export function fromResourceRecordSet(raw: ResourceRecordSet): ZoneRecordSet {
  const { Name = '', Type = '', TTL = 0, Weight, SetIdentifier, AliasTarget } = raw;
  const foreign: Record<string, unknown> = {};
  for (const key of foreignSettings) {
    if (raw[key] !== undefined) foreign[key] = raw[key];
  }
  if (SetIdentifier !== undefined && Weight === undefined) foreign['SetIdentifier'] = SetIdentifier;
  return {
    name: fromRoute53Name(Name),
    type: Type,
    ttlSeconds: AliasTarget === undefined ? Number(TTL) : 0,
    values: (raw.ResourceRecords ?? [])
      .map(({ Value = '' }) => fromRoute53Value(Type, Value))
      .sort(),
    ...(AliasTarget === undefined
      ? {}
      : {
          alias: {
            target: fromRoute53Name(AliasTarget.DNSName ?? ''),
            hostedZoneId: AliasTarget.HostedZoneId ?? '',
            evaluateTargetHealth: AliasTarget.EvaluateTargetHealth === true,
          },
        }),
    ...(Weight === undefined || SetIdentifier === undefined
      ? {}
      : { member: { id: SetIdentifier, weight: Number(Weight) } }),
    ...(Object.keys(foreign).length === 0 ? {} : { foreign: toCanonicalJson(foreign) }),
  };
}

export function toResourceRecordSet(set: ZoneRecordSet): ResourceRecordSet {
  const { name, type, ttlSeconds, values, alias, member, foreign } = set;
  return {
    Name: toRoute53Name(name),
    Type: type as RRType, // the service judges; a type that it does not know is rejected there
    ...(member === undefined ? {} : { SetIdentifier: member.id, Weight: member.weight }),
    // Our own text, made above.
    ...(foreign === undefined ? {} : (JSON.parse(foreign) as Partial<ResourceRecordSet>)),
    ...(alias === undefined
      ? {
          TTL: ttlSeconds,
          ResourceRecords: values.map((value) => ({ Value: toRoute53Value(type, value) })),
        }
      : {
          AliasTarget: {
            HostedZoneId: alias.hostedZoneId,
            DNSName: toRoute53Name(alias.target),
            EvaluateTargetHealth: alias.evaluateTargetHealth,
          },
        }),
  };
}

/** DELETE and CREATE count each value once; an alias has none and is taken for one. */
export function measureGroup(group: RecordGroup): BatchLimits {
  let [changes, bytes] = [0, 0];
  for (const { type, values, alias } of [...group.deletes, ...group.creates]) {
    changes += alias === undefined ? values.length : 1;
    for (const value of values) bytes += toRoute53Value(type, value).length;
  }
  return { changes, bytes };
}

/** Sets that stand in another form than we would write them in; the newest `sizeMax`. */
export class RawForms {
  readonly #raw = new Map<string, ResourceRecordSet>();
  readonly #sizeMax: number;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** The canonical form of a set that was read. */
  keep(raw: ResourceRecordSet): ZoneRecordSet {
    const set = fromResourceRecordSet(raw);
    const key = toCanonicalJson(set);
    this.#raw.delete(key);
    if (isSameForm(toResourceRecordSet(set), raw)) return set;
    this.#raw.set(key, raw);
    for (const oldest of this.#raw.keys()) {
      if (this.#raw.size <= this.#sizeMax) break;
      this.#raw.delete(oldest);
    }
    return set;
  }

  /** For a delete: as it stands, where that was read. */
  asItStands(set: ZoneRecordSet): ResourceRecordSet {
    return this.#raw.get(toCanonicalJson(set)) ?? toResourceRecordSet(set);
  }
}

/** Names are compared by the service itself; values and their order within a set are not all. */
function isSameForm(ours: ResourceRecordSet, raw: ResourceRecordSet): boolean {
  const textOf = ({ ResourceRecords, AliasTarget }: ResourceRecordSet): string =>
    JSON.stringify([
      (ResourceRecords ?? []).map(({ Value }) => Value).sort(),
      AliasTarget?.DNSName?.toLowerCase(),
    ]);
  return textOf(ours) === textOf(raw);
}
