// Public names in a zone of BIND, Knot, PowerDNS or another server that takes dynamic updates
// (RFC 2136) signed with TSIG (RFC 8945), over TCP. One UPDATE is one batch, all or nothing:
// prerequisites make it a compare-and-set, the fence included.
//
//   - Every answer's signature is verified. What is not signed is believed by nobody.
//   - Servers do not say which prerequisite failed, and accept what they then ignore: names are
//     read after each UPDATE, whatever the server said of it.
//   - A single group that is refused is told from a key that may do nothing by a probe, an UPDATE
//     that changes nothing.
//
// Next: plan-rfc2136.ts (records), rfc2136-read.ts, rfc2136-transfer.ts, rfc2136-session.ts.

import { responseCodeOf } from '../../../common/pure/dns-message.ts';
import { parseNameText, toNameText } from '../../../common/pure/dns-text.ts';
import { invariant, MeshError } from '../../../common/pure/errors.ts';
import type { TsigAlgorithm } from '../../../common/pure/tsig.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import { sleep, type Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import {
  deviations,
  measureUpdate,
  planLeaveProbe,
  planUpdate,
  setKey,
  updateLimits,
  type UpdateRecords,
} from './plan-rfc2136.ts';
import type {
  CallOptions,
  DnsProvider,
  GroupOutcome,
  ProviderCapabilities,
  RecordBatch,
  RecordGroup,
  ZoneRecordSet,
} from './provider.ts';
import { createLink, deadlineIn, type Deadline, type Rfc2136Link } from './rfc2136-link.ts';
import { describeZone, readNames, type ReadContext } from './rfc2136-read.ts';
import {
  askAll,
  responseCodeText,
  toUpdate,
  type SessionOptions,
  type SignedAnswer,
} from './rfc2136-session.ts';
import { createTransfers, type Transfers } from './rfc2136-transfer.ts';

export interface Rfc2136Options {
  readonly server: { readonly host: string; readonly port: number };
  /** Apex of the zone at the server. */
  readonly zone: string;
  readonly key: {
    readonly name: string;
    readonly algorithm: TsigAlgorithm;
    readonly secret: Uint8Array;
  };
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

/** No I/O until a call. Zone and key name were checked at the door: they have a wire form. */
export function openRfc2136(options: Rfc2136Options): DnsProvider {
  const { server, key, clock, chance, log } = options;
  const apex = parseNameText(options.zone);
  const keyName = parseNameText(key.name);
  invariant(apex !== undefined && apex.length > 1, `rfc2136.zone ${options.zone} is no domain`);
  invariant(keyName !== undefined, `rfc2136.tsigKeyName ${key.name} is no name`);
  const named = `${server.host} port ${server.port}`;
  const session: SessionOptions = {
    apex,
    key: { name: keyName, algorithm: key.algorithm, secret: key.secret },
    clock,
    chance,
    server: named,
  };
  const link = createLink({ server, clock });
  const transfers = createTransfers({ session, link });
  return new Rfc2136Provider({ session, link, transfers, log });
}

interface Parts {
  readonly session: SessionOptions;
  readonly link: Rfc2136Link;
  readonly transfers: Transfers;
  readonly log: Log;
}

class Rfc2136Provider implements DnsProvider {
  readonly capabilities: ProviderCapabilities;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.capabilities = {
      hasCompareAndSet: true,
      weights: 'none',
      hasAlias: false,
      hasChangeStatus: false,
      ttlSecondsMin: 1,
      // BIND's max-records-per-type.
      valuesPerSetMax: 100,
      limits: updateLimits,
      // The server's own: it says no word of it, and Knot needs some 20 ms for each update.
      rate: { account: parts.session.server, perSecond: 20, burst: 40 },
    };
  }

