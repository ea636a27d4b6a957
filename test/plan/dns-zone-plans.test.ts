// The pure parts of DNSZones: how each is opened, which stand in each other's way, whom they choose,
// what is said of them.

import test from 'ava';
import type { DnsZone, DnsZoneSpec } from '../../common/model/dns-zone.ts';
import { isthmusApiVersion } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { planDefaultZone } from '../../coordinator/dns/zones/default-zone.ts';
import { findConflict } from '../../coordinator/dns/zones/plan-conflicts.ts';
import { planZoneEvents } from '../../coordinator/dns/zones/plan-events.ts';
import { planOpening, type Opening } from '../../coordinator/dns/zones/plan-opening.ts';
import { planZoneConditions, type ZoneFacts } from '../../coordinator/dns/zones/plan-status.ts';

const secretRef = { namespace: 'dns', name: 'key' };

function secret(data: Readonly<Record<string, string>>): KubeObject {
  const encoded = Object.entries(data).map(
    ([key, value]) => [key, Buffer.from(value).toString('base64')] as const,
  );
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'key', namespace: 'dns' },
    data: Object.fromEntries(encoded),
  } as KubeObject;
}

const google: DnsZoneSpec = {
  domain: 'example.com',
  provider: 'CloudDNS',
  cloudDNS: { project: 'p', managedZone: 'z' },
  secretRef,
};
const bind: DnsZoneSpec = {
  domain: 'fed.example.com',
  provider: 'RFC2136',
  rfc2136: { server: '[2001:db8::53]:5353', tsigKeyName: 'FedKey.' },
  secretRef,
};
const tsig = Buffer.alloc(32, 7).toString('base64');

test('settings and Secret become what the adapter is given', (t) => {
  const withKey = planOpening(google, secret({ 'credentials.json': '{"client_email":"a@b"}' }));
  t.like(withKey, {
    kind: 'open',
    with: { kind: 'CloudDNS', project: 'p', credentials: { client_email: 'a@b' } },
  });
  const { secretRef: _, ...chain } = google;
  const byChain = planOpening(chain, undefined);
  t.is(byChain.kind === 'open' && 'credentials' in byChain.with, false);
  t.like(planOpening(bind, secret({ 'tsig-secret': `${tsig}\n` })), {
    kind: 'open',
    with: {
      kind: 'RFC2136',
      server: { host: '2001:db8::53', port: 5353 },
      zone: 'fed.example.com',
      key: { name: 'fedkey', algorithm: 'hmac-sha256', secret: Buffer.alloc(32, 7) },
    },
  });
});

test('what is opened has an id that changes with the Secret and does not show it', (t) => {
  const idOf = (opening: Opening): string => (opening.kind === 'open' ? opening.id : 'none');
  const first = planOpening(bind, secret({ 'tsig-secret': tsig }));
  const again = planOpening(bind, secret({ 'tsig-secret': tsig, note: 'x' }));
  const other = planOpening(
    bind,
    secret({ 'tsig-secret': Buffer.alloc(32, 8).toString('base64') }),
  );
  t.is(idOf(first), idOf(again));
  t.not(idOf(first), idOf(other));
  t.notRegex(idOf(first), new RegExp(tsig.slice(0, 8)));
});

const useless: readonly (readonly [string, DnsZoneSpec, KubeObject | undefined, string, RegExp])[] =
  [
    [
      'no Secret',
      bind,
      undefined,
      'SecretMissing',
      /--namespace dns --from-file=tsig-secret=FILE$/,
    ],
    [
      'another key',
      bind,
      secret({ key: tsig }),
      'SecretInvalid',
      /needs tsig-secret.* It has: key\.$/,
    ],
    ['no keys', bind, secret({}), 'SecretInvalid', /It has no keys\.$/],
    [
      'no base64',
      bind,
      secret({ 'tsig-secret': 'sesame!' }),
      'SecretInvalid',
      /not the base64 of 16/,
    ],
    [
      'too short',
      bind,
      secret({ 'tsig-secret': 'c2hvcnQ=' }),
      'SecretInvalid',
      /not the base64 of 16/,
    ],
    [
      'no JSON',
      google,
      secret({ 'credentials.json': '{key' }),
      'SecretInvalid',
      /is no JSON object/,
    ],
    [
      'a JSON list',
      google,
      secret({ 'credentials.json': '[]' }),
      'SecretInvalid',
      /is no JSON object/,
    ],
  ];

