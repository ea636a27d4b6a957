// What the commands about DNS make of the federation's objects.

import test from 'ava';
import type { DnsZone } from '../../common/model/dns-zone.ts';
import type { AnsweredRecord } from '../../common/pure/dns-question.ts';
import type { Call, Command } from '../../plugin/command.ts';
import { judgeAgent, type AgentAnswered } from '../../plugin/commands/check-agents.ts';
import { checkObjects } from '../../plugin/commands/check-lines.ts';
import { checkServers, findFault } from '../../plugin/commands/check-servers.ts';
import { dnsConfirm, dnsFreeze, dnsUnfreeze } from '../../plugin/commands/dns-hold.ts';
import { dnsPlan, planText } from '../../plugin/commands/dns-plan.ts';
import type { DnsFacts } from '../../plugin/commands/dns-facts.ts';
import { planChains } from '../../plugin/commands/explain-dns-plan.ts';
import { chainText } from '../../plugin/commands/explain-dns-text.ts';
import {
  apiVersion,
  cluster,
  facts,
  global,
  record,
  service,
  shard,
  zone,
} from '../support/dns/plugin-facts.ts';

test('a short name is followed to the region, the whole, and the shards behind their own names', (t) => {
  const [links = []] = planChains('eu.web.acme.com', facts);
  t.deepEqual(
    links.map(({ dnsName, level }) => `${dnsName} ${level}`),
    [
      'eu.web.acme.com alias',
      'web.shop.fed.svc.r1.example.com region',
      `${global} global`,
      `s-1.${global} shard`,
    ],
  );
  const parts = (at: number): readonly string[] =>
    (links[at]?.shards ?? []).map(({ cluster: name, part }) => `${name} ${part}`);
  t.deepEqual(parts(1), ['a out', 'b elsewhere', 'c elsewhere']);
  t.deepEqual(parts(2), ['a out', 'b in', 'c in']);
  t.deepEqual(parts(3), ['a elsewhere', 'b in', 'c elsewhere']);
});

test('names that lead in a circle, and names of several zones, end', (t) => {
  const circle = [
    record('x.example.com', { recordType: 'CNAME', targets: ['y.example.com'] }),
    record('y.example.com', { recordType: 'CNAME', targets: ['x.example.com'] }),
    record('x.example.com', { targets: ['10.0.0.1'], dnsZone: 'corp' }),
  ];
  const chains = planChains('x.example.com', { ...facts, records: circle });
  t.deepEqual(
    chains.map((links) => [links[0]?.dnsZone, links.length]),
    [
      ['corp', 1],
      ['public', 6],
    ],
  );
});

test('a name that is not live yet says that servers may answer the former', (t) => {
  const records = [
    record(
      global,
      { targets: ['192.0.2.2'] },
      { state: 'held', reason: 'Frozen', since: '2026-01-01T00:00:00Z' },
    ),
  ];
  const held = { ...facts, records };
  const text = chainText({ name: global, note: '', facts: held, chains: planChains(global, held) });
  t.regex(text, /held since 2026-01-01T00:00:00Z .*Frozen/);
  t.regex(text, /servers may answer what was written before: kubectl isthmus dns plan public/);
  t.regex(text, /a +no +notReady .*no endpoints \(0 of 1 endpoints ready\)/);
});

function failing(own: Partial<DnsFacts>, of: object = service): readonly string[] {
  const found = checkObjects({ ...facts, ...own }, of as typeof service);
  return found
    .filter(({ status }) => status !== 'ok')
    .map(({ status, check, message, wayOut }) => `${status} ${check}: ${message} -> ${wayOut}`);
}

const condition = (type: string, status: string): never =>
  ({
    type,
    status,
    reason: 'R',
    message: `${type} is ${status}.`,
    lastTransitionTime: '',
  }) as never;

