// One record set as the service stores it, read from a request and written into an answer.

import { isIPv4, isIPv6 } from 'node:net';
import { canonicalName, nameFault } from './names.ts';
import { childOf, textOf, type XmlElement, type XmlTree } from './xml.ts';

export interface StoredSet {
  /** Canonical, with the trailing dot. */
  readonly name: string;
  readonly type: string;
  readonly setIdentifier?: string;
  /** Weight, Region, Failover, MultiValueAnswer, GeoLocation, HealthCheckId, in their XML. */
  readonly routing: readonly (readonly [string, XmlTree])[];
  readonly ttl?: number;
  readonly values: readonly string[];
  readonly alias?: {
    readonly hostedZoneId: string;
    readonly dnsName: string;
    readonly evaluateTargetHealth: boolean;
  };
}

export type ReadSet =
  | { readonly set: StoredSet; readonly writtenName: string }
  | { readonly invalidInput: string };

/** In the order in which the service writes them. */
const routingFields = [
  'Weight',
  'Region',
  'GeoLocation',
  'Failover',
  'MultiValueAnswer',
  'HealthCheckId',
  'CidrRoutingConfig',
  'GeoProximityLocation',
  'TrafficPolicyInstanceId',
] as const;

export function readRecordSet(element: XmlElement, action: string): ReadSet {
  const [writtenName, type] = [textOf(element, 'Name'), textOf(element, 'Type')];
  if (writtenName === undefined || type === undefined || !knownTypes.has(type)) {
    return { invalidInput: `1 validation error detected: Value '${type ?? ''}' at 'type'` };
  }
  const setIdentifier = textOf(element, 'SetIdentifier');
  const ttl = textOf(element, 'TTL');
  const records = childOf(element, 'ResourceRecords')?.children ?? [];
  const target = childOf(element, 'AliasTarget');
  const hasRecords = ttl !== undefined && records.length > 0;
  if (hasRecords === (target !== undefined)) {
    return {
      invalidInput:
        'Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], ' +
        `or TrafficPolicyInstanceId], but found ${hasRecords ? 'more than one' : 'none'} in Change ` +
        `with [Action=${action}, Name=${writtenName}, Type=${type}, ` +
        `SetIdentifier=${setIdentifier ?? 'null'}]`,
    };
  }
  const routing = routingFields.flatMap((name) => {
    const found = childOf(element, name);
    return found === undefined ? [] : [[name, toTree(found)] as const];
  });
  const policies = routing.filter(([name]) => !besideAny.has(name));
  if ((setIdentifier === undefined) !== (policies.length === 0)) {
    return {
      invalidInput:
        'Invalid request: Expected ' +
        (setIdentifier === undefined ? 'SetIdentifier' : 'exactly one of [Weight, Region, ...]') +
        `, but found none in Change with [Action=${action}, Name=${writtenName}, Type=${type}]`,
    };
  }
  return {
    writtenName,
    set: {
      name: canonicalName(writtenName),
      type,
      ...(setIdentifier === undefined ? {} : { setIdentifier }),
      routing,
      ...(ttl === undefined || target !== undefined ? {} : { ttl: Number(ttl) }),
      values: records.map((record) => textOf(record, 'Value') ?? ''),
      ...(target === undefined ? {} : { alias: readAlias(target) }),
    },
  };
}

const knownTypes = new Set(
  'SOA A TXT NS CNAME MX NAPTR PTR SRV SPF AAAA CAA DS TLSA SSHFP SVCB HTTPS'.split(' '),
);
const besideAny = new Set(['HealthCheckId', 'TrafficPolicyInstanceId']);

function readAlias(target: XmlElement): NonNullable<StoredSet['alias']> {
  return {
    hostedZoneId: textOf(target, 'HostedZoneId') ?? '',
    dnsName: canonicalName(textOf(target, 'DNSName') ?? ''),
    evaluateTargetHealth: textOf(target, 'EvaluateTargetHealth') === 'true',
  };
}

function toTree(element: XmlElement): XmlTree {
  if (element.children.length === 0) return element.text;
  return element.children.map((child) => [child.name, toTree(child)] as const);
}

