// Route 53 behind the port: one request a call, with a deadline that holds.
// Input: a hosted zone, credentials or where to find them. Output: a DnsProvider.
//
//   P1. Deletes name what stands exactly and creates nothing that stands: never UPSERT, which would
//       overwrite what somebody else has put there. All deletes precede all creates, so that a
//       name may change its type within one request.
//   P2. The SDK is loaded by the first call, or by the start of a process that has a zone here
//       (dns-providers.ts): who has none pays nothing for it.
//   P3. No retries: the applier counts requests once, and decides.
//
// Next: route53-failures.ts (what an error means), route53-sets.ts (record sets).

import type {
  Change,
  ChangeResourceRecordSetsCommandOutput,
  ListResourceRecordSetsCommandInput,
  ListResourceRecordSetsCommandOutput,
} from '@aws-sdk/client-route-53';
import { MeshError } from '../../../common/pure/errors.ts';
import type {
  CallOptions,
  DnsProvider,
  GroupOutcome,
  ProviderCapabilities,
  RecordBatch,
  RecordPage,
  ZoneDescription,
  ZoneRecordSet,
} from './provider.ts';
import {
  accountOf,
  Call,
  openClient,
  type OpenClient,
  type Route53Options,
} from './route53-client.ts';
import { createExchange } from './route53-exchange.ts';
import { explainFailure, partsOf, toOutcomes, toReadError } from './route53-failures.ts';
import {
  measureGroup,
  RawForms,
  route53Limits,
  toResourceRecordSet,
  valuesPerSetMax,
} from './route53-sets.ts';
import { fromRoute53Name, toListOrder, toRoute53Name } from './route53-text.ts';

/** The service caps pages at this. */
const pageSetsMax = 300;
/** A name has few sets; the neighbours that come with it may spare a call. */
const setsPerName = 8;
const rawFormsMax = 1_000;
/** Of an account, AWS grants 10 a second and bursts of 50. Others of the account get half of it. */
const requestsPerSecond = 5;
const requestBurst = 20;
const commentCharsMax = 256;

/** A provider of one hosted zone. Nothing is loaded or sent until a call. */
export function openRoute53(options: Route53Options): DnsProvider {
  return new Route53Provider(options);
}

class Route53Provider implements DnsProvider {
  readonly capabilities: ProviderCapabilities;
  readonly #options: Route53Options;
  readonly #exchange;
  readonly #rawForms = new RawForms(rawFormsMax);
  readonly #calls = new Set<Call>();
  #opened: Promise<OpenClient> | undefined;
  #isClosed = false;

  constructor(options: Route53Options) {
    this.#options = options;
    this.#exchange = createExchange(options.clock);
    this.capabilities = {
      hasCompareAndSet: true,
      weights: 'members',
      hasAlias: true,
      hasChangeStatus: true,
      ttlSecondsMin: 0,
      valuesPerSetMax,
      limits: route53Limits,
      rate: {
        account: `route53 ${accountOf(options)}`,
        perSecond: requestsPerSecond,
        burst: requestBurst,
      },
    };
  }

  readonly measure = measureGroup;