const troubles: readonly (readonly [string, readonly string[], RegExp])[] = [
  [
    'a Service that nobody reaches from outside',
    failing({}, { ...service, spec: { type: 'ClusterIP' } }),
    /fail service shop\/web: .*ClusterIP.* -> kubectl patch service web -n shop/,
  ],
  ['no cluster', failing({ clusters: [] }), /fail clusters: .* -> kubectl isthmus join/],
  [
    'a cluster that is not Ready',
    failing({ clusters: [cluster('a', 'r1', 'False'), cluster('b', 'r2')] }),
    /warn cluster a: .*Why\./,
  ],
  [
    'no cluster that is Ready',
    failing({ clusters: [cluster('a', 'r1', 'False')] }),
    /fail cluster a/,
  ],
  [
    'no shard',
    failing({ shards: [] }),
    /fail shards: No cluster has a shard.* -> kubectl isthmus explain service web/,
  ],
  [
    'rights or quota that lack',
    failing({ shards: [shard('a', [], { applied: false, message: 'forbidden: exceeded quota' })] }),
    /fail shard in a: .*exceeded quota -> rights and quota .*resourcequota/,
  ],
  [
    'one shard out of DNS',
    failing({}),
    /warn shard in a: It is out of DNS: notReady, since 2026-01-01/,
  ],
  [
    'a provider that denies',
    failing({ zones: [zone({}, { conditions: [condition('Authorized', 'False')] })] }),
    /fail zone public Authorized/,
  ],
  [
    'a held plan',
    failing({ zones: [zone({}, { conditions: [condition('PlanHeld', 'True')] })] }),
    /fail zone public PlanHeld/,
  ],
  [
    'a record of others',
    failing({ zones: [zone({}, { conditions: [condition('NameConflict', 'True')] })] }),
    /warn zone public NameConflict/,
  ],
  ['no names', failing({ records: [] }), /fail records: It has no names/],
  [
    'names that wait',
    failing({ records: [record(global, {}, { state: 'pending', message: 'Waits its turn.' })] }),
    /warn records in public: pending: web\.shop\.fed.* Waits its turn\. -> kubectl isthmus dns plan public/,
  ],
  [
    'names that the provider refuses',
    failing({ records: [record(global, {}, { state: 'rejected', message: 'No.' })] }),
    /fail records in public: rejected/,
  ],
];

for (const [what, found, expected] of troubles) {
  test(`check finds ${what}`, (t) => {
    t.true(
      found.some((line) => expected.test(line)),
      found.join('\n'),
    );
  });
}

const address = (value: string) => ({ type: 'A', value });
const agents: readonly (readonly [string, Partial<AgentAnswered>, RegExp])[] = [
  [
    'a healthy shard elsewhere',
    { records: [address('192.0.2.2')] },
    /^ok .*get 192\.0\.2\.2 \(b\)/,
  ],
  [
    'a dead one',
    { records: [address('192.0.2.1')] },
    /^fail .*get 192\.0\.2\.1 \(a\), which is not healthy/,
  ],
  ['nothing', { code: 'NXDOMAIN' }, /^fail .*get NXDOMAIN, though shards are healthy/],
  ['no agent', { outcome: 'Away' }, /^warn .*not connected/],
  ['an old agent', { outcome: 'TooOld' }, /^warn .*upgrade it/],
  ['no table yet', { outcome: 'Unable' }, /^fail .*has no answer yet/],
];

for (const [what, own, expected] of agents) {
  test(`check judges what Pods of a cluster get: ${what}`, (t) => {
    const given = {
      cluster: cluster('a', 'r1'),
      outcome: 'Answered',
      code: 'NOERROR',
      records: [],
    };
    const { status, message } = judgeAgent({ ...given, ...own }, 'web.shop.fed', facts);
    t.regex(`${status} ${message}`, expected);
  });
}

test('an address that only the own cluster knows is its own shard', (t) => {
  const given = { outcome: 'Answered', code: 'NOERROR', records: [address('10.0.0.7')] };
  const { message } = judgeAgent({ ...given, cluster: cluster('b', 'r2') }, 'web.shop.fed', facts);
  t.regex(message, /get 10\.0\.0\.7 \(its own shard\)/);
});

const answered = (...values: readonly string[]): Parameters<typeof findFault>[1] => ({
  rcode: values.length === 0 ? 3 : 0,
  isAuthoritative: true,
  isTruncated: false,
  answers: values.map(
    (value): AnsweredRecord => ({ name: global, type: 'A', ttlSeconds: 60, value }),
  ),
  authority: [],
  additional: [],
});

