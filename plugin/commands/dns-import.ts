// dns import: what others kept in a DNSZone at names of the federation's form, and what becomes of
// it when it is taken over. With --from it is: the owner is named in spec.takeOverFrom, and the
// coordinator takes each Service's names over in one change, with its mark.

import type { DNSRecordSet } from '../../common/model/isthmus-kinds.ts';
import type { DnsZone } from '../../common/model/dns-zone.ts';
import { federationV1 } from '../../common/pure/dns-former-owners.ts';
import {
  planImport,
  type ImportLine,
  type StandingRecord,
} from '../../common/pure/dns-import-plan.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { exitOk, type Command } from '../command.ts';
import { isthmus, type Federation } from '../federation.ts';
import { formatValue, listAt, textAt, toTable, valueAt } from '../output.ts';
import { dnsZonePath, requireZone, zoneArgument } from './dns-facts.ts';

const reviewsPath = `${isthmus}/dnsimportreviews`;
const recordsPath = `${isthmus}/dnsrecordsets`;
// 5,000,000 record sets: no zone has as many. It ends a provider that answers the same page again.
const pagesMax = 10_000;

export const dnsImport: Command = {
  words: ['dns', 'import'],
  summary: 'Takes names over that external-dns or Federation v1 kept in the zone of a DNSZone.',
  details: [
    "With --dry-run, or without --from, it only shows what stands at names of the federation's form, " +
      'who kept it, and what would become of it: keep (it says what we would), change, or leave, ' +
      'and why. Names that no Service publishes are left: remove them by hand once they are idle.',
    'Stop the former writer first (external-dns: scale it to none, or exclude the domain): two ' +
      'writers of one name undo each other. --from names who kept the records, as the preview shows ' +
      'it, several between commas; only those are taken over, each Service in one change. Take all ' +
      'of a zone at once: names without a mark are taken before our first claim of a Service only.',
  ],
  args: [zoneArgument],
  flags: [
    { name: 'dry-run', description: 'Shows what would be taken over, and changes nothing.' },
    {
      name: 'from',
      value: 'OWNER',
      description:
        'Takes over what this owner kept: external-dns/ID, federation-v1, or an owner id.',
    },
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      description: 'json or yaml: every record.',
      choices: ['json', 'yaml'],
    },
  ],
  examples: [
    { says: 'What would be taken over', line: 'kubectl isthmus dns import public --dry-run' },
    {
      says: 'Take it over',
      line: 'kubectl isthmus dns import public --from external-dns/default',
    },
  ],
  run: async ({ args: [name = ''], flags, io, federation }) => {
    const to = federation();
    const zone = await requireZone(to, name);
    refuseEmbedded(zone);
    const from = (flags.text('from') ?? '').split(',').filter((owner) => owner !== '');
    const isDryRun = flags.isOn('dry-run') || from.length === 0;
    const lines = await readImport(to, zone);
    const format = flags.text('output');
    if (format === 'json' || format === 'yaml') io.out(formatValue(lines, format));
    else io.out(importText(name, lines, from));
    if (isDryRun) return exitOk;
    requireOwner(name, lines, from);
    const takeOverFrom = [...new Set([...(zone.spec.takeOverFrom ?? []), ...from])];
    await to.mergePatch(dnsZonePath(name), { spec: { takeOverFrom } });
    io.out(
      `dnszone.isthmus.dev/${name} takes over from ${from.join(', ')}. Follow it with: ` +
        `kubectl get dnsrecordsets -A\n`,
    );
    return exitOk;
  },
};

async function readImport(to: Federation, zone: DnsZone): Promise<readonly ImportLine[]> {
  const { name } = zone.metadata;
  const [found, wanted] = await Promise.all([
    readStanding(to, name),
    to.list(`${recordsPath}?fieldSelector=${encodeURIComponent(`spec.dnsZone=${name}`)}`),
  ]);
  return planImport({
    ...found,
    // The API answers the kind that was asked for.
    wanted: (wanted as readonly DNSRecordSet[]).map(({ metadata, spec }) => ({
      name: spec.dnsName,
      type: spec.recordType,
      ttlSeconds: spec.ttlSeconds,
      data: spec.targets,
      service: `${metadata.namespace ?? ''}/${spec.service}`,
    })),
  });
}

