// What an error of the Cloud DNS API means for each group of a change, and for a reading call.
// Input: status and body of the answer, and whose each addition and deletion was. Output: outcomes,
// or a MeshError. Pure.
//
//   E1. A change is all or nothing: an answer that says no has changed nothing. A 5xx says nothing.
//   E2. The groups that the answer names are at fault; where it names none and there are several,
//       nobody is: the applier sends fewer.
//   E3. Whatever is said of the fence is said of all groups.
//
// Source: "Error messages" of the Cloud DNS documentation; reasons of Google's JSON errors.

import { MeshError } from '../../../common/pure/errors.ts';
import { memberOf } from './cloud-dns-records.ts';
import type { GroupOutcome } from './provider.ts';

/** Where the zone is kept, for messages. */
export interface CloudDnsPlace {
  readonly project: string;
  readonly managedZone: string;
}

export interface CloudDnsAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterMs?: number;
}

/** Whose each member of the request's two lists is; `fence` for the fence's. */
export interface ChangeLayout {
  readonly additions: readonly Claimed[];
  readonly deletions: readonly Claimed[];
  readonly groups: readonly string[];
}

export interface Claimed {
  readonly owner: string | typeof fence;
  readonly name: string;
  readonly type: string;
}

export const fence = Symbol('fence');

interface ApiFault {
  readonly reason: string;
  readonly message: string;
}

type Outcomes = ReadonlyMap<string, GroupOutcome>;

/** Outcomes of a change that was answered with an error. */
export function toOutcomes(
  answer: CloudDnsAnswer,
  layout: ChangeLayout,
  place: CloudDnsPlace,
): Outcomes {
  const all = (outcome: GroupOutcome): Outcomes =>
    new Map(layout.groups.map((id) => [id, outcome]));
  const whole = judgeWhole(answer, place);
  if (whole !== undefined) return all(whole);
  const named = nameFaults(readFaults(answer), layout);
  const ofFence = named.get(fence);
  if (ofFence?.kind === 'conflict') return all({ kind: 'fenced', message: ofFence.message });
  if (ofFence !== undefined) {
    const message = `the fence record is refused, so ${zoneText(place)} may be another zone than that of the domain: ${ofFence.message}`;
    return all({ kind: 'denied', message });
  }
  if (named.size > 0) {
    return new Map(layout.groups.map((id) => [id, named.get(id) ?? { kind: 'notTried' as const }]));
  }
  // E2.
  return all(
    layout.groups.length === 1
      ? { kind: 'rejected', message: firstMessage(answer) }
      : { kind: 'notTried' },
  );
}

/** What is said of the whole request, not of a record in it. */
function judgeWhole(answer: CloudDnsAnswer, place: CloudDnsPlace): GroupOutcome | undefined {
  const { status, retryAfterMs } = answer;
  if (isThrottle(answer)) {
    const message = `Cloud DNS takes fewer requests of project ${place.project}: ${firstMessage(answer)}`;
    return { kind: 'throttled', message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  if (status >= 500 || status === 408 || (status < 400 && status >= 200)) {
    return { kind: 'unknown', message: `Cloud DNS answered ${status}: ${firstMessage(answer)}` };
  }
  const denial = findDenial(answer, place);
  return denial === undefined ? undefined : { kind: 'denied', message: denial };
}

/** The error of a call that only reads. */
export function toReadError(answer: CloudDnsAnswer, place: CloudDnsPlace): MeshError {
  const said = firstMessage(answer);
  if (isThrottle(answer)) {
    const message = `Cloud DNS takes fewer requests of project ${place.project}: ${said}`;
    return new MeshError('retryable', 'DNS_THROTTLED', message);
  }
  const denial = findDenial(answer, place);
  if (denial !== undefined) {
    return new MeshError('fatal', answer.status === 404 ? 'DNS_NO_ZONE' : 'DNS_DENIED', denial);
  }
  const message = `Cloud DNS answered ${answer.status} for ${zoneText(place)}: ${said}`;
  return new MeshError('retryable', 'DNS_UNAVAILABLE', message);
}

function zoneText({ project, managedZone }: CloudDnsPlace): string {
  return `managed zone ${managedZone} of project ${project}`;
}

const rateReasons = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'dailyLimitExceeded']);

function isThrottle(answer: CloudDnsAnswer): boolean {
  if (answer.status === 429) return true;
  return answer.status === 403 && readFaults(answer).some(({ reason }) => rateReasons.has(reason));
}

