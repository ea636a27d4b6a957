// What is wrong with a DNSZone beyond what its schema says: the domain, the part of its provider,
// addresses of servers, what cannot be changed. Each message names the way out.
//
//   Z1. What says where our records stand cannot be changed: they would be left behind (I7).
//   Z2. The right to write DNSZones is no way to the coordinator's own account either.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { parseAddress } from '../../../../common/pure/address-rules.ts';
import { parseHostPort } from '../../../../common/pure/host-port.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { forbiddenField, invalidValue, required } from '../../machinery/rules/field-errors.ts';
import { validateCidr } from '../../machinery/rules/ip-rules.ts';
import { checkSubdomain1123 } from '../../machinery/rules/name-rules.ts';
import { isRecord, own, ownList, ownRecord, ownText } from '../../machinery/schema/json-value.ts';
import { validateSelector } from './policy-choice.ts';

type Rule = (spec: JsonObject) => readonly FieldError[];

/** Of each provider: the field with its settings. */
const partOf: Readonly<Record<string, string>> = {
  Embedded: 'embedded',
  Route53: 'route53',
  CloudDNS: 'cloudDNS',
  RFC2136: 'rfc2136',
};

export function validateDnsZone(zone: JsonObject): readonly FieldError[] {
  const spec = ownRecord(zone, 'spec');
  const rules: readonly Rule[] = [
    validateDomain,
    validatePart,
    validateSecret,
    validateChoice,
    validateRoute53,
    validateCloudDns,
    validateRfc2136,
    validateEmbedded,
    validateOwners,
  ];
  return rules.flatMap((rule) => rule(spec));
}

/** Z1. */
export function validateDnsZoneUpdate(next: JsonObject, old: JsonObject): readonly FieldError[] {
  const [now, before] = [ownRecord(next, 'spec'), ownRecord(old, 'spec')];
  return fixedFields.flatMap((path) => {
    const [value, former] = [textAt(now, path), textAt(before, path)];
    if (value === former) return [];
    const detail =
      `is immutable, was ${JSON.stringify(former)}: records would be left behind; make another ` +
      'DNSZone, wait until it is Ready, then delete this one';
    return [invalidValue(`spec.${path.join('.')}`, value, detail)];
  });
}

const fixedFields: readonly (readonly string[])[] = [
  ['domain'],
  ['provider'],
  ['route53', 'hostedZoneId'],
  ['cloudDNS', 'project'],
  ['cloudDNS', 'managedZone'],
  ['rfc2136', 'zone'],
];

/** The apex at the server is the domain where nobody says. */
function textAt(spec: JsonObject, path: readonly string[]): string {
  const last = path.at(-1) ?? '';
  const text = ownText(path.length === 1 ? spec : ownRecord(spec, path[0] ?? ''), last);
  return text === '' && last === 'zone' ? ownText(spec, 'domain') : text;
}

function validateDomain(spec: JsonObject): readonly FieldError[] {
  const domain = ownText(spec, 'domain');
  if (domain === '') return [];
  const wrong = checkDomain(domain);
  if (wrong !== undefined) return [invalidValue('spec.domain', domain, wrong)];
  const isOfOthers = ['Route53', 'CloudDNS'].includes(ownText(spec, 'provider'));
  if (domain.includes('.') || !isOfOthers || ownText(spec, 'visibility') === 'Private') return [];
  const detail =
    'is a top-level domain, which no provider keeps for you; give a domain of yours such as ' +
    `example.${domain}, or set spec.visibility: Private`;
  return [invalidValue('spec.domain', domain, detail)];
}

/** What is wrong with a DNS name as people write it. */
function checkDomain(name: string): string | undefined {
  if (name.endsWith('.')) return 'must be written without the trailing dot';
  if (name !== name.toLowerCase()) return `must be in lower case: ${name.toLowerCase()}`;
  if (name.startsWith('*.')) return `must not be a wildcard: ${name.slice(2)}`;
  const long = name.split('.').find((label) => label.length > 63);
  if (long !== undefined) return `the label "${long}" has more than 63 characters`;
  return checkSubdomain1123(name);
}

