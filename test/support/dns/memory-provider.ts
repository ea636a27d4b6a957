// A provider in memory that is as strict as a real one: whole requests by compare-and-set, its own
// limits, a rate that it enforces, changes that take time to be served, and a script of faults. It
// runs under whatever clock it is given.

import type { Clock } from '../../../common/runtime/clock.ts';
import { sleep } from '../../../common/runtime/clock.ts';
import { toWireName } from '../../../common/pure/dns-wire.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import type {
  BatchLimits,
  DnsProvider,
  GroupOutcome,
  ProviderCapabilities,
  RecordBatch,
  RecordGroup,
  ZoneRecordSet,
} from '../../../coordinator/dns/provider/provider.ts';

/** What happens to the next request, instead of what should. */
export type ProviderFault =
  | 'down'
  | 'denied'
  | 'hang'
  | 'throttle'
  /** The answer is lost; the change was made, or not. */
  | 'lostAfter'
  | 'lostBefore'
  /** Arrives when `release` is called; the caller has long given up. */
  | 'late';

export interface MemoryProviderOptions {
  readonly clock: Clock;
  readonly apex: string;
  readonly capabilities?: Partial<ProviderCapabilities>;
  /** Until the answer. Default: 20 ms. */
  readonly latencyMs?: number;
  /** Until a change is served everywhere. Default: 30 s. */
  readonly propagationMs?: number;
  /** Enforced, whatever `capabilities.rate` says; none: never throttles. */
  readonly enforced?: { readonly perSecond: number; readonly burst: number };
  /** Asked before each request. */
  readonly fault?: (call: 'apply' | 'read') => ProviderFault | undefined;
  /** A group that this provider will never have. */
  readonly rejects?: (group: RecordGroup) => string | undefined;
  /** It does not say which group of a batch is at fault. */
  readonly isMute?: boolean;
}

export interface MemoryZone {
  /** By name: what a change costs does not depend on the size of the zone. */
  readonly names: Map<string, readonly ZoneRecordSet[]>;
  /** Accepted changes, in order, as they were sent. */
  readonly changes: { readonly atMs: number; readonly groups: readonly RecordGroup[] }[];
  /** Called with what stands after each accepted change. */
  onChange: (() => void) | undefined;
}

export interface MemoryProvider extends DnsProvider {
  readonly zone: MemoryZone;
  readonly calls: { apply: number; read: number; observe: number; namesRead: number };
  /** By another hand: no compare-and-set, and no change that we could follow. */
  put(set: ZoneRecordSet): void;
  remove(set: Pick<ZoneRecordSet, 'name' | 'type' | 'member'>): void;
  /** Sorted by name, type and member. */
  standing(name?: string): readonly ZoneRecordSet[];
  /** Lets the requests arrive that were `late`. Answers what became of them. */
  release(): readonly string[];
}

export function createMemoryZone(): MemoryZone {
  return { names: new Map(), changes: [], onChange: undefined };
}

/** Route 53's numbers. */
export const route53Like: ProviderCapabilities = {
  hasCompareAndSet: true,
  weights: 'members',
  hasAlias: true,
  hasChangeStatus: true,
  ttlSecondsMin: 0,
  valuesPerSetMax: 400,
  limits: { changes: 1000, bytes: 32_000 },
  rate: { account: 'account', perSecond: 10, burst: 50 },
};