test('an answer is compared with the record set as it is given: all, or one of the weighted', (t) => {
  const plain = record(global, { targets: ['192.0.2.1', '192.0.2.2'] });
  t.is(findFault(plain, answered('192.0.2.2', '192.0.2.1')), undefined);
  t.regex(findFault(plain, answered('192.0.2.1')) ?? '', /it lacks 192\.0\.2\.2/);
  t.regex(findFault(plain, answered('192.0.2.9')) ?? '', /it answers 192\.0\.2\.9, not/);
  t.regex(findFault(plain, answered()) ?? '', /it answers NXDOMAIN, not/);
  const weighted = record(global, {
    targets: ['192.0.2.1', '192.0.2.2'],
    members: [
      { weight: 1, targets: ['192.0.2.1'] },
      { weight: 3, targets: ['192.0.2.2'] },
    ],
  });
  t.is(findFault(weighted, answered('192.0.2.2')), undefined);
  t.regex(findFault(weighted, answered('192.0.2.9')) ?? '', /it answers/);
  const alias = { target: 'lb.test', hostedZoneId: 'Z', evaluateTargetHealth: true };
  t.is(
    findFault(record(global, { targets: ['lb.test'], alias }), answered('203.0.113.7')),
    undefined,
  );
});

test('a server that is silent, keeps no such zone, or has no address is named with the way out', async (t) => {
  const ask = (rcode: number | undefined) => () =>
    Promise.resolve(
      rcode === undefined
        ? ({ kind: 'silent', message: 'no answer within 2 s' } as const)
        : ({ kind: 'answer', answer: { ...answered(), rcode }, isOverTcp: false } as const),
    );
  const named = zone({}, { nameServers: ['ns1.test'] });
  const servers = [{ host: '192.0.2.53', port: 53 }];
  const resolver = { host: '10.0.0.1', port: 53 };
  const saidBy = async (rcode: number | undefined, given = servers): Promise<string> => {
    const found = await checkServers(named, facts.records, {
      ask: ask(rcode),
      resolver,
      servers: given,
    });
    return found
      .map(({ status, message, wayOut }) => `${status} ${message} -> ${wayOut}`)
      .join('\n');
  };
  t.regex(
    await saidBy(undefined),
    /^fail It does not answer.* -> dig @192\.0\.2\.53 -p 53 example\.com SOA$/,
  );
  t.regex(await saidBy(5), /^fail It does not keep example\.com: it answers REFUSED/);
  t.regex(
    await saidBy(3, []),
    /^fail ns1\.test keeps example\.com and has no address at the resolver 10\.0\.0\.1/,
  );
});

async function hold(
  command: Command,
  args: readonly string[],
  given: { readonly spec?: Partial<DnsZone['spec']>; readonly held?: string },
): Promise<readonly [string, unknown]> {
  const patches: unknown[] = [];
  let said = '';
  const held = given.held === undefined ? {} : { held: { hash: given.held } };
  const federation = {
    list: () => Promise.resolve([zone(given.spec)]),
    post: () => Promise.resolve({ status: { isWritten: true, ...held } }),
    mergePatch: (_path: string, patch: unknown) => {
      patches.push(patch);
      return Promise.resolve(zone());
    },
  };
  const call = { args, io: { out: (text: string) => (said = text) }, federation: () => federation };
  try {
    await command.run(call as unknown as Call); // what these commands need of it
  } catch (error) {
    said = String(error);
  }
  return [said, patches[0]];
}

test('confirm lets exactly the plan go ahead that is held', async (t) => {
  const [said, patch] = await hold(dnsConfirm, ['public', '4f1a'], { held: '4f1a' });
  t.regex(said, /public plan 4f1a confirmed/);
  t.deepEqual(patch, { spec: { confirmedPlan: '4f1a' } });
  const [other, nothing] = await hold(dnsConfirm, ['public', '4f1a'], { held: '9999' });
  t.regex(
    other,
    /holds the plan 9999, not 4f1a: nothing was changed.*kubectl isthmus dns plan public/,
  );
  t.is(nothing, undefined);
  const again = await hold(dnsConfirm, ['public', '4f1a'], { spec: { confirmedPlan: '4f1a' } });
  t.regex(again[0], /already confirmed/);
  t.regex((await hold(dnsConfirm, ['public', '4f1a'], {}))[0], /holds no plan/);
  t.regex(
    (await hold(dnsConfirm, ['other', '4f1a'], {}))[0],
    /no DNSZone "other"; there are: public/,
  );
});

