// The zone's fence (I12): one TXT record that every batch replaces by compare-and-set, in the same
// request. Input: what stands there, and who we are. Output: whether we may write, and what next.
//
//   F1. `v=1 id=<owner> term=<number> seq=<n>`: the term orders lease holders, seq the batches of
//       one. A request of a deposed holder names a value that is gone, so it fails whenever it
//       arrives.
//   F2. A batch without an answer was applied exactly if the fence says its seq: no other request
//       writes that value.
//   F3. Taking over replaces the value before anything else is sent; from then on no former
//       request can succeed.
//   F4. One owner id at two coordinators shows as a value of our own term that we never wrote.

import { assertNever } from '../../../common/pure/errors.ts';
import type { RecordGroup, ZoneRecordSet } from '../provider/provider.ts';

const fenceTtlSeconds = 60;

export interface FenceValue {
  readonly id: string;
  readonly term: number;
  readonly seq: number;
}

export interface FenceScope {
  readonly federation: string;
  readonly domain: string;
  readonly ttlSecondsMin: number;
}

export function toFenceName({ federation, domain }: FenceScope): string {
  return `_fedfence.${federation}.${domain}`;
}

export function toFenceSet(value: FenceValue, scope: FenceScope): ZoneRecordSet {
  return {
    name: toFenceName(scope),
    type: 'TXT',
    ttlSeconds: Math.max(fenceTtlSeconds, scope.ttlSecondsMin),
    values: [`v=1 id=${value.id} term=${value.term} seq=${value.seq}`],
  };
}

export function parseFence(text: string): FenceValue | undefined {
  const match = /^v=1 id=(\S+) term=(\d{1,15}) seq=(\d{1,15})$/.exec(text);
  const [, id, term, seq] = match ?? [];
  if (id === undefined) return undefined;
  return { id, term: Number(term), seq: Number(seq) };
}

/** Replaces exactly `from`, or creates the first one. */
export function toFenceGroup(from: ZoneRecordSet | undefined, to: ZoneRecordSet): RecordGroup {
  return { id: 'fence', deletes: from === undefined ? [] : [from], creates: [to] };
}

export interface FenceInput {
  readonly ours: { readonly id: string; readonly term: number };
  /** What stands at the fence's name. */
  readonly standing: readonly ZoneRecordSet[];
  /** The newest value of our own term that we sent, whether or not it was answered. */
  readonly sent: FenceValue | undefined;
  readonly takeOverFrom: readonly string[];
}

export type FenceStep =
  /** It is ours and of our term: go on from it. */
  | { readonly kind: 'held'; readonly at: FenceValue; readonly set: ZoneRecordSet }
  /** Replace `from` by `next`, then look again. */
  | { readonly kind: 'take'; readonly from: ZoneRecordSet | undefined; readonly next: FenceValue }
  | { readonly kind: 'stop'; readonly reason: FenceReason; readonly message: string };

export type FenceReason = 'Deposed' | 'OtherOwner' | 'TwinOwner' | 'ForeignFence';

export function stepFence(input: FenceInput): FenceStep {
  const { ours, standing, sent, takeOverFrom } = input;
  const seq = (sent?.seq ?? 0) + 1;
  const [set] = standing;
  if (set === undefined) return { kind: 'take', from: undefined, next: { ...ours, seq } };
  const value = set.type === 'TXT' && set.values.length === 1 ? set.values[0] : undefined;
  const at = value === undefined || standing.length > 1 ? undefined : parseFence(value);
  if (at === undefined) return stop('ForeignFence', set.name, set.values.join(' '));
  const isOurs = at.id === ours.id;
  const take: FenceStep = { kind: 'take', from: set, next: { ...ours, seq } };
  const isAllowed = takeOverFrom.includes(at.id);
  if (!isOurs) return isAllowed ? take : stop('OtherOwner', set.name, at.id);
  if (at.term < ours.term) return take; // F3
  if (at.term > ours.term) {
    return isAllowed
      ? take
      : stop('Deposed', set.name, `term ${at.term} of ${at.id}, ours is ${ours.term}`);
  }
  if (at.seq <= (sent?.seq ?? 0)) return { kind: 'held', at, set };
  return isAllowed
    ? { ...take, next: { ...ours, seq: at.seq + 1 } }
    : stop('TwinOwner', set.name, at.id);
}

function stop(reason: FenceReason, name: string, what: string): FenceStep {
  return { kind: 'stop', reason, message: describe(reason, name, what) };
}

function describe(reason: FenceReason, name: string, what: string): string {
  switch (reason) {
    case 'Deposed':
      return (
        `The fence ${name} is of a later life of this coordinator (${what}): another replica ` +
        'leads, another coordinator has our owner id (--dns-owner-id), or this one was restored ' +
        'from a backup. Nothing is written. If no other runs, add this id to spec.takeOverFrom of ' +
        'the DNSZone.'
      );
    case 'OtherOwner':
      return (
        `The fence ${name} names another coordinator, ${what}. Nothing is written. If that one ` +
        'is gone, add its id to spec.takeOverFrom of the DNSZone.'
      );
    case 'TwinOwner':
      return (
        `The fence ${name} was written by another coordinator with our owner id, ${what}: two run ` +
        'with one --dns-owner-id or a copy of one data directory, or two DNSZones name one zone ' +
        'and domain. Nothing is written. Stop one of the two, then restart the other; or give the ' +
        'one that came later a --dns-owner-id of its own.'
      );
    case 'ForeignFence':
      return (
        `${name} TXT "${what}" stands where our fence belongs and is not ours. Nothing is ` +
        'written. Remove it.'
      );
    default:
      return assertNever(reason);
  }
}