/** Why nothing can be done here at all, with the way out. */
function findDenial(answer: CloudDnsAnswer, place: CloudDnsPlace): string | undefined {
  const { status } = answer;
  const faults = readFaults(answer);
  const said = firstMessage(answer);
  const { project, managedZone } = place;
  if (status === 401) {
    return `Cloud DNS does not accept our credentials: ${said}. Put a service account key that is not revoked into credentials.json of the DNSZone's Secret.`;
  }
  if (status === 404 && !faults.some(({ message }) => isOfRecord(message))) {
    return `there is no managed zone ${managedZone} in project ${project}: ${said}. See: gcloud dns managed-zones list --project=${project}`;
  }
  if (status !== 403) return undefined;
  const reasons = faults.map(({ reason }) => reason);
  if (reasons.includes('quotaExceeded')) return undefined;
  if (reasons.includes('accessNotConfigured') || /has not been used|is disabled/.test(said)) {
    return `the Cloud DNS API is off in project ${project}: ${said}. Turn it on: gcloud services enable dns.googleapis.com --project=${project}`;
  }
  if (reasons.includes('inactiveBillingState')) {
    return `project ${project} has no active billing: ${said}. Enable its billing account.`;
  }
  return `Cloud DNS refuses our account for ${zoneText(place)}: ${said}. Grant it roles/dns.admin on the project, or dns.changes.create, dns.changes.get, dns.resourceRecordSets.*, dns.managedZones.get and dns.projects.get.`;
}

function readFaults({ body }: CloudDnsAnswer): readonly ApiFault[] {
  const error = memberOf(body, 'error');
  const [message, list] = [memberOf(error, 'message'), memberOf(error, 'errors')];
  const faults = (Array.isArray(list) ? (list as readonly unknown[]) : []).map((item) => ({
    reason: textOf(memberOf(item, 'reason')),
    message: textOf(memberOf(item, 'message')),
  }));
  if (faults.length > 0) return faults;
  return [{ reason: textOf(memberOf(error, 'status')), message: textOf(message) }];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

// Google's messages are a line; what stands between us and it may answer a page.
const messageMax = 500;

function firstMessage(answer: CloudDnsAnswer): string {
  const found = readFaults(answer).find(({ message }) => message !== '')?.message;
  const text = found ?? (typeof answer.body === 'string' ? answer.body.trim() : '');
  if (text === '') return `HTTP status ${answer.status} without a message`;
  return text.length > messageMax ? `${text.slice(0, messageMax)}...` : text.replace(/\.$/, '');
}

// By place in the list, or by name and type.
const byPlace = /entity\.change\.(additions|deletions)\[(\d+)\]/;
const byName = /entity\.change\.(additions|deletions)\[([^\]]+)\]\[([A-Z0-9]+)\]/;

function isOfRecord(message: string): boolean {
  return byPlace.test(message) || byName.test(message);
}

/** E2. The first thing that is said of each. */
function nameFaults(
  faults: readonly ApiFault[],
  layout: ChangeLayout,
): ReadonlyMap<string | typeof fence, GroupOutcome & { readonly message: string }> {
  const named = new Map<string | typeof fence, GroupOutcome & { readonly message: string }>();
  for (const fault of faults) {
    const owner = findOwner(fault.message, layout);
    if (owner === undefined || named.has(owner)) continue;
    named.set(owner, { kind: isConflict(fault) ? 'conflict' : 'rejected', message: fault.message });
  }
  return named;
}

function findOwner(message: string, layout: ChangeLayout): Claimed['owner'] | undefined {
  const place = byPlace.exec(message);
  if (place !== null) return listOf(layout, place[1])[Number(place[2])]?.owner;
  const found = byName.exec(message);
  if (found === null) return undefined;
  const name = found[2]?.toLowerCase();
  return listOf(layout, found[1]).find((one) => one.name === name && one.type === found[3])?.owner;
}

function listOf(layout: ChangeLayout, list: string | undefined): readonly Claimed[] {
  return list === 'additions' ? layout.additions : layout.deletions;
}

const conflictReasons = new Set([
  'alreadyExists',
  'conditionNotMet',
  'preconditionFailed',
  'notFound',
  // Beside a record that the group does not delete: the audit lets no group conflict with itself.
  'cnameResourceRecordSetConflict',
]);

function isConflict({ reason }: ApiFault): boolean {
  return conflictReasons.has(reason);
}