for (const [what, spec, given, reason, message] of useless) {
  test(`I9 a Secret that cannot be used is told without what is in it: ${what}`, (t) => {
    const opening = planOpening(spec, given);
    t.like(opening, { kind: 'refused', reason });
    if (opening.kind !== 'refused') return;
    t.regex(opening.message, message);
    t.notRegex(opening.message, /sesame|c2hvcnQ/);
  });
}

function zone(
  name: string,
  spec: Partial<DnsZoneSpec>,
  createdAt = '2026-01-01T00:00:00Z',
): DnsZone {
  return {
    apiVersion: isthmusApiVersion,
    kind: 'DNSZone',
    metadata: { name, creationTimestamp: createdAt },
    spec: { domain: 'example.com', provider: 'Route53', ...spec },
  };
}

const later = '2026-02-01T00:00:00Z';
const one = { hostedZoneId: 'Z1' };
const old = zone('old', { route53: one });

const pairs: readonly (readonly [string, DnsZone, string | undefined])[] = [
  ['the same', zone('new', { route53: one }, later), 'Duplicate'],
  ['a deeper domain', zone('new', { domain: 'eu.example.com', route53: one }, later), 'Overlap'],
  ['a wider domain', zone('new', { domain: 'com', route53: one }, later), 'Overlap'],
  ['beside it', zone('new', { domain: 'notexample.com', route53: one }, later), undefined],
  ['another hosted zone', zone('new', { route53: { hostedZoneId: 'Z2' } }, later), undefined],
  ['another provider', zone('new', { provider: 'Embedded' }, later), undefined],
  ['older', zone('a', { route53: one }, '2025-01-01T00:00:00Z'), undefined],
];

for (const [what, other, reason] of pairs) {
  test(`two DNSZones, the other one is ${what}: ${reason ?? 'no conflict'}`, (t) => {
    t.is(findConflict(other, [old, other])?.reason, reason);
  });
}

test('views of one zone at one server are told apart by their key', (t) => {
  const rfc2136 = { server: '192.0.2.53:53', tsigKeyName: 'inside' };
  const inside = zone('inside', { provider: 'RFC2136', rfc2136 });
  const outside = zone(
    'outside',
    { provider: 'RFC2136', rfc2136: { ...rfc2136, tsigKeyName: 'outside' } },
    later,
  );
  t.is(findConflict(outside, [inside, outside]), undefined);
  const again = zone('again', { provider: 'RFC2136', rfc2136, domain: 'example.com' }, later);
  t.is(findConflict(again, [inside, again])?.reason, 'Duplicate');
});

test('our own server takes several DNSZones of a domain, and domains within each other', (t) => {
  const made = zone('example.com', { provider: 'Embedded' });
  for (const domain of ['example.com', 'corp.example.com']) {
    const other = zone('corp', { provider: 'Embedded', domain }, later);
    t.is(findConflict(other, [made, other]), undefined);
  }
});

test('the zone of --domain is made once, and never over somebody’s', (t) => {
  t.deepEqual(planDefaultZone([], 'example.com'), { make: 'example.com', remove: [] });
  t.deepEqual(planDefaultZone([old], 'example.com'), { remove: [] });
  const named = zone('example.com', { domain: 'example.net', route53: one });
  t.deepEqual(planDefaultZone([named], 'example.com'), { make: 'default.example.com', remove: [] });
  const made = zone('example.net', { domain: 'example.net', provider: 'Embedded' });
  const labels = { 'isthmus.dev/default-zone': 'true' };
  const ours = { ...made, metadata: { ...made.metadata, labels } };
  t.deepEqual(planDefaultZone([ours, old], 'example.com'), { remove: ['example.net'] });
  t.deepEqual(planDefaultZone([made], 'example.com'), { make: 'example.com', remove: [] });
});

function facts(more: Partial<ZoneFacts>): ZoneFacts {
  return {
    zone: old,
    conflict: undefined,
    found: {
      opening: { kind: 'open' },
      answer: { outcome: 'ok', message: '' },
      description: undefined,
    },
    applied: { recordSets: 4, pending: 0, isEmpty: false, requestsPerSecond: 5 },
    published: { services: 2, recordSets: 4, cut: 0 },
    foreign: [],
    nameServers: [],
    delegation: undefined,
    ...more,
  };
}

