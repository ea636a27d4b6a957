// Whether the world sees a Service's names: its condition Published.
// Input: what each zone says of it, and what became of that. Output: one condition. Pure.
//
//   P1. A zone whose names are not as they should be comes before those that are well.
//   P2. An update of names that are there is no fault: the former answer still leads somewhere.

import type { AppliedState } from '../../common/model/dns-zone.ts';
import type { Said } from '../../common/pure/conditions.ts';
import type { PublishedFacts } from './published.ts';

const type = 'Published';
// A status is read by people.
const zonesMax = 4;
const namesMax = 3;
const notesMax = 3;

export function sayPublished(published: readonly PublishedFacts[]): Said {
  const [first, ...others] = published;
  if (first === undefined) {
    return { type, status: 'False', reason: 'NoPublication', message: 'No DNS names yet.' };
  }
  const faults = published.filter((one) => faultReason(one) !== undefined);
  const [fault] = faults;
  if (fault !== undefined) {
    const reason = faultReason(fault) ?? fault.applied.reason;
    return { type, status: 'False', reason, message: join(faults.map(sayFault)) };
  }
  if (others.length === 0) return sayOne(first);
  const each = published.map((one) => ({ dnsZone: one.dnsZone, ...sayOne(one) }));
  const status = each.some((said) => said.status === 'True') ? 'True' : 'False';
  const reasons = new Set(each.map(({ reason }) => reason));
  const reason = reasons.size === 1 ? (each[0]?.reason ?? type) : reasonOf(status);
  const message = join(each.map((said) => `${said.dnsZone}: ${said.message}`));
  return { type, status, reason, message };
}

function reasonOf(status: Said['status']): string {
  return status === 'True' ? 'Published' : 'NotPublished';
}

function sayOne({ publication, applied }: PublishedFacts): Said {
  const status = publication.recordSets.length > 0 ? 'True' : 'False';
  const reason = publication.reason || type;
  const underWay = applied.state === 'live' ? '' : applied.message;
  const notes = (publication.notes ?? []).slice(0, notesMax).map(({ message }) => message);
  const said = [publication.message, underWay, ...notes].filter((text) => text !== '');
  return { type, status, reason, message: said.join(' ') };
}

const reasons: Readonly<Partial<Record<AppliedState['state'], string>>> = {
  held: 'Held',
  foreign: 'NameConflict',
  rejected: 'Rejected',
  failing: 'ProviderFailing',
};

function faultReason({ applied }: PublishedFacts): string | undefined {
  const { state, hasRecords } = applied;
  if (state === 'pending' || state === 'submitted') return hasRecords ? undefined : 'Pending'; // P2
  return reasons[state];
}

function sayFault({ dnsZone, applied: { message, names = [] } }: PublishedFacts): string {
  const unsaid = names.filter((name) => !message.includes(name)).slice(0, namesMax);
  const named = unsaid.length === 0 ? '' : ` (${unsaid.join(', ')})`;
  return `${dnsZone}: ${message}${named}`;
}

function join(lines: readonly string[]): string {
  const more = lines.length > zonesMax ? ` And ${lines.length - zonesMax} more zones.` : '';
  return `${lines.slice(0, zonesMax).join(' ')}${more}`;
}
