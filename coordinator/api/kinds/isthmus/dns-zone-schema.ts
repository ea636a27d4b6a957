// The fields of a DNSZone, with what `kubectl explain` says of each.

import { labelSelector, conditions } from '../common-schema.ts';
import {
  boundList,
  boundText,
  flag,
  int32,
  kept,
  labelText,
  struct,
  text,
  textSet,
} from '../schema-parts.ts';
import { levelTtlSchema } from './policy-dns.ts';

const nameMax = 253;
// A zone is one object of the log and one message to every watcher.
const namespacesMax = 1_000;
// RFC 1035 4.2.1: as many as a delegation in one small answer can hold.
const nameServersMax = 13;
const addressesPerServerMax = 8;
const secondariesMax = 32;
const networksMax = 64;
const formerOwnersMax = 16;
const daySeconds = 86_400;

const massChange = struct('MassChange', 'Which change at once is too large to be made unasked.', {
  recordSets: kept(
    int32('Removed or retyped record sets within a minute that are never too many. Default: 20.', {
      minimum: 0,
      maximum: 1_000_000,
    }),
  ),
  percent: kept(
    int32('Share of our record sets here that may go or be retyped within a minute. Default: 30.', {
      minimum: 0,
      maximum: 100,
    }),
  ),
});

const secretRef = struct(
  'SecretReference',
  'Secret with the credentials. Without it Route53 and CloudDNS use what the SDK finds: ' +
    'environment, files, workload identity, metadata server. Keys for Route53: ' +
    'aws_access_key_id, aws_secret_access_key and, if there is one, aws_session_token; for ' +
    'CloudDNS: credentials.json (a service account key); for RFC2136, and for Embedded with a ' +
    'transferKey: tsig-secret (base64, as tsig-keygen prints it). A changed Secret is used at once.',
  {
    namespace: labelText('Namespace of the Secret.'),
    name: boundText('Name of the Secret.', { maxLength: nameMax }),
  },
  { required: ['namespace', 'name'] },
);

const route53 = struct(
  'Route53Zone',
  'The hosted zone, for provider Route53.',
  {
    hostedZoneId: boundText(
      'ID of the hosted zone, such as Z0123456789ABCDEFGHIJ, without /hostedzone/. Cannot be changed.',
      { maxLength: 32 },
    ),
    roleArn: boundText('IAM role to assume with the credentials, for a zone of another account.', {
      maxLength: 2_048,
    }),
    externalId: boundText(
      'External ID that the role’s trust policy asks for (sts:ExternalId). Needs roleArn.',
      { maxLength: 1_224 },
    ),
    endpoint: boundText(
      'URL in place of the service’s own: a VPC endpoint, or a double for tests. Outside ' +
        'amazonaws.com it needs secretRef.',
      { maxLength: 2_048 },
    ),
  },
  { required: ['hostedZoneId'] },
);

const cloudDNS = struct(
  'CloudDNSZone',
  'The managed zone, for provider CloudDNS.',
  {
    project: boundText('Project ID of the zone. Cannot be changed.', { maxLength: 63 }),
    managedZone: boundText('Name of the managed zone, not its DNS name. Cannot be changed.', {
      maxLength: 63,
    }),
    endpoint: boundText(
      'URL in place of the service’s own: of Private Service Connect, or of a double for tests. ' +
        'Outside googleapis.com it needs secretRef.',
      { maxLength: 2_048 },
    ),
  },
  { required: ['project', 'managedZone'] },
);

const tsigAlgorithm = text('Algorithm of the TSIG key. Default: hmac-sha256.', [
  'hmac-sha256',
  'hmac-sha384',
  'hmac-sha512',
]);

const rfc2136 = struct(
  'RFC2136Zone',
  'The primary server, for provider RFC2136: BIND, Knot, PowerDNS and others that take dynamic ' +
    'updates signed with TSIG.',
  {
    server: boundText(
      'host:port of the primary, such as ns1.example.com:53 or [2001:db8::53]:53. Updates and ' +
        'reads go there, over TCP.',
      { maxLength: 300 },
    ),
    zone: boundText(
      'Apex of the zone at the server, when the domain is deeper. Default: the domain. Cannot ' +
        'be changed.',
      { maxLength: nameMax },
    ),
    tsigKeyName: boundText('Name of the TSIG key at the server.', { maxLength: nameMax }),
    tsigAlgorithm,
  },
  { required: ['server', 'tsigKeyName'] },
);

const embedded = struct('EmbeddedZone', 'How the coordinator itself serves the zone.', {
  nameServers: textSet(
    'DNS names of the servers of the zone: its NS records. Delegate the domain to them. With ' +
      'fewer than two the condition SingleServer is True.',
    boundText('DNS name of one server.', { maxLength: nameMax }),
    nameServersMax,
  ),
  glue: boundList(
    'Addresses of those name servers that are within the domain. The parent zone needs the same ' +
      'addresses beside its delegation.',
    struct(
      'NameServerAddresses',
      'One name server and where it is reached.',
      {
        name: boundText('DNS name of the server, one of nameServers.', { maxLength: nameMax }),
        addresses: textSet(
          'Its addresses, IPv4 or IPv6.',
          boundText('One address.', { maxLength: 45 }),
          addressesPerServerMax,
        ),
      },
      { required: ['name', 'addresses'] },
    ),
    nameServersMax,
  ),
  notify: textSet(
    'Secondaries that are told of each change (NOTIFY, RFC 1996).',
    boundText('host:port of one secondary.', { maxLength: 300 }),
    secondariesMax,
  ),
  allowTransfer: textSet(
    'Networks whose hosts may transfer the zone (AXFR, RFC 5936). Default: none.',
    boundText('One network, such as 192.0.2.0/24 or 2001:db8::53/128.', { maxLength: 64 }),
    networksMax,
  ),
  transferKey: struct(
    'TransferKey',
    'Key that transfers have to be signed with, and that NOTIFYs are signed with (TSIG, RFC 8945). ' +
      'Its secret is tsig-secret of secretRef. Without allowTransfer the key is enough, from anywhere.',
    {
      name: boundText('Name of the key at the secondaries.', { maxLength: nameMax }),
      algorithm: tsigAlgorithm,
    },
    { required: ['name'] },
  ),
});