  measure(group: RecordGroup): ReturnType<DnsProvider['measure']> {
    return measureUpdate(group, this.#parts.session.apex);
  }

  describe({ timeoutMs }: CallOptions): ReturnType<DnsProvider['describe']> {
    return this.#reading(this.#deadline(timeoutMs), describeZone);
  }

  read(names: readonly string[], { timeoutMs }: CallOptions): Promise<readonly ZoneRecordSet[]> {
    const deadline = this.#deadline(timeoutMs);
    return this.#reading(deadline, (context) => readNames(context, names));
  }

  list(options: CallOptions & { readonly after?: string }): ReturnType<DnsProvider['list']> {
    return this.#parts.transfers.page(this.#deadline(options.timeoutMs), options.after);
  }

  async apply(
    batch: RecordBatch,
    { timeoutMs }: CallOptions,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    const planned = planUpdate(batch, this.#parts.session.apex);
    if (planned.kind === 'impossible') return impossible(batch, planned.reasons);
    return this.#attempt(batch, planned.records, this.#deadline(timeoutMs), busyTries);
  }

  async #attempt(
    batch: RecordBatch,
    records: UpdateRecords,
    deadline: Deadline,
    triesLeft: number,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    const { session, log } = this.#parts;
    const answer = await this.#send(records, deadline);
    if (answer.kind === 'denied') return this.#denied(batch, answer, deadline);
    if (answer.kind !== 'answer') return all(batch, answer);
    const code = responseCodeOf(answer.message);
    log.debug('zone update answered', {
      zone: toNameText(session.apex),
      groups: batch.groups.length,
      answer: responseCodeText(code),
    });
    if (code === 0) return this.#readBack(batch, deadline);
    if (prerequisiteCodes.has(code)) return this.#findFault(batch, code, deadline);
    const fault = await this.#refused(batch, code, deadline);
    const mayTry = triesLeft > 0 && deadline.leftMs() > 2 * busyMs;
    if (code !== serverFailure || !mayTry || !isOfBatch(fault)) return fault;
    await sleep(session.clock, busyMs);
    return this.#attempt(batch, records, deadline, triesLeft - 1);
  }

  observe(): Promise<'pending' | 'live'> {
    return Promise.resolve('live');
  }

  close(): Promise<void> {
    this.#parts.transfers.close();
    this.#parts.link.close();
    return Promise.resolve();
  }

  #deadline(timeoutMs: number): Deadline {
    return deadlineIn(this.#parts.session.clock, timeoutMs);
  }

  async #reading<T>(deadline: Deadline, run: (context: ReadContext) => Promise<T>): Promise<T> {
    const { session, link } = this.#parts;
    const connection = await link.open(deadline);
    try {
      const result = await run({ session, connection, deadline, absent: new Set() });
      connection.release();
      return result;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async #send(records: UpdateRecords, deadline: Deadline): Promise<Sent> {
    const { session, link } = this.#parts;
    let connection;
    try {
      connection = await link.open(deadline);
    } catch (error) {
      return { kind: 'unavailable', message: messageOf(error) };
    }
    try {
      const request = toUpdate(session.apex, records);
      const [answer] = await askAll(session, connection, [request], deadline);
      connection.release();
      if (answer === undefined) return { kind: 'unknown', message: 'no answer' };
      return answer.kind === 'untrusted' ? { kind: 'unknown', message: answer.message } : answer;
    } catch (error) {
      connection.destroy();
      return { kind: 'unknown', message: messageOf(error) };
    }
  }

  /** The server says that it is done. */
  async #readBack(
    batch: RecordBatch,
    deadline: Deadline,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    const standing = await this.#standing(batch, deadline);
    if (standing.kind === 'unread') {
      const message = `the update was accepted, but not read back: ${standing.message}`;
      return all(batch, { kind: 'unknown', message });
    }
    return each(batch, (group) => {
      const names = deviations(group, standing.sets, 'after');
      if (names.length === 0) return { kind: 'applied' };
      const message =
        `the server accepted the change of ${listed(names)} and serves something else: ` +
        `other records stand in the way, or somebody else wrote there`;
      return { kind: 'conflict', message };
    });
  }

  /** A prerequisite failed, and nothing was changed; the server does not say whose. */
  async #findFault(
    batch: RecordBatch,
    code: number,
    deadline: Deadline,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    const text = responseCodeText(code);
    const standing = await this.#standing(batch, deadline);
    if (standing.kind === 'unread') {
      const message = `something else stands there (${text}), not read: ${standing.message}`;
      return all(batch, { kind: 'unknown', message });
    }
    const { fence } = batch;
    if (fence !== undefined && deviations(fence, standing.sets, 'before').length > 0) {
      const name = (fence.deletes[0] ?? fence.creates[0])?.name ?? '';
      return all(batch, { kind: 'fenced', message: `the fence ${name} has another value` });
    }
    const faults = new Map(
      batch.groups.map((group) => [group.id, deviations(group, standing.sets, 'before')]),
    );
    const isNamed = [...faults.values()].some((names) => names.length > 0);
    return each(batch, ({ id }) => {
      const names = faults.get(id) ?? [];
      if (names.length > 0)
        return { kind: 'conflict', message: `something else stands at ${listed(names)}` };
      if (isNamed) return { kind: 'notTried' };
      const message = `something else stood there (${text}) and has changed since`;
      return { kind: 'conflict', message };
    });
  }

  /** Refused as a whole, and nothing was changed. Of several groups any may be at fault. */
  async #refused(
    batch: RecordBatch,
    code: number,
    deadline: Deadline,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    const { session } = this.#parts;
    const text = responseCodeText(code);
    const zone = toNameText(session.apex);
    if (code === notAuth || code === notImplemented) {
      const message =
        `${session.server} answers ${text}: it is not the primary of ${zone}, or takes no ` +
        `dynamic updates of it; set rfc2136.server and rfc2136.zone to those of the primary`;
      return all(batch, { kind: 'denied', message });
    }
    if (await this.#mayWrite(batch, deadline)) return theseRefused(batch, session.server, text);
    if (code === refused) {
      const message =
        `${session.server} answers REFUSED: key ${toNameText(session.key.name)} may not update ` +
        `${zone} (BIND update-policy, Knot acl, PowerDNS TSIG-ALLOW-DNSUPDATE)`;
      return all(batch, { kind: 'denied', message });
    }
    return all(batch, { kind: 'unavailable', message: `${session.server} answers ${text}` });
  }

  async #denied(
    batch: RecordBatch,
    answer: Extract<SignedAnswer, { kind: 'denied' }>,
    deadline: Deadline,
  ): Promise<ReadonlyMap<string, GroupOutcome>> {
    if (answer.isOfKey === true && (await this.#mayWrite(batch, deadline)))
      return theseRefused(batch, this.#parts.session.server, 'BADKEY');
    return all(batch, { kind: 'denied', message: answer.message });
  }

  /** Whether the key may write at all: at the fence, or where the batch begins. */
  async #mayWrite({ fence, groups }: RecordBatch, deadline: Deadline): Promise<boolean> {
    const sets = [fence, ...groups].flatMap((group) => [
      ...(group?.creates ?? []),
      ...(group?.deletes ?? []),
    ]);
    const name = parseNameText(sets[0]?.name ?? '');
    if (name === undefined) return false;
    const probe = await this.#send(planLeaveProbe(name), deadline);
    return probe.kind === 'answer' && responseCodeOf(probe.message) === 0;
  }

  async #standing(batch: RecordBatch, deadline: Deadline): Promise<Standing> {
    const groups = batch.fence === undefined ? batch.groups : [batch.fence, ...batch.groups];
    const names = new Set(
      groups.flatMap(({ deletes, creates }) => [...deletes, ...creates].map(({ name }) => name)),
    );
    try {
      const sets = await this.#reading(deadline, (context) => readNames(context, [...names]));
      return { kind: 'read', sets: new Map(sets.map((set) => [setKey(set), set])) };
    } catch (error) {
      if (error instanceof MeshError) return { kind: 'unread', message: error.message };
      throw error;
    }
  }
}

