// Zones and regions of Clusters as labels of DNS names: what is mapped is told, what cannot be is
// refused. Input: the Cluster before and after, and the others. Output: warnings and errors. Pure.
//
//   L1. Lower case, with a hyphen for whatever a label cannot hold: `RegionOne` is regionone, which
//       is told once, when it is declared. A text without a letter or digit has no label.
//   L2. Two texts of one label, or one region of two providers, are one place in DNS, which nobody
//       may have meant.

import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { topologyOf } from '../../common/pure/cluster-topology.ts';
import { toTopologyLabel } from '../../common/pure/level-names.ts';
import type { FieldError } from '../api/machinery/kind.ts';
import { invalidValue } from '../api/machinery/rules/field-errors.ts';

export interface PlacesChange {
  readonly next: Cluster;
  readonly old: Cluster | undefined;
  readonly others: readonly Cluster[];
}

const fields = ['region', 'zone'] as const;
type Field = (typeof fields)[number];

/** L1. What was stored before is not judged again. */
export function doubtPlaces({ next, old }: PlacesChange): readonly FieldError[] {
  return fields.flatMap((field) => {
    const text = next.spec?.[field];
    if (text === undefined || text === '' || text === old?.spec?.[field]) return [];
    const label = toTopologyLabel(text);
    if (label !== undefined && label !== 'svc') return [];
    const detail =
      label === undefined
        ? 'has no letter a-z and no digit, of which a label of DNS names could be made: give ' +
          `one such as ${field}-1`
        : 'is the label that stands before zone and region in DNS names: give another';
    return [invalidValue(`spec.${field}`, text, detail)];
  });
}

export function warnOfPlaces(change: PlacesChange): readonly string[] {
  const { next, old } = change;
  const isSame =
    old !== undefined &&
    fields.every((field) => placeOf(next, field) === placeOf(old, field)) &&
    next.spec?.qualifyRegion === old.spec?.qualifyRegion &&
    providerOf(next) === providerOf(old);
  if (isSame) return [];
  return [
    ...fields.flatMap((field) => warnOfMapping(next, old, field)),
    ...warnOfTwins(change),
    ...warnOfClouds(change),
    ...warnOfQualifier(next),
  ];
}

function warnOfMapping(next: Cluster, old: Cluster | undefined, field: Field): readonly string[] {
  const text = next.spec?.[field];
  if (text === undefined || text === old?.spec?.[field]) return [];
  const label = toTopologyLabel(text);
  if (label === undefined || label === text) return [];
  return [`spec.${field}: ${JSON.stringify(text)} stands in DNS names as ${label}`];
}

/** L2. Other texts of the same label: of regions, and of zones of the same region. */
function warnOfTwins({ next, others }: PlacesChange): readonly string[] {
  const { region, zones } = topologyOf(next);
  return others
    .flatMap((other) => {
      const there = topologyOf(other);
      if (region === undefined || there.region !== region) return [];
      const isOther = (field: Field): boolean => {
        const [here, beside] = [placeOf(next, field), placeOf(other, field)];
        return here !== undefined && beside !== undefined && here !== beside;
      };
      const hasOneZone = zones.length > 0 && zones.join() === there.zones.join();
      return [
        ...(isOther('region') ? [twin(next, other, 'region', region)] : []),
        ...(hasOneZone && isOther('zone') ? [twin(next, other, 'zone', zones[0] ?? '')] : []),
      ];
    })
    .slice(0, twinsMax);
}

const twinsMax = 2;

function twin(next: Cluster, other: Cluster, field: Field, label: string): string {
  const [here, there] = [placeOf(next, field), placeOf(other, field)].map((one) =>
    JSON.stringify(one),
  );
  return (
    `spec.${field}: ${here ?? ''} and ${there ?? ''} of cluster ${other.metadata.name} are one ` +
    `${field} in DNS names, ${label}`
  );
}

function warnOfClouds({ next, others }: PlacesChange): readonly string[] {
  const [provider, { region }] = [providerOf(next), topologyOf(next)];
  if (region === undefined || provider === undefined) return [];
  const other = others.find((one) => {
    const theirs = providerOf(one);
    return theirs !== undefined && theirs !== provider && topologyOf(one).region === region;
  });
  if (other === undefined) return [];
  return [
    `${provider} and ${providerOf(other) ?? ''} (cluster ${other.metadata.name}) have one region ` +
      `in DNS names, ${region}: spec.qualifyRegion keeps them apart`,
  ];
}

function warnOfQualifier(next: Cluster): readonly string[] {
  if (next.spec?.qualifyRegion !== true || providerOf(next) !== undefined) return [];
  return ['spec.qualifyRegion: the provider is not known yet; declare it in spec.provider'];
}

function placeOf({ spec, status }: Cluster, field: Field): string | undefined {
  if (field === 'region') return spec?.region ?? status?.region;
  return spec?.zone ?? (status?.zones?.length === 1 ? status.zones[0] : undefined);
}

function providerOf({ spec, status }: Cluster): string | undefined {
  return spec?.provider ?? status?.provider;
}