function said(more: Partial<ZoneFacts>, type: string): string {
  const found = planZoneConditions(facts(more)).find((one) => one.type === type);
  return found === undefined ? 'absent' : `${found.status} ${found.reason}: ${found.message}`;
}

const applied = facts({}).applied;
const held = {
  hash: 'abc',
  sinceMs: 0,
  services: 9,
  recordSets: 40,
  recordSetsMax: 20,
  message: '40 record sets would go.',
};

test('a DNSZone that cannot go says why, and the way out', (t) => {
  const going = (spec: Partial<DnsZoneSpec>) => {
    const made = zone('old', { route53: one, ...spec });
    const metadata = { ...made.metadata, deletionTimestamp: '2026-01-02T00:00:00Z' };
    return { zone: { ...made, metadata }, published: { services: 0, recordSets: 0, cut: 0 } };
  };
  t.regex(
    said(going({ frozen: true }), 'Ready'),
    /^False Deleting: 4 record sets of ours are to be removed first\. .*dns unfreeze old\. To leave them behind: kubectl patch/,
  );
  const fence = { reason: 'OtherOwner', message: 'Another one writes.', sinceMs: 0 } as const;
  const fenced = applied === undefined ? undefined : { ...applied, fence };
  t.regex(
    said({ ...going({}), applied: fenced }, 'Ready'),
    /That cannot be done: Another one writes\. To leave them behind: kubectl patch/,
  );
});

test('a key of transfers that is not there is said, and what follows', (t) => {
  const embedded = { transferKey: { name: 'k' } };
  const spec = {
    domain: 'example.com',
    provider: 'Embedded',
    embedded,
    secretRef: { namespace: 'dns', name: 'k' },
  } as const;
  const ready = (data: Readonly<Record<string, string>> | undefined): string => {
    const head = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'k' } };
    const secret = data === undefined ? undefined : { ...head, data };
    const opening = planOpening(spec, secret);
    if (opening.kind === 'open') return 'open';
    const found = { opening, answer: undefined, description: undefined };
    return said({ zone: zone('old', spec), found }, 'Ready');
  };
  t.regex(
    ready(undefined),
    /^False SecretMissing: .*--from-file=tsig-secret=FILE\. Until then nobody/,
  );
  const short = Buffer.from('c2hvcnQ=').toString('base64');
  t.regex(ready({ 'tsig-secret': short }), /^False SecretInvalid: .*16 bytes or more/);
  const good = Buffer.from(Buffer.alloc(32, 1).toString('base64')).toString('base64');
  t.regex(ready({ 'tsig-secret': good }), /^True Served/);
});

test('Ready says the one thing that a person has to do first', (t) => {
  const ready = (more: Partial<DnsZoneSpec>) => said({ zone: zone('old', more) }, 'Ready');
  t.is(
    ready({ route53: one }),
    `True Writable: Names are written at ${one.hostedZoneId} (Route53).`,
  );
  t.is(
    ready({ provider: 'RFC2136', rfc2136: { server: '127.0.0.1:53', tsigKeyName: 'k' } }),
    'True Writable: Names are written at 127.0.0.1:53 (RFC2136).',
  );
  const seen = (isPrivate: boolean, spec: Partial<DnsZoneSpec>): string => {
    const { found } = facts({});
    const description = { nameServers: [], isPrivate };
    const asked = found === undefined ? undefined : { ...found, description };
    return said({ zone: zone('old', { route53: one, ...spec }), found: asked }, 'Ready');
  };
  t.regex(seen(true, {}), /^True .*private one there: with spec\.visibility: Private/);
  t.regex(seen(false, { visibility: 'Private' }), /^True .*the whole world can read the private/);
  t.regex(seen(true, { visibility: 'Private' }), /\(Route53\)\.$/);
  t.regex(seen(false, {}), /\(Route53\)\.$/);
  const cloudDNS = { project: 'p', managedZone: 'z' };
  t.is(
    ready({ provider: 'CloudDNS', cloudDNS }),
    'True Writable: Names are written at p/z (CloudDNS).',
  );
  t.is(
    ready({
      provider: 'CloudDNS',
      cloudDNS: { ...cloudDNS, endpoint: 'http://127.0.0.1:8080' },
    }),
    'True Writable: Names are written at p/z at http://127.0.0.1:8080 (CloudDNS).',
  );
  const frozen = zone('old', { route53: one, frozen: true });
  t.regex(said({ zone: frozen }, 'Ready'), /^False Frozen: .*kubectl isthmus dns unfreeze old$/);
  const withPlan = applied === undefined ? undefined : { ...applied, heldPlan: held };
  t.regex(said({ applied: withPlan }, 'Ready'), /^False PlanHeld: .*dns confirm old abc$/);
  t.regex(said({ zone: frozen, applied: withPlan }, 'Ready'), /^False Frozen/);
  const answer = { outcome: 'denied', message: 'AccessDenied' } as const;
  const denied = { opening: { kind: 'open' }, answer, description: undefined } as const;
  t.regex(
    said({ zone: frozen, found: denied }, 'Ready'),
    /^False Denied: AccessDenied\. Published records stay as they are\.$/,
  );
  t.regex(said({ found: undefined }, 'Ready'), /^Unknown Opening/);
});

