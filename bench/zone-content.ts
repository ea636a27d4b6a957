// The zone of the bench dns-queries, and what is asked of it. Pure.

import type { RecordSet } from '../common/model/publication.ts';

export const benchDomain = 'example.com';
export const benchFederation = 'bench';
/** Clusters stand in six zones of three regions; each Service has shards in the first only. */
export const places: readonly (readonly [zone: string, region: string])[] = [
  ['a', 'r1'],
  ['b', 'r1'],
  ['a', 'r2'],
  ['b', 'r2'],
  ['a', 'r3'],
  ['b', 'r3'],
];

export function recordSetsOf(service: string): readonly RecordSet[] {
  const base = { ttlSeconds: 60, level: 'global' as const };
  const addresses = ['8.8.0.1', '8.8.0.2'];
  return [
    { ...base, name: nameOf(service), type: 'A', values: addresses },
    { ...base, name: nameOf(service), type: 'AAAA', values: ['2a00:1450::1'] },
    { ...base, name: nameOf(service, 'r1'), type: 'A', values: addresses, level: 'region' },
    { ...base, name: nameOf(service, 'a', 'r1'), type: 'A', values: addresses, level: 'zone' },
  ];
}

/** Of ten: six of a name with addresses, two of one that leads up, one NODATA, one NXDOMAIN. */
export function askedNames(services: number): readonly string[] {
  return Array.from({ length: services }, (_, index) => {
    const name = `s${index}`;
    return [
      `${nameOf(name)} A`,
      `${nameOf(name)} AAAA`,
      `${nameOf(name, 'r1')} A`,
      `${nameOf(name, 'a', 'r1')} A`,
      `${nameOf(name)} A`,
      `${nameOf(name, 'a', 'r1')} A`,
      `${nameOf(name, 'b', 'r1')} A`,
      `${nameOf(name, 'a', 'r3')} A`,
      `${nameOf(name, 'a', 'r1')} TXT`,
      `x${nameOf(name)} A`,
    ];
  }).flat();
}

function nameOf(service: string, ...labels: readonly string[]): string {
  return [`${service}.web.${benchFederation}.svc`, ...labels, benchDomain].join('.');
}