export const dnsZoneSpecSchema = struct(
  'DNSZoneSpec',
  'Where names are published, of which Services, and how.',
  {
    domain: boundText(
      'Domain under which the names stand, such as example.com: lower-case, without the trailing ' +
        'dot. It may be deeper than the apex of the zone. Several DNSZones may have one domain: ' +
        'its public and its private view. Cannot be changed.',
      { maxLength: nameMax },
    ),
    provider: text('Who serves the zone. Cannot be changed.', [
      'Embedded',
      'Route53',
      'CloudDNS',
      'RFC2136',
    ]),
    visibility: text(
      'Private: names here may carry private addresses (RFC 1918, ULA). Default: Public.',
      ['Public', 'Private'],
    ),
    namespaces: textSet(
      'Namespaces whose Services are published here; with namespaceSelector, which chooses ' +
        'Namespaces by their labels, both hold. Default: every namespace.',
      labelText('Name of one namespace.'),
      namespacesMax,
    ),
    // Namespaces by their labels.
    namespaceSelector: labelSelector,
    services: text(
      'All: every Service of these namespaces. ByPolicy: only those whose ServicePolicy names ' +
        'this zone in spec.dns.zones. Default: All.',
      ['All', 'ByPolicy'],
    ),
    ttlSeconds: kept(
      int32(
        'Seconds that resolvers may keep an answer, unless a ServicePolicy says otherwise. ' +
          'Default: the coordinator’s setting ttl-seconds.',
        { minimum: 1, maximum: daySeconds },
      ),
    ),
    levelTtlSeconds: levelTtlSchema,
    hostnameMode: text(
      'How load balancers that have a name and no address are published where the provider has ' +
        'neither alias nor weights. Prefer: shards with addresses where there are any, else a ' +
        'CNAME to one. Flatten: their addresses, looked up again and again. PerShard: a name for ' +
        'each shard, and Prefer above. Default: Prefer.',
      ['Prefer', 'Flatten', 'PerShard'],
    ),
    allUnhealthy: text(
      'What the global name says while no shard is healthy. FailOpen: the last known addresses. ' +
        'Remove: nothing. Default: FailOpen.',
      ['FailOpen', 'Remove'],
    ),
    aliases: text(
      'Whether ServicePolicies may have short names of their own here (spec.dns.aliases): any name ' +
        'below the domain that is free. Deny where namespaces are not trusted with those. ' +
        'Default: Allow.',
      ['Allow', 'Deny'],
    ),
    nameBudget: kept(
      int32(
        'Most names that are kept here. Beyond it, names of zones and regions without a shard go ' +
          'first, and the condition NameBudget says so. Default: from the quota of the zone.',
        { minimum: 1, maximum: 10_000_000 },
      ),
    ),
    massChange,
    frozen: kept(
      flag('True: nothing is written here until it is false again. The names stay as they are.'),
    ),
    deletionPolicy: text(
      'What a deleted DNSZone leaves at its provider. Delete: nothing of ours. Orphan: every ' +
        'record stays as it is and only our marks go, so that somebody else may own them. ' +
        'Default: Delete.',
      ['Delete', 'Orphan'],
    ),
    confirmedPlan: boundText(
      'Hash of the held plan (status.heldPlan) that may be carried out. `kubectl isthmus dns ' +
        'confirm` sets it.',
      { maxLength: 128 },
    ),
    takeOverFrom: textSet(
      'Former writers whose records become ours: `kubectl isthmus dns import` shows who they are.',
      boundText(
        'An owner id of Isthmus, `external-dns/` and its --txt-owner-id, or `federation-v1`.',
        { maxLength: nameMax },
      ),
      formerOwnersMax,
    ),
    secretRef,
    route53,
    cloudDNS,
    rfc2136,
    embedded,
  },
  { required: ['domain', 'provider'] },
);

export const dnsZoneStatusSchema = struct(
  'DNSZoneStatus',
  'What became of the zone. Written by the coordinator.',
  {
    conditions,
    nameServers: boundList(
      'Servers of the zone, as its provider names them. The parent zone has to delegate to them.',
      boundText('DNS name of one server.', { maxLength: nameMax }),
      nameServersMax * 2,
    ),
    recordSets: kept(int32('Record sets of ours that stand in the zone.')),
    pending: kept(int32('Services whose names wait to be written.')),
    heldPlan: boundText('Hash of a change that is held until somebody confirms it.', {
      maxLength: 128,
    }),
  },
);