function validatePart(spec: JsonObject): readonly FieldError[] {
  const provider = ownText(spec, 'provider');
  const wanted = partOf[provider];
  if (wanted === undefined) return [];
  const others = Object.values(partOf).filter(
    (part) => part !== wanted && own(spec, part) !== undefined,
  );
  const foreign = others.map((part) =>
    forbiddenField(`spec.${part}`, `may not be set when \`provider\` is '${provider}'`),
  );
  if (wanted === 'embedded' || own(spec, wanted) !== undefined) return foreign;
  return [...foreign, required(`spec.${wanted}`, `must be set when \`provider\` is '${provider}'`)];
}

function validateSecret(spec: JsonObject): readonly FieldError[] {
  const provider = ownText(spec, 'provider');
  const secret = own(spec, 'secretRef');
  const hasTransferKey = own(ownRecord(spec, 'embedded'), 'transferKey') !== undefined;
  if (provider === 'Embedded' && secret !== undefined && !hasTransferKey) {
    const why =
      "may not be set when `provider` is 'Embedded' without spec.embedded.transferKey: it needs none";
    return [forbiddenField('spec.secretRef', why)];
  }
  if (provider === 'Embedded' && secret === undefined && hasTransferKey) {
    const detail =
      'must name the Secret with the key of transfers, in its key `tsig-secret` (base64)';
    return [required('spec.secretRef', detail)];
  }
  if (provider === 'RFC2136' && secret === undefined) {
    const detail = 'must name the Secret with the TSIG key, in its key `tsig-secret` (base64)';
    return [required('spec.secretRef', detail)];
  }
  const name = isRecord(secret) ? ownText(secret, 'name') : '';
  const wrong = name === '' ? undefined : checkSubdomain1123(name);
  return wrong === undefined ? [] : [invalidValue('spec.secretRef.name', name, wrong)];
}

function validateChoice(spec: JsonObject): readonly FieldError[] {
  const selector = own(spec, 'namespaceSelector');
  return isRecord(selector) ? validateSelector(selector, 'spec.namespaceSelector') : [];
}

function validateRoute53(spec: JsonObject): readonly FieldError[] {
  const part = ownRecord(spec, 'route53');
  const [id, role] = [ownText(part, 'hostedZoneId'), ownText(part, 'roleArn')];
  const errors: FieldError[] = [];
  if (id !== '' && !/^Z[A-Z0-9]{1,31}$/.test(id)) {
    const detail = id.includes('/')
      ? `must be the ID alone: ${id.slice(id.lastIndexOf('/') + 1)}`
      : 'must be the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ, as `aws route53 ' +
        'list-hosted-zones` shows it';
    errors.push(invalidValue('spec.route53.hostedZoneId', id, detail));
  }
  if (role !== '' && !/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(role)) {
    const detail = 'must be the ARN of a role, such as arn:aws:iam::123456789012:role/dns';
    errors.push(invalidValue('spec.route53.roleArn', role, detail));
  }
  const external = ownText(part, 'externalId');
  if (external !== '' && role === '') {
    errors.push(required('spec.route53.roleArn', 'must be set when `externalId` is'));
  }
  // As STS takes it.
  if (external !== '' && !/^[\w+=,.@:/-]{2,1224}$/.test(external)) {
    const detail = 'must be 2 letters, digits and +=,.@:/_- or more, as the trust policy has it';
    errors.push(invalidValue('spec.route53.externalId', external, detail));
  }
  const at = {
    field: 'spec.route53.endpoint',
    homes: ['amazonaws.com', 'amazonaws.com.cn', 'api.aws'],
  };
  return [...errors, ...validateServiceEndpoint(spec, ownText(part, 'endpoint'), at)];
}

