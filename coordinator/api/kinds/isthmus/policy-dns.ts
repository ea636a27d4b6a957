// spec.dns of a ServicePolicy: where and how the Service's public names are published.
//
// What is checked here needs no other object; whether a short name lies within a DNSZone, and
// whether another Service has it, admission asks (coordinator/admission/admission-dns.ts).

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { toTopologyLabel } from '../../../../common/pure/level-names.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { invalidValue, required } from '../../machinery/rules/field-errors.ts';
import { checkSubdomain1123 } from '../../machinery/rules/name-rules.ts';
import { isRecord, own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import type { Schema } from '../../machinery/schema/schema.ts';
import { boundList, boundText, int32, kept, struct, text, textSet } from '../schema-parts.ts';
import { choiceFields, validateChoice } from './policy-choice.ts';

const nameMax = 253;
const zonesMax = 32;
const aliasesMax = 64;
const placeMax = 63;
const ttlSecondsMax = 86_400;

function ttl(description: string): Schema {
  return kept(int32(description, { minimum: 1, maximum: ttlSecondsMax }));
}

/** Also of a DNSZone. */
export const levelTtlSchema: Schema = struct(
  'LevelTTLs',
  'Seconds that resolvers may keep the answers of one level, where they shall not be as the ' +
    'others’ (ttlSeconds).',
  {
    zone: ttl('Of names of zones.'),
    region: ttl('Of names of regions.'),
    global: ttl('Of the global name.'),
  },
);

const alias = struct(
  'DNSAlias',
  'A short name that leads to one of the Service’s names, and follows it when a region is lost.',
  {
    name: boundText(
      'The short name, such as eu.nginx.example.com: within the domain of a DNSZone that ' +
        'publishes the Service, in lower case, without the trailing dot. Of several Services ' +
        'that want one name the one whose policy is oldest has it.',
      { maxLength: nameMax },
    ),
    region: boundText(
      'Region that it leads to, as in DNS names (europe-west1). Without it: the global name.',
      { maxLength: placeMax },
    ),
    zone: boundText('Zone of the region. Without it: the name of the region.', {
      maxLength: placeMax,
    }),
  },
  { required: ['name'] },
);

export const policyDnsSchema: Schema = struct(
  'ServiceDNS',
  'Where and how the public names are published. What is not said here, the DNSZone says.',
  {
    zones: textSet(
      'DNSZones that publish the Service, by name, if its namespace is among theirs. Default: ' +
        'every one whose spec.services is All.',
      boundText('Name of one DNSZone.', { maxLength: nameMax }),
      zonesMax,
    ),
    ttlSeconds: ttl('Seconds that resolvers may keep answers. Default: as the DNSZone says.'),
    levelTtlSeconds: levelTtlSchema,
    allUnhealthy: text(
      'What the global name says while no shard is healthy. FailOpen: the last known addresses, ' +
        'since a wrong verdict would else take the Service away. Remove: nothing. Default: as ' +
        'the DNSZone says.',
      ['FailOpen', 'Remove'],
    ),
    hostnameMode: text(
      'How load balancers that have a name and no address are published where the provider has ' +
        'neither alias nor weights (RFC2136, Embedded). Prefer: shards with addresses where ' +
        'there are any, else a CNAME to one. Flatten: their addresses, looked up again and again. ' +
        'PerShard: a name for each shard, and Prefer above. Default: as the DNSZone says.',
      ['Prefer', 'Flatten', 'PerShard'],
    ),
    failover: struct(
      'DNSFailover',
      'Primary and backup clusters.',
      {
        primary: struct(
          'PrimaryClusters',
          'The primary ones. All others are backups: in DNS only while no primary is healthy.',
          choiceFields('to be primary'),
        ),
      },
      { required: ['primary'] },
    ),
    aliases: boundList('Short names of the Service.', alias, aliasesMax),
  },
);

export function validatePolicyDns(dns: JsonObject): readonly FieldError[] {
  const failover = own(dns, 'failover');
  const aliases = ownList(dns, 'aliases').filter(isRecord);
  const names = aliases.map((one) => ownText(one, 'name'));
  return [
    ...ownList(dns, 'zones').flatMap((zone, index) => {
      const wrong = checkSubdomain1123(String(zone));
      return wrong === undefined ? [] : [invalidValue(`spec.dns.zones[${index}]`, zone, wrong)];
    }),
    ...(isRecord(failover) ? validateFailover(failover) : []),
    ...aliases.flatMap((one, index) => [
      ...validateAlias(one, `spec.dns.aliases[${index}]`),
      ...(names.indexOf(ownText(one, 'name')) === index
        ? []
        : [
            invalidValue(
              `spec.dns.aliases[${index}].name`,
              ownText(one, 'name'),
              'is given twice: a name leads to one place',
            ),
          ]),
    ]),
  ];
}

function validateFailover(failover: JsonObject): readonly FieldError[] {
  const field = 'spec.dns.failover.primary';
  const primary = ownRecord(failover, 'primary');
  const isSaid = ['clusters', 'clusterSelector'].some((name) => own(primary, name) !== undefined);
  if (!isSaid) return [required(field, 'one of clusters, clusterSelector is needed')];
  return validateChoice(primary, field);
}

function validateAlias(alias: JsonObject, field: string): readonly FieldError[] {
  const [name, region, zone] = [
    ownText(alias, 'name'),
    ownText(alias, 'region'),
    ownText(alias, 'zone'),
  ];
  const errors: FieldError[] = [];
  const wrong = checkName(name);
  if (wrong !== undefined) errors.push(invalidValue(`${field}.name`, name, wrong));
  if (zone !== '' && region === '') {
    errors.push(required(`${field}.region`, 'a zone stands in a region: name it too'));
  }
  for (const [part, value] of Object.entries({ region, zone })) {
    const label = toTopologyLabel(value);
    if (value === '' || label === value) continue;
    const detail =
      label === undefined
        ? 'has no letter or digit of a DNS label'
        : `must be written as in DNS names: ${label}`;
    errors.push(invalidValue(`${field}.${part}`, value, detail));
  }
  return errors;
}

function checkName(name: string): string | undefined {
  if (name.endsWith('.')) return 'must be written without the trailing dot';
  if (name !== name.toLowerCase()) return `must be in lower case: ${name.toLowerCase()}`;
  if (name.startsWith('*.')) return 'must not be a wildcard: give each name by itself';
  const long = name.split('.').find((label) => label.length > 63);
  if (long !== undefined) return `the label "${long}" has more than 63 characters`;
  return checkSubdomain1123(name);
}
