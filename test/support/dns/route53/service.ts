// What the service does with a request that has arrived: who may, how often, on which zone.
// Input: an action and its document. Output: a document or an error, in the service's XML.

import { toTimestamp, type Clock } from '../../../../common/runtime/clock.ts';
import { Bucket, type BucketRate } from './bucket.ts';
import { HostedZone, type ListCursor, type ZoneChange } from './hosted-zone.ts';
import { readRecordSet, writeRecordSet } from './record-set.ts';
import { childOf, parseXml, textOf, toXml, type XmlElement, type XmlTree } from './xml.ts';

export interface ServiceOptions {
  readonly clock: Clock;
  /** Per action and account, as of 2026: 10 a second, 50 at once. */
  readonly requests: BucketRate;
  /** Of single changes. AWS does not publish it. */
  readonly changes: BucketRate;
  /** How long a zone is at a change, and takes no other. */
  readonly busyMs: number;
  readonly propagationMs: number;
  readonly recordSetsMax: number;
}

export interface Answered {
  readonly status: number;
  readonly body: string;
}

export type Action =
  | 'ChangeResourceRecordSets'
  | 'ListResourceRecordSets'
  | 'GetHostedZone'
  | 'GetHostedZoneLimit'
  | 'ListHostedZones'
  | 'GetChange';

export interface ServiceRequest {
  readonly action: Action;
  /** Hosted zone or change. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

interface Zone {
  readonly zone: HostedZone;
  busyUntilMs: number;
}

const namespace = 'https://route53.amazonaws.com/doc/2013-04-01/';
const pageSetsMax = 300;
/** Only the newest changes are remembered. */
const changesMax = 10_000;

export class Route53Service {
  readonly zones = new Map<string, Zone>();
  readonly #options: ServiceOptions;
  readonly #buckets = new Map<Action, Bucket>();
  readonly #changeBucket: Bucket;
  readonly #changes = new Map<string, { status: 'PENDING' | 'INSYNC'; readonly atMs: number }>();
  #lastChange = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#changeBucket = new Bucket(options.changes, options.clock);
  }

  addZone(id: string, name: string): HostedZone {
    const zone = new HostedZone({
      id,
      name,
      nameServers: ['ns-1.awsdns-01.com', 'ns-2.awsdns-02.net', 'ns-3.awsdns-03.org'],
      ...this.#options,
    });
    this.zones.set(id, { zone, busyUntilMs: 0 });
    return zone;
  }

  answer(request: ServiceRequest): Answered {
    const bucket = this.#buckets.get(request.action) ?? this.#newBucket(request.action);
    if (!bucket.take(1)) return throttled;
    if (request.action === 'GetChange') return this.#getChange(request.id);
    if (request.action === 'ListHostedZones') return this.#listZones();
    const found = this.zones.get(request.id);
    if (found === undefined) {
      return toError(404, 'NoSuchHostedZone', `No hosted zone found with ID: ${request.id}`);
    }
    switch (request.action) {
      case 'GetHostedZone':
        return getZone(found.zone);
      case 'GetHostedZoneLimit':
        return this.#getLimit(found.zone);
      case 'ListResourceRecordSets':
        return list(found.zone, request.query);
      case 'ChangeResourceRecordSets':
        return this.#change(found, request.body);
    }
  }

  #newBucket(action: Action): Bucket {
    const bucket = new Bucket(this.#options.requests, this.#options.clock);
    this.#buckets.set(action, bucket);
    return bucket;
  }

  #change(found: Zone, body: string): Answered {
    const changes = readChanges(body);
    if ('status' in changes) return changes;
    if (!this.#changeBucket.take(changes.length)) return throttled;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < found.busyUntilMs) {
      return toError(
        400,
        'PriorRequestNotComplete',
        'The request was rejected because Route 53 was still processing a prior request.',
      );
    }
    const id = `C${String((this.#lastChange += 1)).padStart(13, '0')}`;
    const atMs = this.#options.clock.now();
    const faults = found.zone.change(changes, () => {
      this.#changes.set(id, { status: 'INSYNC', atMs });
    });
    if (faults.length > 0) return toError(400, 'InvalidChangeBatch', `[${faults.join(', ')}]`);
    found.busyUntilMs = nowMs + this.#options.busyMs;
    if (!this.#changes.has(id)) this.#changes.set(id, { status: 'PENDING', atMs });
    for (const oldest of this.#changes.keys()) {
      if (this.#changes.size <= changesMax) break;
      this.#changes.delete(oldest);
    }
    return toAnswer('ChangeResourceRecordSetsResponse', this.#changeInfo(id));
  }

  #getChange(id: string): Answered {
    if (!this.#changes.has(id)) {
      return toError(404, 'NoSuchChange', `A change with the ID ${id} does not exist.`);
    }
    return toAnswer('GetChangeResponse', this.#changeInfo(id));
  }

  #changeInfo(id: string): readonly (readonly [string, XmlTree])[] {
    const { status = 'PENDING', atMs = 0 } = this.#changes.get(id) ?? {};
    const info = [
      ['Id', `/change/${id}`],
      ['Status', status],
      ['SubmittedAt', toTimestamp(atMs)],
    ] as const;
    return [['ChangeInfo', info]];
  }

  #getLimit(zone: HostedZone): Answered {
    return toAnswer('GetHostedZoneLimitResponse', [
      [
        'Limit',
        [
          ['Type', 'MAX_RRSETS_BY_ZONE'],
          ['Value', this.#options.recordSetsMax],
        ],
      ],
      ['Count', zone.size],
    ]);
  }

  #listZones(): Answered {
    const zones = [...this.zones.values()].map(
      ({ zone }) => ['HostedZone', describeZone(zone)] as const,
    );
    return toAnswer('ListHostedZonesResponse', [
      ['HostedZones', zones],
      ['IsTruncated', false],
      ['MaxItems', 100],
    ]);
  }
}