test('conflicts name Services and names, and the budget the ways to more room', (t) => {
  const foreign = Array.from({ length: 7 }, (_, index) => ({
    key: `shop/s${index}`,
    names: [`s${index}.example.com`],
  }));
  t.regex(
    said({ foreign }, 'NameConflict'),
    /^True ForeignRecords: .* 7 Services: shop\/s0 \(s0\.example\.com\), .* and 2 more\. .*dns import old --dry-run.*takeOverFrom/,
  );
  t.regex(said({}, 'NameConflict'), /^False NoConflict/);
  const published = { services: 9, recordSets: 9, cut: 3 };
  t.regex(said({ published }, 'NameBudget'), /^True BudgetUsedUp: 3 Services lack .*nameBudget/);
});

test('a zone that goes says what is in its way, and how to leave records behind', (t) => {
  const metadata = { ...old.metadata, deletionTimestamp: later };
  const going = { ...old, metadata };
  t.regex(said({ zone: going }, 'Ready'), /^False Deleting: The names of 2 Services are withdrawn/);
  const published = { services: 0, recordSets: 0, cut: 0 };
  t.is(
    said({ zone: going, published }, 'Ready'),
    'False Deleting: 4 record sets of ours are to be removed first.',
  );
  const answer = { outcome: 'unavailable', message: 'connection refused.' } as const;
  const found = { opening: { kind: 'open' }, answer, description: undefined } as const;
  t.regex(
    said({ zone: going, published, found }, 'Ready'),
    /cannot be done: connection refused\. To leave them behind: kubectl patch dnszone old --type=merge/,
  );
});

test('events tell of transitions, once, and of nothing that a person did', (t) => {
  const now = (more: Partial<ZoneFacts>) =>
    planZoneConditions(facts(more)).map((one) => ({ ...one, lastTransitionTime: later }));
  const tell = (before: Partial<ZoneFacts> | undefined, after: Partial<ZoneFacts>) =>
    planZoneEvents(before === undefined ? [] : now(before), now(after)).map(
      ({ type, reason }) => `${type} ${reason}`,
    );
  t.deepEqual(tell(undefined, {}), ['Normal ZoneReady']);
  t.deepEqual(tell({}, {}), []);
  const answer = { outcome: 'denied', message: 'no' } as const;
  const found = { opening: { kind: 'open' }, answer, description: undefined } as const;
  t.deepEqual(tell({}, { found }), ['Warning ZoneDenied']);
  t.deepEqual(tell({ found }, {}), ['Normal ZoneReady']);
  const foreign = [{ key: 'shop/web', names: ['x'] }];
  t.deepEqual(tell({}, { foreign }), ['Warning ForeignRecords']);
  t.deepEqual(tell({ foreign }, {}), ['Normal NoConflict']);
  // The applier tells of it, once it has stopped growing.
  const counts = { services: 1, recordSets: 30, recordSetsMax: 20 };
  const heldPlan = { hash: 'abc', message: 'Too much.', sinceMs: 1, ...counts };
  t.deepEqual(
    tell(
      {},
      { applied: { recordSets: 4, pending: 1, isEmpty: false, requestsPerSecond: 20, heldPlan } },
    ),
    [],
  );
});