export function writeRecordSet(set: StoredSet): readonly (readonly [string, XmlTree])[] {
  const { name, type, setIdentifier, routing, ttl, values, alias } = set;
  return [
    ['Name', name],
    ['Type', type],
    ...(setIdentifier === undefined ? [] : [['SetIdentifier', setIdentifier] as const]),
    ...routing,
    ...(ttl === undefined ? [] : [['TTL', ttl] as const]),
    ...(alias === undefined
      ? [
          [
            'ResourceRecords',
            values.map((value) => ['ResourceRecord', [['Value', value]]] as const),
          ] as const,
        ]
      : [
          [
            'AliasTarget',
            [
              ['HostedZoneId', alias.hostedZoneId],
              ['DNSName', alias.dnsName],
              ['EvaluateTargetHealth', alias.evaluateTargetHealth],
            ],
          ] as const,
        ]),
  ];
}

/** A DELETE has to say all of it; values in any order, names in any case. */
export function isSameSet(a: StoredSet, b: StoredSet): boolean {
  const textOfSet = ({ ttl, values, alias, routing, type }: StoredSet): string => {
    const exact = values.map((value) => (hasNameValue.has(type) ? canonicalName(value) : value));
    return JSON.stringify([ttl, exact.sort(), alias, [...routing].sort()]);
  };
  return textOfSet(a) === textOfSet(b);
}

const hasNameValue = new Set(['CNAME', 'NS', 'PTR']);

/** Weighted, latency and so on: sets of one name and type all have the same one. */
export function policyOf({ routing }: StoredSet): string {
  const [policy] = routing.find(([name]) => !besideAny.has(name)) ?? ['simple'];
  return policy === 'Weight' ? 'weighted' : policy.toLowerCase();
}

/** What is wrong with the values, in the service's words. */
export function valueFaults({ name, type, values, ttl }: StoredSet): readonly string[] {
  const faults: string[] = [];
  if (values.length > 400) faults.push('Cannot have more than 400 records in a RRSet');
  if (ttl !== undefined && !(ttl >= 0 && ttl <= 2 ** 31 - 1)) faults.push(`Invalid TTL ${ttl}`);
  for (const [index, value] of values.entries()) {
    if (values.indexOf(value) !== index) faults.push(`Duplicate Resource Record: '${value}'`);
    const fault = valueFault(type, value);
    if (fault !== undefined) faults.push(`Invalid Resource Record: '${fault}'`);
  }
  if (type === 'CNAME' && values.length > 1) {
    faults.push(`RRSet with DNS name ${name}, type CNAME contains more than one record`);
  }
  return faults;
}

function valueFault(type: string, value: string): string | undefined {
  const say = (code: string, text: string): string =>
    `FATAL problem: ${code} (${text}) encountered with '${value}'`;
  switch (type) {
    case 'A':
      return isIPv4(value)
        ? undefined
        : say('ARRDATAIllegalIPv4Address', 'Value is not a valid IPv4 address');
    case 'AAAA':
      return isIPv6(value)
        ? undefined
        : say('AAAARRDATAIllegalIPv6Address', 'Value is not a valid IPv6 address');
    case 'CNAME':
    case 'NS':
      return nameFault(value);
    case 'SRV':
      return /^\d+ \d+ \d+ \S+$/.test(value)
        ? undefined
        : say('SRVRRDATANotFourFields', 'Value should have four fields');
    case 'TXT':
      return textFault(value, say);
    default:
      return undefined;
  }
}

function textFault(value: string, say: (code: string, text: string) => string): string | undefined {
  if (!/^"(?:[^"\\]|\\[\s\S])*"(?: +"(?:[^"\\]|\\[\s\S])*")*$/.test(value)) {
    return say('InvalidCharacterString', 'Value should be enclosed in quotation marks');
  }
  for (const [string] of value.matchAll(/"(?:[^"\\]|\\[\s\S])*"/g)) {
    const bytes = string.slice(1, -1).replace(/\\[0-7]{3}|\\[\s\S]/g, '.');
    if (Buffer.byteLength(bytes) > 255) return say('CharacterStringTooLong', 'Value is too long');
  }
  return undefined;
}