function getZone(zone: HostedZone): Answered {
  const servers = zone.options.nameServers.map((name) => ['NameServer', name] as const);
  if (zone.isPrivate) {
    const vpc = [
      ['VPCRegion', 'us-east-1'],
      ['VPCId', 'vpc-1'],
    ] as const;
    return toAnswer('GetHostedZoneResponse', [
      ['HostedZone', describeZone(zone)],
      ['VPCs', [['VPC', vpc]]],
    ]);
  }
  return toAnswer('GetHostedZoneResponse', [
    ['HostedZone', describeZone(zone)],
    ['DelegationSet', [['NameServers', servers]]],
  ]);
}

function describeZone(zone: HostedZone): readonly (readonly [string, XmlTree])[] {
  return [
    ['Id', `/hostedzone/${zone.options.id}`],
    ['Name', zone.options.name],
    ['CallerReference', 'double'],
    ['Config', [['PrivateZone', zone.isPrivate]]],
    ['ResourceRecordSetCount', zone.size],
  ];
}

function list(zone: HostedZone, query: URLSearchParams): Answered {
  const [name, type, identifier] = ['name', 'type', 'identifier'].map(
    (key) => query.get(key) ?? undefined,
  );
  if (type !== undefined && name === undefined) {
    return toError(400, 'InvalidInput', 'The input is not valid: type without name.');
  }
  const cursor: ListCursor = {
    ...(name === undefined ? {} : { name }),
    ...(type === undefined ? {} : { type }),
    ...(identifier === undefined ? {} : { identifier }),
  };
  const wanted = Number(query.get('maxitems') ?? pageSetsMax);
  const setsMax = Math.min(pageSetsMax, wanted);
  const sets = zone.list(cursor, setsMax + 1);
  const next = sets[setsMax];
  return toAnswer('ListResourceRecordSetsResponse', [
    [
      'ResourceRecordSets',
      sets.slice(0, setsMax).map((set) => ['ResourceRecordSet', writeRecordSet(set)] as const),
    ],
    ['IsTruncated', next !== undefined],
    ...(next === undefined
      ? []
      : [
          ['NextRecordName', next.name] as const,
          ['NextRecordType', next.type] as const,
          ...(next.setIdentifier === undefined
            ? []
            : [['NextRecordIdentifier', next.setIdentifier] as const]),
        ]),
    ['MaxItems', setsMax],
  ]);
}

function readChanges(body: string): readonly ZoneChange[] | Answered {
  let root: XmlElement;
  try {
    root = parseXml(body);
  } catch (error) {
    return toError(400, 'InvalidInput', `Invalid XML ; ${String(error)}`);
  }
  const batch = childOf(root, 'ChangeBatch');
  const elements = batch === undefined ? [] : (childOf(batch, 'Changes')?.children ?? []);
  if (root.name !== 'ChangeResourceRecordSetsRequest' || elements.length === 0) {
    return toError(400, 'InvalidInput', 'Invalid XML ; the content of element is not complete.');
  }
  const changes: ZoneChange[] = [];
  for (const [index, element] of elements.entries()) {
    const action = textOf(element, 'Action');
    const set = childOf(element, 'ResourceRecordSet');
    if ((action !== 'CREATE' && action !== 'DELETE' && action !== 'UPSERT') || set === undefined) {
      const at = `changeBatch.changes.${index + 1}.member.action`;
      return toError(
        400,
        'InvalidInput',
        `1 validation error detected: Value '${action ?? ''}' at '${at}' failed to satisfy constraint: Member must satisfy enum value set: [UPSERT, DELETE, CREATE]`,
      );
    }
    const read = readRecordSet(set, action);
    if ('invalidInput' in read) return toError(400, 'InvalidInput', read.invalidInput);
    changes.push({ action, ...read });
  }
  return changes;
}

export function toAnswer(root: string, pairs: readonly (readonly [string, XmlTree])[]): Answered {
  const body = `<?xml version="1.0"?>\n<${root} xmlns="${namespace}">${toXml(pairs)}</${root}>`;
  return { status: 200, body };
}

/** In the form of today, whatever the code is. */
export function toError(status: number, code: string, message: string): Answered {
  const error = toXml([
    [
      'Error',
      [
        ['Type', status < 500 ? 'Sender' : 'Receiver'],
        ['Code', code],
        ['Message', message],
      ],
    ],
    ['RequestId', requestId],
  ]);
  return {
    status,
    body: `<?xml version="1.0"?>\n<ErrorResponse xmlns="${namespace}">${error}</ErrorResponse>`,
  };
}

/** As services of before 2024 wrote it, and some that imitate them do. */
export function toOldInvalidChangeBatch(messages: readonly string[]): Answered {
  const inner = toXml([
    ['Messages', messages.map((message) => ['Message', message] as const)],
    ['RequestId', requestId],
  ]);
  return {
    status: 400,
    body: `<?xml version="1.0"?>\n<InvalidChangeBatch xmlns="${namespace}">${inner}</InvalidChangeBatch>`,
  };
}

export const requestId = '6a96ada9-ca89-11e8-8889-7146c770a10d';
const throttled = toError(400, 'Throttling', 'Rate exceeded');