test('freeze and unfreeze change what is not so already, and refuse the embedded zone', async (t) => {
  t.deepEqual((await hold(dnsFreeze, ['public'], {}))[1], { spec: { frozen: true } });
  t.deepEqual((await hold(dnsUnfreeze, ['public'], { spec: { frozen: true } }))[1], {
    spec: { frozen: null },
  });
  t.is((await hold(dnsFreeze, ['public'], { spec: { frozen: true } }))[1], undefined);
  const embedded = await hold(dnsFreeze, ['public'], { spec: { provider: 'Embedded' } });
  t.regex(embedded[0], /answered by the coordinator itself/);
});

test('a plan shows what goes and comes of each Service, why it waits, and how to confirm it', (t) => {
  const set = { name: global, type: 'A', ttlSeconds: 60, data: '192.0.2.1' };
  const review = {
    apiVersion,
    kind: 'DNSPlanReview',
    metadata: { name: '' },
    status: {
      isWritten: true,
      pending: 1,
      recordSets: 7,
      held: {
        hash: '4f1a',
        since: '2026-01-01T00:00:00Z',
        message: '30 of 40 record sets would go.',
      },
      changes: [
        { namespace: 'shop', service: 'web', deletes: [set], reason: 'Held', message: 'Held.' },
      ],
    },
  };
  const text = planText('public', review);
  t.regex(
    text,
    /^DNSZone public: 7 record sets of ours, 1 Service with changes to write\.\nHeld for \d+d: 30 of 40/,
  );
  t.regex(
    text,
    /kubectl isthmus dns confirm public 4f1a\n\nshop\/web {3}waits: Held\.\n {2}- {3}web\.shop\S+ +A +192\.0\.2\.1 \(TTL 60\)\n/,
  );
  const message = 'Records that are not ours stand in the way: web.example.com TXT x.';
  const foreign = { namespace: 'shop', service: 'web', reason: 'NameConflict', message };
  t.regex(
    planText('public', {
      ...review,
      status: { isWritten: true, pending: 1, recordSets: 1, changes: [foreign] } as never,
    }),
    /\n\nshop\/web {3}waits: Records that are not ours .* web\.example\.com TXT x\.\n$/,
  );
  t.regex(
    planText('public', {
      ...review,
      status: { isWritten: true, pending: 0, recordSets: 1 } as never,
    }),
    /1 record set of ours.*\nNothing is to be written/,
  );
  t.regex(
    planText('public', {
      ...review,
      status: { isWritten: true, pending: 1, recordSets: 1 } as never,
    }),
    /1 Service with changes to write\.\nThey wait.*kubectl describe dnszone public\n$/,
  );
});

test('without a DNSZone the plans of all that have a provider are shown', async (t) => {
  const zones = [zone(), zone({ provider: 'Embedded' })].map((one, at) => ({
    ...one,
    metadata: { name: ['public', 'inside'][at] ?? '' },
  }));
  const ask = async (list: readonly DnsZone[], output?: string): Promise<string> => {
    let said = '';
    const status = { isWritten: true, pending: 0, recordSets: 3 };
    const federation = {
      list: () => Promise.resolve(list),
      post: (_path: string, review: object) => Promise.resolve({ ...review, status }),
    };
    const io = { out: (text: string) => (said += text) };
    const call = { args: [], flags: { text: () => output }, io, federation: () => federation };
    await dnsPlan.run(call as unknown as Call); // what the command needs of it
    return said;
  };
  const [first] = zones;
  const second = { ...zone(), metadata: { name: 'other' } };
  t.regex(
    await ask([...zones, second]),
    /^DNSZone other: 3 record sets.*\nNothing is to be written\.\n\nDNSZone public: 3 record sets/,
  );
  t.regex(await ask(zones.slice(1)), /no DNSZone at a provider/);
  t.regex(
    await ask(first === undefined ? [] : [first], 'json'),
    /"kind": "List"[^]*"dnsZone": "public"/,
  );
});
