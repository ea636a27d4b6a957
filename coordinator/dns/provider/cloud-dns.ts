// Cloud DNS as a DnsProvider: one managed zone of one project, public or private.
//
//   C1. A change is one POST of deletions and additions: all or nothing, and a deletion has to repeat
//       what stands there. The fence is in it.
//   C2. What a change may hold is the project's quota, which `describe` reads; until then, what every
//       project has.
//
// Next: cloud-dns-records.ts (forms), cloud-dns-errors.ts (what answers mean),
// cloud-dns-exchange.ts (requests and deadlines), cloud-dns-auth.ts.

import { MeshError } from '../../../common/pure/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createCloudDnsAuth } from './cloud-dns-auth.ts';
import {
  fence as ofFence,
  toOutcomes,
  toReadError,
  type ChangeLayout,
  type Claimed,
} from './cloud-dns-errors.ts';
import {
  createCloudDnsExchange,
  isSafeEndpoint,
  type Call,
  type CloudDnsExchange,
  type CloudDnsRequest,
  type Exchanged,
} from './cloud-dns-exchange.ts';
import {
  dataBytes,
  ExactForms,
  memberOf,
  readWireSets,
  toWire,
  type WireRecordSet,
} from './cloud-dns-records.ts';
import { CloudDnsQuota } from './cloud-dns-quota.ts';
import type {
  BatchLimits,
  CallOptions,
  DnsProvider,
  GroupOutcome,
  RecordBatch,
  RecordGroup,
  RecordPage,
  ZoneDescription,
  ZoneRecordSet,
} from './provider.ts';

export interface CloudDnsOptions {
  readonly project: string;
  /** Its name or its number, not its domain. */
  readonly managedZone: string;
  /** Default: https://dns.googleapis.com. */
  readonly endpoint?: string;
  /** A service account key. Default: what the usual chain finds. */
  readonly credentials?: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes no call. Throws MeshError `DNS_DENIED` where the settings cannot be used. */
export function openCloudDns(options: CloudDnsOptions): DnsProvider {
  const { endpoint = 'https://dns.googleapis.com', clock } = options;
  if (!isSafeEndpoint(endpoint)) {
    const message = `spec.cloudDNS.endpoint ${JSON.stringify(endpoint)} has to be an https URL`;
    throw new MeshError('fatal', 'DNS_DENIED', message);
  }
  const auth = createCloudDnsAuth(options.credentials);
  const exchange = createCloudDnsExchange({ endpoint, project: options.project, auth, clock });
  return new CloudDns(options, exchange);
}

// The most that Cloud DNS gives in one page is more; this keeps an answer below a megabyte.
const pageSets = 500;
// Of a read of many names: enough to hide the way, few enough for a project's rate.
const readsAtOnce = 8;

class CloudDns implements DnsProvider {
  readonly #place: { readonly project: string; readonly managedZone: string };
  readonly #path: string;
  readonly #exchange: CloudDnsExchange;
  readonly #log: Log;
  readonly #forms = new ExactForms();
  readonly #quota: CloudDnsQuota;

  constructor(options: CloudDnsOptions, exchange: CloudDnsExchange) {
    this.#place = { project: options.project, managedZone: options.managedZone };
    this.#path = `/managedZones/${encodeURIComponent(options.managedZone)}`;
    this.#exchange = exchange;
    this.#log = options.log;
    this.#quota = new CloudDnsQuota(options.project);
  }

  get capabilities(): DnsProvider['capabilities'] {
    return this.#quota.capabilities;
  }

  /** Additions and deletions are limited each by itself; a swap is one of both. */
  measure(group: RecordGroup): BatchLimits {
    return {
      changes: Math.max(group.deletes.length, group.creates.length),
      bytes: dataBytes(group),
    };
  }

