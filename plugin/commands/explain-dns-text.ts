// The text of explain dns. Pure but for ages.

import type { DNSRecordSet } from '../../common/model/isthmus-kinds.ts';
import { parseTimestamp, systemClock as clock } from '../../common/runtime/clock.ts';
import { formatAge, toTable } from '../output.ts';
import type { DnsFacts } from './dns-facts.ts';
import type { ChainLink, ShardPart } from './explain-dns-plan.ts';

export function chainText(of: {
  readonly name: string;
  readonly note: string;
  readonly facts: DnsFacts;
  readonly chains: readonly (readonly ChainLink[])[];
}): string {
  const { name, note, facts, chains } = of;
  const head = `${name}: Service ${facts.namespace}/${facts.name}\n`;
  const notes = [
    ...(note === '' ? [] : [note]),
    ...(facts.service === undefined ? ['The Service is gone; its names go.'] : []),
  ];
  const parts = [head, ...notes.map((text) => `${text}\n`), ...chains.map(toChain(facts))];
  return parts.join('\n');
}

function toChain(facts: DnsFacts): (links: readonly ChainLink[]) => string {
  return (links) => links.map((link) => toLinkText(link, facts)).join('\n');
}

function toLinkText(link: ChainLink, facts: DnsFacts): string {
  const zone = facts.zones.find(({ metadata }) => metadata.name === link.dnsZone);
  const where = zone === undefined ? link.dnsZone : `${link.dnsZone} (${zone.spec.provider})`;
  const lines = [
    `${link.dnsName}   ${link.level}, in DNSZone ${where}`,
    ...link.records.flatMap(toRecordLines),
    ...(link.next === undefined ? [] : [`  It leads to ${link.next}, below.`]),
  ];
  const rows = [...link.shards].sort(byPart).map(toRow);
  const table = rows.length === 0 ? '  No cluster has a shard.\n' : indent(toTable(header, rows));
  return `${lines.join('\n')}\n${table}`;
}

const header = ['CLUSTER', 'IN ANSWER', 'HEALTH', 'SINCE', 'ADDRESSES', 'WHY'];
const order = { in: 0, out: 1, elsewhere: 2 };
const answers = { in: 'yes', out: 'no', elsewhere: '-' };

function byPart(a: ShardPart, b: ShardPart): number {
  return order[a.part] - order[b.part] || (a.cluster < b.cluster ? -1 : 1);
}

function toRow({ cluster, part, health, since, addresses, why }: ShardPart): readonly string[] {
  return [cluster, answers[part], health, ago(since) || '-', addresses.join(',') || '<none>', why];
}

function toRecordLines({ spec, status, metadata }: DNSRecordSet): readonly string[] {
  const members = spec.members ?? [];
  const weighted = members.map(({ weight, targets }) => `${targets.join(' ')} (${weight})`);
  const answer = weighted.length > 0 ? weighted.join(', ') : spec.targets.join(', ');
  const since = status.since ?? metadata.creationTimestamp ?? '';
  const why = status.message === undefined ? status.reason : `${status.reason}: ${status.message}`;
  const at = since === '' ? '' : ` since ${since} (${ago(since)})`;
  return [
    `  ${spec.recordType} ${answer || '<nothing>'}, TTL ${spec.ttlSeconds} s`,
    `  ${status.state}${at}. ${why}`,
    ...(status.state === 'live'
      ? []
      : [
          '  This is what it shall answer. Until it is live, servers may answer what was written ' +
            `before: kubectl isthmus dns plan ${spec.dnsZone}`,
        ]),
  ];
}

function ago(since: string): string {
  const ms = parseTimestamp(since);
  return ms === undefined ? '' : `${formatAge(clock.now() - ms)} ago`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