async function readStanding(
  to: Federation,
  dnsZone: string,
): Promise<{ readonly standing: readonly StandingRecord[]; readonly ownerId: string }> {
  const found: StandingRecord[] = [];
  let after = '';
  for (let page = 0; page < pagesMax; page += 1) {
    const review = await to.post(reviewsPath, {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'DNSImportReview',
      metadata: {},
      spec: { dnsZone, ...(after === '' ? {} : { continue: after }) },
    });
    found.push(...listAt(review, 'status', 'records').map(toStanding));
    after = textAt(review, 'status', 'continue');
    if (after === '') return { standing: found, ownerId: textAt(review, 'status', 'ownerId') };
  }
  throw new MeshError('fatal', 'NO_END', `the zone of DNSZone "${dnsZone}" has no last page`);
}

function toStanding(value: unknown): StandingRecord {
  const record = typeof value === 'object' && value !== null ? value : {};
  return {
    name: textAt(record, 'name'),
    type: textAt(record, 'type'),
    ttlSeconds: Number(valueAt(record, 'ttlSeconds') ?? 0),
    data: listAt(record, 'data').map(String),
  };
}

/** Table by owner, then name; the last lines say what to do next. */
export function importText(
  zone: string,
  lines: readonly ImportLine[],
  from: readonly string[],
): string {
  const shown = lines.filter(
    ({ owner }) => from.length === 0 || from.includes(owner) || owner === '',
  );
  if (shown.length === 0) {
    const what = from.length === 0 ? 'others' : from.join(', ');
    return `Nothing of ${what} stands in the zone of DNSZone ${zone} at names of the federation's form.\n`;
  }
  const rows = shown.map(({ action, owner, name, type, data, becomes, why }) => [
    action,
    owner === '' ? '-' : owner,
    name,
    type,
    becomes === undefined ? data : `${data} -> ${becomes}`,
    why,
  ]);
  const table = toTable(['ACTION', 'OWNER', 'NAME', 'TYPE', 'DATA', 'WHY'], rows);
  const owners = [
    ...new Set(lines.flatMap(({ action, owner }) => (action === 'leave' ? [] : [owner]))),
  ];
  const counts = (['keep', 'change', 'remove', 'leave'] as const)
    .map((action) => [action, shown.filter((line) => line.action === action).length] as const)
    .filter(([, count]) => count > 0)
    .map(([action, count]) => `${count} to ${action}`);
  const how =
    from.length === 0 && owners.length > 0
      ? `Take over with:\n  kubectl isthmus dns import ${zone} --from ${owners.join(',')}\n`
      : '';
  const warning = shown.some(({ isMarkedOtherwise }) => isMarkedOtherwise === true)
    ? `external-dns marks some of ${federationV1}'s by a --txt-prefix or --txt-suffix of its own. Stop it ` +
      'first; its marks stay, and are yours to remove.\n'
    : '';
  return `${table}\n${counts.join(', ')}.\n${warning}${how}`;
}

function requireOwner(zone: string, lines: readonly ImportLine[], from: readonly string[]): void {
  const owners = [...new Set(lines.map(({ owner }) => owner).filter((owner) => owner !== ''))];
  const unknown = from.filter((owner) => !owners.includes(owner));
  if (unknown.length === 0) return;
  const known = owners.length === 0 ? 'nobody' : owners.join(', ');
  const text =
    `${unknown.join(', ')} keeps nothing in the zone of DNSZone "${zone}" at names of the federation's form; ` +
    `there are records of ${known}. ` +
    `external-dns is named external-dns/ID, names without any mark ${federationV1}. Nothing was changed`;
  throw new MeshError('fatal', 'NO_FORMER_OWNER', text);
}

function refuseEmbedded({ metadata, spec }: DnsZone): void {
  if (spec.provider !== 'Embedded') return;
  const text =
    `DNSZone "${metadata.name}" is answered by the coordinator itself: nobody else has records ` +
    'there. Make a DNSZone for the zone at its provider (docs/dns.md)';
  throw new MeshError('fatal', 'NO_PROVIDER', text);
}
