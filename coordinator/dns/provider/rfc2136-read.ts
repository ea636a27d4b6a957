// Reading names at an RFC 2136 server: at the primary, over TCP, in as few questions as it allows.
//
//   - A wildcard answers for names that do not exist. Where one could have, an UPDATE that changes
//     nothing asks whether the name is really there.
//   - Below a delegation or a DNAME nothing that we write would be answered; that is told as a
//     foreign record at the name.
//   - Knot and others answer ANY with one set of several (RFC 8482): they are asked type by type.

import {
  messageFlags,
  recordClasses,
  responseCodeOf,
  type DnsMessage,
  type WireRecord,
} from '../../../common/pure/dns-message.ts';
import { parseNameText, parseTypeText, toNameText } from '../../../common/pure/dns-text.ts';
import { isWithin, recordTypes, wireParent, type WireName } from '../../../common/pure/dns-wire.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import { foldRecordSets, planAbsenceProbe } from './plan-rfc2136.ts';
import type { ZoneRecordSet } from './provider.ts';
import { unavailable, type Deadline, type LinkConnection } from './rfc2136-link.ts';
import {
  askAll,
  responseCodeText,
  toQuery,
  toReadError,
  toUpdate,
  type Request,
  type SessionOptions,
} from './rfc2136-session.ts';

/** One call's connection, and what it may take. */
export interface ReadContext {
  readonly session: SessionOptions;
  readonly connection: LinkConnection;
  readonly deadline: Deadline;
  /** Names that were found not to be there, or anything below them. */
  readonly absent: Set<WireName>;
}

const noError = 0;
const nameError = 3;
const dnameType = 39;
// What stands beside an address; rarer types are found by the server, when it refuses a change.
const otherTypes = ['AAAA', 'TXT', 'SRV', 'MX', 'NS', 'CAA', 'PTR', 'HTTPS', 'SVCB'].flatMap(
  (text) => parseTypeText(text) ?? [],
);

/** Sorted by name and type. Names outside the zone have no records in it. */
export async function readNames(
  context: ReadContext,
  names: readonly string[],
): Promise<readonly ZoneRecordSet[]> {
  const { apex } = context.session;
  const asked = [...new Set(names)].flatMap((text) => {
    const name = parseNameText(text);
    return name !== undefined && isWithin(name, apex) ? [name] : [];
  });
  const found = await lookUp(context, asked);
  const wildcards = await readWildcards(context, [...found.keys()]);
  const real = await withoutSynthesised(context, found, wildcards);
  return [...real.values()].flat().sort(byNameAndType);
}

type Found = ReadonlyMap<WireName, readonly ZoneRecordSet[]>;

/** Names that something was answered for. */
async function lookUp(context: ReadContext, names: readonly WireName[]): Promise<Found> {
  if (names.length === 0) return new Map();
  if (await isAnyWhole(context)) return lookUpType(context, names, recordTypes.ANY);
  // An address is asked for first: a name that is not there, or is an alias, needs no more.
  const first = await lookUpType(context, names, recordTypes.A);
  const others = names.filter((name) => !(first.get(name) ?? []).some(isOnlySet));
  const found = new Map(first);
  const absent = context.absent;
  const left = others.filter((name) => !absent.has(name));
  const requests = left.flatMap((name) => otherTypes.map((type) => ({ name, type })));
  const messages = await ask(
    context,
    requests.map(({ name, type }) => toQuery(name, type)),
  );
  for (const [index, { name }] of requests.entries()) {
    const message = messages[index];
    const sets = message === undefined ? [] : setsAt(name, message, context.session);
    if (sets.length > 0) found.set(name, [...(found.get(name) ?? []), ...sets]);
  }
  return found;
}

/** An alias has no neighbours, and below a delegation nothing is served. */
function isOnlySet(set: ZoneRecordSet): boolean {
  return set.type === 'CNAME' || set.foreign !== undefined;
}

async function lookUpType(
  context: ReadContext,
  names: readonly WireName[],
  type: number,
): Promise<Found> {
  const messages = await ask(
    context,
    names.map((name) => toQuery(name, type)),
  );
  const found = new Map<WireName, readonly ZoneRecordSet[]>();
  for (const [index, name] of names.entries()) {
    const message = messages[index];
    if (message === undefined) continue;
    if (responseCodeOf(message) === nameError) context.absent.add(name);
    const sets = setsAt(name, message, context.session);
    if (sets.length > 0) found.set(name, sets);
  }
  return found;
}

/** Whether ANY tells every set: of the apex, which has an SOA and NS, it does or does not. */
async function isAnyWhole(context: ReadContext): Promise<boolean> {
  const { session, connection, deadline } = context;
  const request = toQuery(session.apex, recordTypes.ANY);
  const [answer] = await askAll(session, connection, [request], deadline);
  if (answer === undefined) return false;
  if (answer.kind !== 'answer') throw toReadError(answer);
  const types = new Set(answer.message.answers.map(({ type }) => type));
  return types.has(recordTypes.SOA) && types.has(recordTypes.NS);
}

