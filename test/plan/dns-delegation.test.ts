// Whether the world is led to the servers of a zone: the verdict, the look, and the loop that keeps
// the condition Delegated true.

import test from 'ava';
import { judgeDelegation, type DelegationFacts } from '../../common/pure/delegation.ts';
import { silentLog } from '../../common/runtime/log.ts';
import type { AskDns } from '../../common/runtime/dns-client.ts';
import { lookAtDelegation } from '../../common/runtime/dns-delegation.ts';
import { createDelegationChecks } from '../../coordinator/dns/check/loop.ts';
import { createZonesWorld } from '../support/dns/zones-world.ts';

const base: DelegationFacts = {
  domain: 'fed.example.com',
  wanted: ['ns1.net', 'ns2.net'],
  apex: 'fed.example.com',
  child: ['ns1.net', 'ns2.net'],
  parent: 'example.com',
  atParent: ['ns1.net', 'ns2.net'],
  silence: undefined,
};

const verdicts: readonly (readonly [string, Partial<DelegationFacts>, string, RegExp])[] = [
  ['the parent names the servers', {}, 'True Delegated', /by example\.com to ns1\.net, ns2\.net/],
  [
    'the parent names others',
    { atParent: ['old1.net'], child: [] },
    'False OtherServers',
    /delegated to old1\.net, and not .* Give the zone example\.com these NS records: ns1\.net, ns2\.net/,
  ],
  [
    'the parent names one too few',
    { atParent: ['ns1.net'] },
    'False ServersDiffer',
    /ns2\.net not named there/,
  ],
  [
    'the parent names one too many',
    { atParent: ['ns1.net', 'ns2.net', 'old.net'] },
    'False ServersDiffer',
    /old\.net named there, but not keeping it/,
  ],
  [
    'nothing leads to the zone',
    { apex: 'example.com', child: ['a.net'], parent: 'com', atParent: ['a.net'] },
    'False NotDelegated',
    /deepest zone on the way is example\.com.*Put NS records for the zone into example\.com: ns1\.net/,
  ],
  [
    'a domain below a top-level one is the registrar’s',
    { domain: 'x.com', apex: 'x.com', parent: 'com', atParent: ['old.net'] },
    'False OtherServers',
    /the registrar of x\.com/,
  ],
  ['nobody names servers', { wanted: [] }, 'Unknown NoNameServers', /spec\.embedded\.nameServers/],
  [
    'the resolver is silent',
    { apex: undefined, silence: '10.0.0.1 says nothing' },
    'Unknown NotAnswering',
    /10\.0\.0\.1 says nothing/,
  ],
  [
    'the resolver is stale and the parent silent',
    { child: ['old.net'], atParent: [], silence: 'a.net says nothing' },
    'Unknown NotAnswering',
    /a\.net says nothing/,
  ],
  [
    'the parent is silent and the resolver content',
    { atParent: [] },
    'True Delegated',
    /by the resolver/,
  ],
];

for (const [title, facts, expected, message] of verdicts) {
  test(`${title}: ${expected}`, (t) => {
    const verdict = judgeDelegation({ ...base, ...facts });
    t.is(`${verdict.status} ${verdict.reason}`, expected);
    t.regex(verdict.message, message);
  });
}

/** Of the world: `SERVER NAME TYPE` to values; a server without any line is silent. */
function createAsk(world: Readonly<Record<string, readonly string[]>>): {
  readonly ask: AskDns;
  readonly asked: string[];
} {
  const asked: string[] = [];
  const ask: AskDns = ({ server, name, type }) => {
    const at = `${server.host} ${name} ${type}`;
    asked.push(at);
    if (!Object.keys(world).some((key) => key.startsWith(`${server.host} `))) {
      return Promise.resolve({ kind: 'silent', message: 'no answer within 2 s' });
    }
    const records = (world[at] ?? []).map((value) => ({ name, type, ttlSeconds: 60, value }));
    // A parent's server refers: its records are in the authority section.
    const isReferral = server.host !== 'resolver';
    const answer = {
      rcode: records.length > 0 ? 0 : 3,
      isAuthoritative: !isReferral,
      isTruncated: false,
      answers: isReferral ? [] : records,
      authority: isReferral ? records : [],
      additional: [],
    };
    return Promise.resolve({ kind: 'answer', answer, isOverTcp: false });
  };
  return { ask, asked };
}

const resolver = { host: 'resolver', port: 53 };

test('the zone above is asked at its own server, not at the resolver', async (t) => {
  const { ask, asked } = createAsk({
    'resolver fed.example.com NS': ['ns1.net'],
    'resolver example.com NS': ['a.net'],
    'resolver a.net A': ['192.0.2.1'],
    '192.0.2.1 fed.example.com NS': ['old.net'],
  });
  const wanted = ['ns1.net'];
  const facts = await lookAtDelegation({ ask, resolver, domain: 'fed.example.com', wanted });
  t.like(facts, { apex: 'fed.example.com', parent: 'example.com', atParent: ['old.net'] });
  t.is(judgeDelegation(facts).reason, 'OtherServers');
  t.is(asked.length, 4);
});

test('I11 a look asks a bounded number of questions, whatever the domain is', async (t) => {
  const { ask, asked } = createAsk({ 'resolver com NS': ['x.net'] });
  const domain = `${'a.'.repeat(100)}com`;
  await lookAtDelegation({ ask, resolver, domain, wanted: ['ns1.net'] });
  t.true(asked.length <= 24, String(asked.length));
});

test('the condition Delegated follows what the zone above says, and one silence changes nothing', async (t) => {
  const world = await createZonesWorld();
  await world.putZone('public', { route53: { hostedZoneId: 'Z1' } });
  await world.clock.advance(5_000);
  const lines: Record<string, readonly string[]> = {
    'resolver example.com NS': ['ns1.example.net'],
    'resolver com NS': ['tld.net'],
  };
  const { ask, asked } = createAsk(lines);
  const told: string[] = [];
  const { clock, log } = world;
  const checks = createDelegationChecks({
    desired: log.desired,
    lookout: { ask, resolver },
    onVerdict: (name) => told.push(name),
    clock,
    chance: { fraction: () => 0.5, uuid: () => '', bytes: () => new Uint8Array(2) },
    log: silentLog,
  });
  checks.start();
  t.teardown(() => checks.stop());
  await clock.advance(1_000);
  t.like(checks.verdict('public'), { status: 'True' });
  t.is(checks.verdict('example.com'), undefined); // the embedded zone names no servers
  const first = asked.length;
  await clock.advance(500_000);
  t.is(asked.length, first); // K1
  delete lines['resolver example.com NS'];
  delete lines['resolver com NS'];
  await clock.advance(150_000);
  t.like(checks.verdict('public'), { status: 'True' }); // K3: one silence
  await clock.advance(70_000);
  t.like(checks.verdict('public'), { status: 'Unknown', reason: 'NotAnswering' });
  lines['resolver example.com NS'] = ['old.net'];
  await clock.advance(70_000);
  t.like(checks.verdict('public'), { status: 'False', reason: 'OtherServers' });
  t.deepEqual(told, ['public', 'public', 'public']);
});