type Sent =
  | Exclude<SignedAnswer, { kind: 'untrusted' }>
  | { readonly kind: 'unavailable' | 'unknown'; readonly message: string };

type Standing =
  | { readonly kind: 'read'; readonly sets: ReadonlyMap<string, ZoneRecordSet> }
  | { readonly kind: 'unread'; readonly message: string };

// NXDOMAIN, YXDOMAIN, YXRRSET, NXRRSET (RFC 2136 2.2).
const prerequisiteCodes = new Set([3, 6, 7, 8]);
// The server's own trouble, and nothing was changed (2.2): PowerDNS says so while its database is
// locked for a moment, BIND while it reloads. That is no fault of a batch yet.
const serverFailure = 2;
const busyTries = 2;
const busyMs = 500;
const notImplemented = 4;
const refused = 5;
const notAuth = 9;

function each(
  { groups }: RecordBatch,
  outcome: (group: RecordGroup) => GroupOutcome,
): ReadonlyMap<string, GroupOutcome> {
  return new Map(groups.map((group) => [group.id, outcome(group)]));
}

function all(batch: RecordBatch, outcome: GroupOutcome): ReadonlyMap<string, GroupOutcome> {
  return each(batch, () => outcome);
}

function impossible(
  batch: RecordBatch,
  reasons: ReadonlyMap<string, string>,
): ReadonlyMap<string, GroupOutcome> {
  const fence = batch.fence === undefined ? undefined : reasons.get(batch.fence.id);
  return each(batch, ({ id }) => {
    const message = reasons.get(id) ?? fence;
    return message === undefined ? { kind: 'notTried' } : { kind: 'rejected', message };
  });
}

/** The key may write, but not all of this. Of several groups any may be at fault. */
function theseRefused(
  batch: RecordBatch,
  server: string,
  text: string,
): ReadonlyMap<string, GroupOutcome> {
  const [group, ...others] = batch.groups;
  if (group === undefined || others.length > 0) return all(batch, { kind: 'notTried' });
  const sets = [...group.deletes, ...group.creates];
  const types = [...new Set(sets.map(({ type }) => type))].sort().join(', ');
  const names = listed([...new Set(sets.map(({ name }) => name))]);
  const message =
    text === 'REFUSED' || text === 'BADKEY'
      ? `${server} answers ${text}, though the key may write TXT records: let it write ${types} ` +
        `at ${names}`
      : `${server} answers ${text} to the change of ${names}, and takes others: its log says why`;
  return all(batch, { kind: 'rejected', message });
}

/** The server takes others, so it says that the fault is here. */
function isOfBatch(outcomes: ReadonlyMap<string, GroupOutcome>): boolean {
  return [...outcomes.values()].every(({ kind }) => kind === 'rejected' || kind === 'notTried');
}

const namesShown = 5;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, namesShown).join(', ');
  return names.length > namesShown ? `${shown} and ${names.length - namesShown} more` : shown;
}

function messageOf(error: unknown): string {
  if (error instanceof MeshError) return error.message;
  throw error;
}