function validateCloudDns(spec: JsonObject): readonly FieldError[] {
  const part = ownRecord(spec, 'cloudDNS');
  const [project, zone] = [ownText(part, 'project'), ownText(part, 'managedZone')];
  const errors: FieldError[] = [];
  if (project !== '' && !/^([a-z0-9.-]+:)?[a-z]([-a-z0-9]*[a-z0-9])?$/.test(project)) {
    const detail = 'must be a project ID such as my-project-123456, not a project’s name or number';
    errors.push(invalidValue('spec.cloudDNS.project', project, detail));
  }
  if (zone !== '' && !/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(zone)) {
    const detail =
      'must be the name of the managed zone, such as example-com, as `gcloud dns managed-zones ' +
      'list` shows it, not its DNS name';
    errors.push(invalidValue('spec.cloudDNS.managedZone', zone, detail));
  }
  const at = { field: 'spec.cloudDNS.endpoint', homes: ['googleapis.com'] };
  return [...errors, ...validateServiceEndpoint(spec, ownText(part, 'endpoint'), at)];
}

/**
 * Z2. Without a Secret each request carries a token of the coordinator's own account: Google's can be
 * used elsewhere by whoever answers at the endpoint, and AWS' session token is one half of a login.
 */
function validateServiceEndpoint(
  spec: JsonObject,
  endpoint: string,
  { field, homes }: { readonly field: string; readonly homes: readonly string[] },
): readonly FieldError[] {
  const wrong = validateEndpoint(field, endpoint);
  if (endpoint === '' || wrong.length > 0 || own(spec, 'secretRef') !== undefined) return wrong;
  const { hostname } = new URL(endpoint);
  const isHome = homes.some((home) => `.${hostname}`.endsWith(`.${home}`));
  if (isLoopback(hostname) || isHome) return [];
  const detail =
    'needs spec.secretRef, since each request carries a token: the coordinator’s own goes to ' +
    `${homes[0] ?? ''} and to this host alone`;
  return [invalidValue(field, endpoint, detail)];
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** Credentials go there: in the clear they go no farther than this host. */
function validateEndpoint(field: string, endpoint: string): readonly FieldError[] {
  if (endpoint === '') return [];
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isLocal = isLoopback(url?.hostname ?? '');
  if (url?.username || url?.password || url?.search || url?.hash) {
    return [invalidValue(field, '', 'must be a URL without user, password, query and fragment')];
  }
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) return [];
  const detail = 'must be an https:// URL; http:// is only for a server on this host';
  return [invalidValue(field, endpoint, detail)];
}

function validateRfc2136(spec: JsonObject): readonly FieldError[] {
  const part = ownRecord(spec, 'rfc2136');
  const [server, apex, key] = [
    ownText(part, 'server'),
    ownText(part, 'zone'),
    ownText(part, 'tsigKeyName'),
  ];
  const domain = ownText(spec, 'domain');
  const errors: FieldError[] = [];
  if (server !== '') errors.push(...validateServer('spec.rfc2136.server', server));
  const wrongApex = apex === '' ? undefined : checkDomain(apex);
  if (wrongApex !== undefined) errors.push(invalidValue('spec.rfc2136.zone', apex, wrongApex));
  else if (apex !== '' && domain !== apex && !domain.endsWith(`.${apex}`)) {
    const detail = `must be the domain ${domain} or one above it`;
    errors.push(invalidValue('spec.rfc2136.zone', apex, detail));
  }
  const wrongKey = key === '' ? undefined : checkKeyName(key);
  if (wrongKey !== undefined) errors.push(invalidValue('spec.rfc2136.tsigKeyName', key, wrongKey));
  return errors;
}

/** A domain name (RFC 8945 4.2); servers' generators also use underscores. */
function checkKeyName(name: string): string | undefined {
  const isName = /^[a-z0-9_]([-a-z0-9_]{0,62})(\.[a-z0-9_]([-a-z0-9_]{0,62}))*\.?$/i.test(name);
  return isName ? undefined : 'must be a DNS name, as the server’s configuration has it';
}