/** What one answer says of a name. */
function setsAt(
  name: WireName,
  message: DnsMessage,
  session: SessionOptions,
): readonly ZoneRecordSet[] {
  const moved = message.answers.find((record) => record.type === dnameType && record.name !== name);
  if (moved !== undefined) return [occluded(name, moved, 'DNAME')];
  if ((message.flags & messageFlags.isAuthoritative) === 0) {
    const cut = message.authorities.find((record) => record.type === recordTypes.NS);
    if (cut !== undefined && cut.name !== session.apex && isWithin(cut.name, session.apex))
      return [occluded(name, cut, 'NS')];
    throw noZone(session, 'does not answer for it with authority');
  }
  return foldRecordSets(message.answers.filter((record) => record.name === name));
}

/** At the delegated name itself its own NS records are told. */
function occluded(name: WireName, by: WireRecord, type: string): ZoneRecordSet {
  const [set] = foldRecordSets([{ ...by, name, class: recordClasses.internet }]);
  const values = set?.values ?? [];
  const foreign = `${type} at ${toNameText(by.name)}`;
  return { name: toNameText(name), type, ttlSeconds: by.ttlSeconds, values, foreign };
}

export function noZone({ server, apex }: SessionOptions, how: string): MeshError {
  const message =
    `${server} has no zone ${toNameText(apex)} for this key: it ${how}; ` +
    `set rfc2136.zone to the apex of a primary zone there`;
  return new MeshError('fatal', 'DNS_NO_ZONE', message);
}

/** The wildcard sets that could have answered for these names. */
async function readWildcards(context: ReadContext, names: readonly WireName[]): Promise<Found> {
  const wanted = new Set<WireName>();
  for (const name of names)
    for (const wildcard of wildcardsOver(name, context)) wanted.add(wildcard);
  return lookUp(context, [...wanted]);
}

function wildcardsOver(name: WireName, { session }: ReadContext): readonly WireName[] {
  const wildcards: WireName[] = [];
  for (let at = name; at !== session.apex && at.length > 1; ) {
    at = wireParent(at);
    const wildcard = `\u0001*${at}` as WireName;
    if (wildcard !== name && wildcard.length <= 255) wildcards.push(wildcard);
  }
  return wildcards;
}

async function withoutSynthesised(
  context: ReadContext,
  found: Found,
  wildcards: Found,
): Promise<Found> {
  const doubtful = [...found.keys()].filter((name) =>
    wildcardsOver(name, context).some((wildcard) =>
      isAlike(found.get(name) ?? [], wildcards.get(wildcard) ?? []),
    ),
  );
  if (doubtful.length === 0) return found;
  const { session, connection, deadline } = context;
  const probes = doubtful.map((name) => toUpdate(session.apex, planAbsenceProbe(name)));
  const answers = await askAll(session, connection, probes, deadline);
  const absent = new Set<WireName>();
  for (const [index, answer] of answers.entries()) {
    if (answer.kind !== 'answer') throw toReadError(answer);
    const name = doubtful[index];
    if (responseCodeOf(answer.message) === noError && name !== undefined) absent.add(name);
  }
  return new Map([...found].filter(([name]) => !absent.has(name)));
}

function isAlike(sets: readonly ZoneRecordSet[], wildcard: readonly ZoneRecordSet[]): boolean {
  const show = (set: ZoneRecordSet): string => `${set.type} ${set.values.join('\n')}`;
  const shown = new Set(wildcard.map(show));
  return (
    wildcard.length > 0 && sets.every((set) => set.foreign === undefined && shown.has(show(set)))
  );
}

async function ask(
  { session, connection, deadline }: ReadContext,
  requests: readonly Request[],
): Promise<readonly DnsMessage[]> {
  const answers = await askAll(session, connection, requests, deadline);
  return answers.map((answer) => {
    if (answer.kind !== 'answer') throw toReadError(answer);
    const code = responseCodeOf(answer.message);
    // Over TCP too, where answer and signature do not fit (RFC 8945 5.3): what is missing would be
    // taken for what is not there.
    if ((answer.message.flags & messageFlags.isTruncated) !== 0)
      throw unavailable(`${session.server} cut an answer short: a name holds too many records`);
    if (code === noError || code === nameError) return answer.message;
    const text = responseCodeText(code);
    if (code === 5 || code === 9) throw noZone(session, `answers ${text}`);
    throw unavailable(`${session.server} answers ${text} to a question`);
  });
}

/** Nameservers and negative TTL of the zone. */
export async function describeZone(
  context: ReadContext,
): Promise<{ readonly nameServers: readonly string[]; readonly negativeTtlSeconds?: number }> {
  const { session } = context;
  const sets = (
    await ask(context, [
      toQuery(session.apex, recordTypes.SOA),
      toQuery(session.apex, recordTypes.NS),
    ])
  ).flatMap((message) => setsAt(session.apex, message, session));
  const soa = sets.find(({ type }) => type === 'SOA');
  if (soa === undefined) throw noZone(session, 'has no SOA record there');
  const nameServers = sets.find(({ type }) => type === 'NS')?.values ?? [];
  const minimum = Number(soa.values[0]?.split(' ').at(-1));
  // RFC 2308 4: the lower of both.
  return { nameServers, negativeTtlSeconds: Math.min(minimum, soa.ttlSeconds) };
}

function byNameAndType(a: ZoneRecordSet, b: ZoneRecordSet): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.type < b.type ? -1 : 1;
}