export function createMemoryProvider(
  options: MemoryProviderOptions,
  zone: MemoryZone = createMemoryZone(),
): MemoryProvider {
  const { clock, apex } = options;
  add(zone, { name: apex, type: 'NS', ttlSeconds: 3600, values: ['ns1.example.net'] });
  add(zone, { name: apex, type: 'SOA', ttlSeconds: 3600, values: ['ns1.example.net'] });
  const capabilities = { ...route53Like, ...options.capabilities };
  const calls = { apply: 0, read: 0, observe: 0, namesRead: 0 };
  const late: (() => string)[] = [];
  const bucket = createBucket(options);
  const closing = new AbortController();

  const arrive = async (
    call: 'apply' | 'read',
    timeoutMs: number,
  ): Promise<ProviderFault | undefined> => {
    const fault = options.fault?.(call);
    // Everything that is on its way ends when the provider is closed.
    const waitMs = fault === 'hang' ? timeoutMs : (options.latencyMs ?? 20);
    const isThere = await sleep(clock, waitMs, closing.signal).then(
      () => true,
      () => false,
    );
    if (!isThere) return 'down';
    return fault ?? (bucket() ? undefined : 'throttle');
  };
  const perform = (batch: RecordBatch): ReadonlyMap<string, GroupOutcome> =>
    applyBatch(zone, batch, { ...options, capabilities, atMs: clock.monotonicMs() });
  const failing = (fault: ProviderFault): MeshError => {
    if (fault === 'denied')
      return new MeshError('fatal', 'DNS_DENIED', 'this key may not write here: use another one');
    if (fault === 'throttle') return new MeshError('retryable', 'DNS_THROTTLED', 'rate exceeded');
    if (fault === 'hang') return new MeshError('retryable', 'DNS_TIMEOUT', 'no answer in time');
    return new MeshError('retryable', 'DNS_UNAVAILABLE', 'connection refused');
  };
  return {
    capabilities,
    zone,
    calls,
    measure,
    describe: async ({ timeoutMs }) => {
      const fault = await arrive('read', timeoutMs);
      if (fault !== undefined) throw failing(fault);
      return {
        apex: options.apex,
        nameServers: ['ns1.example.net'],
        recordSets: allOf(zone).length,
      };
    },
    read: async (names, { timeoutMs }) => {
      calls.read += 1;
      calls.namesRead += names.length;
      const fault = await arrive('read', timeoutMs);
      if (fault !== undefined) throw failing(fault);
      return names.flatMap((name) => zone.names.get(name) ?? []);
    },
    list: async ({ after, timeoutMs }) => {
      const fault = await arrive('read', timeoutMs);
      if (fault !== undefined) throw failing(fault);
      const all = allOf(zone).filter((set) => after === undefined || keyOf(set) > after);
      const sets = all.slice(0, 300);
      const last = sets.at(-1);
      return all.length <= 300 || last === undefined ? { sets } : { sets, next: keyOf(last) };
    },
    apply: async (batch, { timeoutMs }) => {
      calls.apply += 1;
      const all = (outcome: GroupOutcome): ReadonlyMap<string, GroupOutcome> =>
        new Map(batch.groups.map(({ id }) => [id, outcome]));
      const fault = await arrive('apply', timeoutMs);
      switch (fault) {
        case undefined:
          return perform(batch);
        case 'down':
          return all({ kind: 'unavailable', message: 'connection refused' });
        case 'denied':
          return all({ kind: 'denied', message: 'this key may not write here: use another one' });
        case 'throttle':
          return all({ kind: 'throttled', message: 'rate exceeded' });
        case 'lostAfter':
          perform(batch);
          return all({ kind: 'unknown', message: 'connection reset' });
        case 'late':
          late.push(() => [...perform(batch).values()].map(({ kind }) => kind).join(' '));
          return all({ kind: 'unknown', message: 'connection reset' });
        case 'lostBefore':
        case 'hang':
          return all({ kind: 'unknown', message: 'no answer in time' });
      }
    },
    observe: async (change) => {
      calls.observe += 1;
      await sleep(clock, options.latencyMs ?? 20);
      const accepted = zone.changes[Number(change)];
      const age = clock.monotonicMs() - (accepted?.atMs ?? 0);
      return age >= (options.propagationMs ?? 30_000) ? 'live' : 'pending';
    },
    close: () => {
      closing.abort(new Error('closed'));
      return Promise.resolve();
    },
    put: (set) => {
      add(zone, set);
      zone.onChange?.();
    },
    remove: (set) => {
      drop(zone, set);
      zone.onChange?.();
    },
    standing: (name) => (name === undefined ? allOf(zone) : (zone.names.get(name) ?? [])),
    release: () => late.splice(0).map((arrives) => arrives()),
  };
}

function createBucket({ clock, enforced }: MemoryProviderOptions): () => boolean {
  if (enforced === undefined) return () => true;
  let [tokens, filledMs] = [enforced.burst, clock.monotonicMs()];
  return () => {
    const nowMs = clock.monotonicMs();
    tokens = Math.min(enforced.burst, tokens + ((nowMs - filledMs) / 1000) * enforced.perSecond);
    filledMs = nowMs;
    if (tokens < 1 - 1e-9) return false;
    tokens -= 1;
    return true;
  };
}

/** Elements and characters as Route 53 counts them: a delete costs what a create does. */
function measure({ deletes, creates }: RecordGroup): BatchLimits {
  let [changes, bytes] = [0, 0];
  for (const { values, alias, items } of [...deletes, ...creates]) {
    const all = [...values, ...(items ?? []).flatMap((item) => item.values)];
    changes += Math.max(1, all.length);
    bytes += all.reduce((sum, value) => sum + value.length, alias?.target.length ?? 0);
  }
  return { changes, bytes };
}

function keyOf({ name, type, member }: Pick<ZoneRecordSet, 'name' | 'type' | 'member'>): string {
  return `${name} ${type} ${member?.id ?? ''}`;
}

function isSame(a: ZoneRecordSet | undefined, b: ZoneRecordSet): boolean {
  const order = ({
    name,
    type,
    ttlSeconds,
    values,
    alias,
    member,
    items,
    foreign,
  }: ZoneRecordSet) =>
    JSON.stringify([name, type, ttlSeconds, values, alias, member, items, foreign]);
  return a !== undefined && order(a) === order(b);
}