function validateServer(field: string, text: string): readonly FieldError[] {
  const host = parseHostPort(text)?.host ?? '';
  const isName = !host.includes(':') && checkSubdomain1123(host.toLowerCase()) === undefined;
  if (isName || parseAddress(host) !== undefined) return [];
  const detail =
    'must be host:port, such as ns1.example.com:53, 192.0.2.53:53 or [2001:db8::53]:53';
  return [invalidValue(field, text, detail)];
}

function validateEmbedded(spec: JsonObject): readonly FieldError[] {
  const part = ownRecord(spec, 'embedded');
  const at = (list: string) =>
    ownList(part, list).map((item, index) => ({
      field: `spec.embedded.${list}[${index}]`,
      value: String(item),
    }));
  return [
    ...at('nameServers').flatMap(({ field, value }) => {
      const wrong = checkDomain(value);
      return wrong === undefined ? [] : [invalidValue(field, value, wrong)];
    }),
    ...validateGlue(spec),
    ...at('notify').flatMap(({ field, value }) => validateServer(field, value)),
    ...at('allowTransfer').flatMap(({ field, value }) => validateCidr(field, value)),
    ...validateTransferKey(part),
  ];
}

function validateTransferKey(part: JsonObject): readonly FieldError[] {
  const name = ownText(ownRecord(part, 'transferKey'), 'name');
  const wrong = name === '' ? undefined : checkKeyName(name);
  return wrong === undefined
    ? []
    : [
        invalidValue(
          'spec.embedded.transferKey.name',
          name,
          wrong.replace('server’s', 'secondaries’'),
        ),
      ];
}

/** A name server below the domain is found by nobody without its addresses. */
function validateGlue(spec: JsonObject): readonly FieldError[] {
  const part = ownRecord(spec, 'embedded');
  const domain = ownText(spec, 'domain');
  const isWithin = (name: string): boolean => name === domain || name.endsWith(`.${domain}`);
  const servers = ownList(part, 'nameServers').map(String);
  const glue = ownList(part, 'glue').filter(isRecord);
  const known = new Set(glue.map((each) => ownText(each, 'name')));
  const missing = servers.flatMap((name, index) => {
    if (!isWithin(name) || known.has(name)) return [];
    const detail = 'is within the domain: give its addresses in spec.embedded.glue';
    return [invalidValue(`spec.embedded.nameServers[${index}]`, name, detail)];
  });
  const wrong = glue.flatMap((each, index) => {
    const field = `spec.embedded.glue[${index}]`;
    const name = ownText(each, 'name');
    const of = servers.includes(name) && isWithin(name) ? [] : [notAServer(field, name)];
    const addresses = ownList(each, 'addresses');
    if (addresses.length === 0)
      return [...of, required(`${field}.addresses`, 'must have at least one address')];
    const bad = addresses.flatMap((address, at) =>
      parseAddress(String(address)) === undefined
        ? [invalidValue(`${field}.addresses[${at}]`, address, 'must be an IPv4 or IPv6 address')]
        : [],
    );
    return [...of, ...bad];
  });
  return [...missing, ...wrong];
}

function notAServer(field: string, name: string): FieldError {
  const detail = 'must be one of spec.embedded.nameServers that is within the domain';
  return invalidValue(`${field}.name`, name, detail);
}

/** They stand in TXT records between spaces and quotes. */
function validateOwners(spec: JsonObject): readonly FieldError[] {
  return ownList(spec, 'takeOverFrom').flatMap((owner, index) =>
    /^[\w.:/@+-]+$/.test(String(owner))
      ? []
      : [
          invalidValue(
            `spec.takeOverFrom[${index}]`,
            owner,
            'must be an owner id as its TXT record shows it, without spaces and quotes',
          ),
        ],
  );
}