  async describe(options: CallOptions): Promise<ZoneDescription> {
    const { hostedZoneId: Id } = this.#options;
    const found = await this.#read(options, ({ sdk, client }, hints) =>
      client.send(new sdk.GetHostedZoneCommand({ Id }), hints),
    );
    const name = found.HostedZone?.Name ?? '';
    const [soa, limit] = await Promise.all([
      this.#page({ StartRecordName: name, StartRecordType: 'SOA', MaxItems: 1 }, options),
      this.#recordSetsMax(options),
    ]);
    const sets = found.HostedZone?.ResourceRecordSetCount;
    const isPrivate = found.HostedZone?.Config?.PrivateZone;
    const negative = negativeTtlOf(soa.sets, fromRoute53Name(name));
    return {
      ...(name === '' ? {} : { apex: fromRoute53Name(name) }),
      nameServers: (found.DelegationSet?.NameServers ?? []).map(fromRoute53Name).sort(),
      ...(isPrivate === undefined ? {} : { isPrivate }),
      ...(limit === undefined ? {} : { recordSetsMax: limit }),
      ...(sets === undefined ? {} : { recordSets: Number(sets) }),
      ...(negative === undefined ? {} : { negativeTtlSeconds: negative }),
    };
  }

  /** undefined where it cannot be asked, by the policy or at all: only advice depends on it. */
  async #recordSetsMax(options: CallOptions): Promise<number | undefined> {
    const { hostedZoneId: HostedZoneId } = this.#options;
    try {
      const input = { HostedZoneId, Type: 'MAX_RRSETS_BY_ZONE' } as const;
      const { Limit } = await this.#read(options, ({ sdk, client }, hints) =>
        client.send(new sdk.GetHostedZoneLimitCommand(input), hints),
      );
      return Limit?.Value === undefined ? undefined : Number(Limit.Value);
    } catch (error) {
      if (error instanceof MeshError && error.code === 'DNS_TIMEOUT') throw error;
      return undefined;
    }
  }

  async read(names: readonly string[], options: CallOptions): Promise<readonly ZoneRecordSet[]> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + options.timeoutMs;
    const wanted = new Set(names);
    const found: ZoneRecordSet[] = [];
    let open = [...wanted].map((name) => ({ name, order: toListOrder(name) }));
    open.sort((a, b) => (a.order < b.order ? -1 : 1));
    let cursor: Cursor | undefined;
    while (open[0] !== undefined) {
      const start = open[0];
      const page = await this.#page(
        {
          StartRecordName: toRoute53Name(start.name),
          ...(cursor?.name === start.name ? cursor.rest : {}),
          MaxItems: Math.min(pageSetsMax, Math.max(20, open.length * setsPerName)),
        },
        { timeoutMs: Math.max(1, endMs - clock.monotonicMs()) },
      );
      found.push(...page.sets.filter(({ name }) => wanted.has(name)));
      cursor = page.next;
      // The list is in order: what comes before the next page is not there, or was found.
      const next = cursor === undefined ? undefined : toListOrder(cursor.name);
      open = open.filter(({ order }) => next !== undefined && order >= next);
    }
    return found;
  }

  async list(options: CallOptions & { readonly after?: string }): Promise<RecordPage> {
    const { after } = options;
    // Our own text of a former page.
    const start = after === undefined ? {} : (JSON.parse(after) as Partial<ListInput>);
    const { sets, next } = await this.#page({ ...start, MaxItems: pageSetsMax }, options);
    if (next === undefined) return { sets };
    return {
      sets,
      next: JSON.stringify({ StartRecordName: toRoute53Name(next.name), ...next.rest }),
    };
  }

  async apply(
    batch: RecordBatch,
    options: CallOptions,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    const input = { HostedZoneId: this.#options.hostedZoneId, ChangeBatch: this.#toChanges(batch) };
    const ended = await this.#call<ChangeResourceRecordSetsCommandOutput>(
      options,
      ({ sdk, client }, hints) =>
        client.send(new sdk.ChangeResourceRecordSetsCommand(input), hints),
    );
    if (ended.kind === 'failed') return toOutcomes(batch, ended.failure, ended.wasSent);
    const change = ended.value.ChangeInfo?.Id?.replace(/^\/change\//, '');
    const outcome: GroupOutcome =
      change === undefined
        ? { kind: 'unknown', message: 'Route 53 answered without a change id' }
        : { kind: 'applied', change };
    return new Map(batch.groups.map(({ id }) => [id, outcome]));
  }

  #toChanges(batch: RecordBatch): { readonly Changes: Change[]; readonly Comment: string } {
    const parts = partsOf(batch);
    const [first] = batch.groups;
    const others = batch.groups.length - 1;
    const what = `${first?.id ?? 'fence'}${others > 0 ? ` and ${others} more` : ''}`;
    return {
      Changes: [
        ...parts.flatMap(({ group }) => group.deletes.map((set) => this.#toDelete(set))),
        ...parts.flatMap(({ group }) => group.creates.map(toCreate)),
      ],
      // Shown by CloudTrail beside the change.
      Comment: `isthmus: ${what.replace(/[^ -~]/g, '?')}`.slice(0, commentCharsMax),
    };
  }

  #toDelete(set: ZoneRecordSet): Change {
    return { Action: 'DELETE', ResourceRecordSet: this.#rawForms.asItStands(set) };
  }

  async observe(change: string, options: CallOptions): Promise<'pending' | 'live'> {
    const ended = await this.#call(options, ({ sdk, client }, hints) =>
      client.send(new sdk.GetChangeCommand({ Id: change }), hints),
    );
    if (ended.kind === 'answered') {
      return ended.value.ChangeInfo?.Status === 'INSYNC' ? 'live' : 'pending';
    }
    // Changes are forgotten long after they are served everywhere.
    if (ended.failure.kind === 'noChange') return 'live';
    throw toReadError(ended.failure, ended.error);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#calls) call.end('close');
    this.#exchange.destroy();
    await this.#opened?.then(({ client }) => client.destroy()).catch(() => undefined);
  }

  async #page(
    input: Omit<ListInput, 'HostedZoneId'>,
    options: CallOptions,
  ): Promise<{ readonly sets: readonly ZoneRecordSet[]; readonly next: Cursor | undefined }> {
    const { hostedZoneId: HostedZoneId } = this.#options;
    const answer = await this.#read<ListResourceRecordSetsCommandOutput>(
      options,
      ({ sdk, client }, hints) =>
        client.send(new sdk.ListResourceRecordSetsCommand({ HostedZoneId, ...input }), hints),
    );
    const sets = (answer.ResourceRecordSets ?? []).map((raw) => this.#rawForms.keep(raw));
    const { IsTruncated, NextRecordName, NextRecordType, NextRecordIdentifier } = answer;
    if (IsTruncated !== true || NextRecordName === undefined) return { sets, next: undefined };
    const rest = {
      ...(NextRecordType === undefined ? {} : { StartRecordType: NextRecordType }),
      ...(NextRecordIdentifier === undefined
        ? {}
        : { StartRecordIdentifier: NextRecordIdentifier }),
    };
    return { sets, next: { name: fromRoute53Name(NextRecordName), rest } };
  }

  async #read<T>(options: CallOptions, run: Send<T>): Promise<T> {
    const ended = await this.#call(options, run);
    if (ended.kind === 'answered') return ended.value;
    throw toReadError(ended.failure, ended.error);
  }

  async #call<T>({ timeoutMs }: CallOptions, run: Send<T>): Promise<Ended<T>> {
    const { clock, log, hostedZoneId } = this.#options;
    const call = new Call();
    if (this.#isClosed) call.end('close');
    this.#calls.add(call);
    const deadline = clock.after(timeoutMs, () => call.end('deadline'));
    try {
      // Raced: finding credentials knows no signal.
      return { kind: 'answered', value: await Promise.race([this.#run(call, run), call.ended]) };
    } catch (error) {
      const { wasSent, endedBy } = call;
      const failure = explainFailure(error, { hostedZoneId, wasSent, endedBy, timeoutMs });
      log.debug('Route 53 call failed', { hostedZoneId, failure: failure.kind, wasSent });
      return { kind: 'failed', failure, error, wasSent };
    } finally {
      deadline.cancel();
      this.#calls.delete(call);
    }
  }

  async #run<T>(call: Call, run: Send<T>): Promise<T> {
    if (call.endedBy !== undefined) return call.ended;
    this.#opened ??= openClient(this.#options, this.#exchange);
    const opened = await this.#opened;
    return run(opened, { abortSignal: call.signal, onSent: () => void (call.wasSent = true) });
  }
}

type ListInput = ListResourceRecordSetsCommandInput;

/** Where the next page begins. */
interface Cursor {
  readonly name: string;
  readonly rest: Pick<ListInput, 'StartRecordType' | 'StartRecordIdentifier'>;
}

interface Hints {
  readonly abortSignal: AbortSignal;
  readonly onSent: () => void;
}

type Send<T> = (opened: OpenClient, hints: Hints) => Promise<T>;

type Ended<T> =
  | { readonly kind: 'answered'; readonly value: T }
  | {
      readonly kind: 'failed';
      readonly failure: ReturnType<typeof explainFailure>;
      readonly error: unknown;
      readonly wasSent: boolean;
    };

function toCreate(set: ZoneRecordSet): Change {
  return { Action: 'CREATE', ResourceRecordSet: toResourceRecordSet(set) };
}

/** RFC 2308 5: the lesser of the SOA's own TTL and its MINIMUM, the last of its fields. */
function negativeTtlOf(sets: readonly ZoneRecordSet[], apex: string): number | undefined {
  const soa = sets.find(({ name, type }) => name === apex && type === 'SOA');
  const minimum = Number(soa?.values[0]?.split(' ').at(-1));
  return soa === undefined || Number.isNaN(minimum) ? undefined : Math.min(minimum, soa.ttlSeconds);
}