function applyBatch(
  zone: MemoryZone,
  batch: RecordBatch,
  options: MemoryProviderOptions & {
    readonly capabilities: ProviderCapabilities;
    readonly atMs: number;
  },
): ReadonlyMap<string, GroupOutcome> {
  const { limits } = options.capabilities;
  const all = [...batch.groups, ...(batch.fence === undefined ? [] : [batch.fence])];
  const outcomes = new Map<string, GroupOutcome>();
  const fail = (group: RecordGroup, outcome: GroupOutcome): ReadonlyMap<string, GroupOutcome> => {
    for (const { id } of batch.groups) outcomes.set(id, outcomes.get(id) ?? { kind: 'notTried' });
    if (options.isMute !== true) outcomes.set(group.id, outcome);
    return outcomes;
  };
  const cost = all
    .map(measure)
    .reduce(
      (sum, { changes, bytes }) => ({ changes: sum.changes + changes, bytes: sum.bytes + bytes }),
      { changes: 0, bytes: 0 },
    );
  if (cost.changes > limits.changes || cost.bytes > limits.bytes) {
    const message = `${cost.changes} changes and ${cost.bytes} bytes are too many`;
    return new Map(batch.groups.map(({ id }) => [id, { kind: 'rejected', message }]));
  }
  const undo: (() => void)[] = [];
  const take = (group: RecordGroup): string | undefined => {
    const message = clash(zone, group);
    if (message !== undefined) return message;
    for (const set of group.deletes) drop(zone, set);
    for (const set of group.creates) add(zone, set);
    undo.push(() => {
      for (const set of group.creates) drop(zone, set);
      for (const set of group.deletes) add(zone, set);
    });
    return undefined;
  };
  const undoAll = (): void => undo.reverse().forEach((back) => back());
  const fenced = batch.fence === undefined ? undefined : take(batch.fence);
  if (fenced !== undefined) {
    return new Map(batch.groups.map(({ id }) => [id, { kind: 'fenced', message: fenced }]));
  }
  for (const group of batch.groups) {
    const rejected = options.rejects?.(group) ?? neverAcceptable(options.apex, group);
    const message = rejected ?? take(group);
    if (message === undefined) continue;
    undoAll();
    return fail(group, { kind: rejected === undefined ? 'conflict' : 'rejected', message });
  }
  const change = String(zone.changes.push({ atMs: options.atMs, groups: batch.groups }) - 1);
  zone.onChange?.();
  return new Map(batch.groups.map(({ id }) => [id, { kind: 'applied', change }]));
}

function neverAcceptable(apex: string, { creates }: RecordGroup): string | undefined {
  for (const { name } of creates) {
    if (name !== apex && !name.endsWith(`.${apex}`)) return `${name} is not in ${apex}`;
    if (toWireName(name) === undefined) return `${name} is no name`;
  }
  return undefined;
}

function allOf(zone: MemoryZone): readonly ZoneRecordSet[] {
  return [...zone.names.values()].flat().sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function add(zone: MemoryZone, set: ZoneRecordSet): void {
  drop(zone, set);
  zone.names.set(set.name, [...(zone.names.get(set.name) ?? []), set]);
}

function drop(zone: MemoryZone, set: Pick<ZoneRecordSet, 'name' | 'type' | 'member'>): void {
  const left = (zone.names.get(set.name) ?? []).filter((other) => keyOf(other) !== keyOf(set));
  if (left.length === 0) zone.names.delete(set.name);
  else zone.names.set(set.name, left);
}

/** Why this group cannot be applied to what stands, or undefined. */
function clash(zone: MemoryZone, group: RecordGroup): string | undefined {
  const gone = new Set<string>();
  for (const set of group.deletes) {
    const there = zone.names.get(set.name)?.find((other) => keyOf(other) === keyOf(set));
    if (!isSame(there, set)) return `${keyOf(set)} does not stand as named`;
    gone.add(keyOf(set));
  }
  const standing = new Map<string, ZoneRecordSet[]>();
  for (const set of group.creates) {
    const there =
      standing.get(set.name) ??
      (zone.names.get(set.name) ?? []).filter((other) => !gone.has(keyOf(other)));
    for (const other of there) {
      const isAlike = other.type === set.type;
      const isMixed = (other.member === undefined) !== (set.member === undefined);
      const isTwice = isAlike && (isMixed || other.member?.id === set.member?.id);
      const isBeside = !isAlike && (other.type === 'CNAME' || set.type === 'CNAME');
      if (isTwice || isBeside) return `${keyOf(set)} meets ${keyOf(other)}`;
    }
    standing.set(set.name, [...there, set]);
  }
  return undefined;
}