  describe(options: CallOptions): Promise<ZoneDescription> {
    return this.#within(options, async (call) => {
      const zone = await this.#get({ method: 'GET', path: this.#path }, call);
      const [project, negativeTtlSeconds] = await Promise.all([
        this.#exchange.send({ method: 'GET', path: '' }, call),
        this.#readNegativeTtl(memberOf(zone, 'dnsName'), call),
      ]);
      const dnsName = memberOf(zone, 'dnsName');
      this.#learnQuota(project);
      const listed = memberOf(zone, 'nameServers');
      const nameServers = (Array.isArray(listed) ? (listed as readonly unknown[]) : [])
        .map((name) => String(name).toLowerCase().replace(/\.$/, ''))
        .sort();
      return {
        ...(typeof dnsName === 'string' ? { apex: dnsName.toLowerCase().replace(/\.$/, '') } : {}),
        nameServers,
        isPrivate: memberOf(zone, 'visibility') === 'private',
        recordSetsMax: this.#quota.recordSetsMax,
        ...(negativeTtlSeconds === undefined ? {} : { negativeTtlSeconds }),
      };
    });
  }

  read(names: readonly string[], options: CallOptions): Promise<readonly ZoneRecordSet[]> {
    return this.#within(options, async (call) => {
      const sets: ZoneRecordSet[] = [];
      for (let at = 0; at < names.length; at += readsAtOnce) {
        const some = names.slice(at, at + readsAtOnce);
        const found = await Promise.all(some.map((name) => this.#readName(name, call)));
        sets.push(...found.flat());
      }
      return sets;
    });
  }

  list(options: CallOptions & { readonly after?: string }): Promise<RecordPage> {
    return this.#within(options, (call) => {
      const { after } = options;
      return this.#page(after === undefined ? {} : { pageToken: after }, call);
    });
  }

  async apply(
    batch: RecordBatch,
    options: CallOptions,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    const { body, layout } = this.#toChange(batch);
    const all = (outcome: GroupOutcome): ReadonlyMap<string, GroupOutcome> =>
      new Map(layout.groups.map((id) => [id, outcome]));
    const call = this.#exchange.begin(options.timeoutMs);
    try {
      const path = `${this.#path}/changes`;
      const answer = await this.#exchange.send({ method: 'POST', path, body }, call);
      if (answer.kind === 'unsent') {
        return all({
          kind: answer.why === 'denied' ? 'denied' : 'unavailable',
          message: answer.message,
        });
      }
      if (answer.kind === 'lost') return all({ kind: 'unknown', message: answer.message });
      const change = memberOf(answer.body, 'id');
      if (answer.status !== 200 || typeof change !== 'string') {
        return toOutcomes(answer, layout, this.#place);
      }
      this.#noteWritten(batch, answer.body);
      return all({ kind: 'applied', change });
    } finally {
      call.end();
    }
  }

  observe(change: string, options: CallOptions): Promise<'pending' | 'live'> {
    return this.#within(options, async (call) => {
      const path = `${this.#path}/changes/${encodeURIComponent(change)}`;
      const answer = await this.#exchange.send({ method: 'GET', path }, call);
      // The zone is there, its list of changes is not kept for ever: what is off it is long done.
      if (answer.kind === 'answer' && answer.status === 404 && isOfChange(answer.body))
        return 'live';
      return memberOf(this.#expect(answer), 'status') === 'done' ? 'live' : 'pending';
    });
  }

  close(): Promise<void> {
    this.#exchange.close();
    return Promise.resolve();
  }

  async #within<T>({ timeoutMs }: CallOptions, run: (call: Call) => Promise<T>): Promise<T> {
    const call = this.#exchange.begin(timeoutMs);
    try {
      return await run(call);
    } finally {
      call.end();
    }
  }

  async #get(request: CloudDnsRequest, call: Call): Promise<unknown> {
    return this.#expect(await this.#exchange.send(request, call));
  }

  #expect(answer: Exchanged): unknown {
    if (answer.kind === 'answer') {
      if (answer.status === 200 && typeof answer.body === 'object') return answer.body;
      throw toReadError(answer, this.#place);
    }
    if (answer.why === 'denied') throw new MeshError('fatal', 'DNS_DENIED', answer.message);
    const code = answer.why === 'timeout' ? 'DNS_TIMEOUT' : 'DNS_UNAVAILABLE';
    throw new MeshError('retryable', code, answer.message);
  }

  async #readName(name: string, call: Call): Promise<readonly ZoneRecordSet[]> {
    // A name holds fewer types than a page.
    const { sets } = await this.#page({ name: `${name}.` }, call);
    return sets;
  }

  async #page(query: Readonly<Record<string, string>>, call: Call): Promise<RecordPage> {
    const path = `${this.#path}/rrsets`;
    const request = {
      method: 'GET',
      path,
      query: { ...query, maxResults: `${pageSets}` },
    } as const;
    const body = await this.#get(request, call);
    const wires = readWireSets(memberOf(body, 'rrsets'));
    if (wires === undefined) {
      const message = `Cloud DNS lists ${this.#place.managedZone} in a form that we do not know`;
      throw new MeshError('retryable', 'DNS_UNAVAILABLE', message);
    }
    const sets = wires.map((wire) => this.#forms.remember(wire));
    const next = memberOf(body, 'nextPageToken');
    return typeof next === 'string' && next !== '' ? { sets, next } : { sets };
  }

  async #readNegativeTtl(dnsName: unknown, call: Call): Promise<number | undefined> {
    if (typeof dnsName !== 'string') return undefined;
    const { sets } = await this.#page({ name: dnsName, type: 'SOA' }, call);
    const [soa] = sets;
    const minimum = Number(soa?.values[0]?.trim().split(/\s+/).at(-1) ?? Number.NaN);
    // RFC 2308 5: the lower of the record's TTL and its MINIMUM field.
    return Number.isInteger(minimum) ? Math.min(minimum, soa?.ttlSeconds ?? minimum) : undefined;
  }

  #learnQuota(answer: Exchanged): void {
    if (answer.kind === 'answer' && answer.status === 200) {
      this.#quota.learn(memberOf(answer.body, 'quota'));
      return;
    }
    // dns.projects.get may be missing where all else is allowed.
    this.#log.info('quota of Cloud DNS is not told; the usual one is taken', {
      project: this.#place.project,
    });
  }

  #toChange(batch: RecordBatch): { readonly body: object; readonly layout: ChangeLayout } {
    const [deletions, additions]: [WireRecordSet[], WireRecordSet[]] = [[], []];
    const [deleted, added]: [Claimed[], Claimed[]] = [[], []];
    const claim = (owner: Claimed['owner'], { deletes, creates }: RecordGroup): void => {
      for (const set of deletes) {
        const wire = this.#forms.toDelete(set);
        deletions.push(wire);
        deleted.push({ owner, name: wire.name, type: wire.type });
      }
      for (const set of creates) {
        const wire = toWire(set);
        additions.push(wire);
        added.push({ owner, name: wire.name, type: wire.type });
      }
    };
    if (batch.fence !== undefined) claim(ofFence, batch.fence);
    for (const group of batch.groups) claim(group.id, group);
    const groups = batch.groups.map(({ id }) => id);
    return {
      body: { kind: 'dns#change', additions, deletions },
      layout: { additions: added, deletions: deleted, groups },
    };
  }

  #noteWritten(batch: RecordBatch, body: unknown): void {
    const all = batch.fence === undefined ? batch.groups : [...batch.groups, batch.fence];
    for (const { deletes } of all) for (const set of deletes) this.#forms.forget(set);
    for (const wire of readWireSets(memberOf(body, 'additions')) ?? []) this.#forms.remember(wire);
  }
}

function isOfChange(body: unknown): boolean {
  const message = memberOf(memberOf(body, 'error'), 'message');
  return typeof message === 'string' && message.includes('parameters.changeId');
}
