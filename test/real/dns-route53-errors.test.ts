// What each word of Route 53, and each silence, means to the applier; over the real SDK.

import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { MeshError } from '../../common/pure/errors.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import type { GroupOutcome, RecordGroup } from '../../coordinator/dns/provider/provider.ts';
import { openRoute53 } from '../../coordinator/dns/provider/route53.ts';
import { applyGroups, group, kinds, recordSet } from '../contract/dns-provider-cases.ts';
import { testKeys } from '../support/dns/route53/double.ts';
import { toError, toOldInvalidChangeBatch, type Answered } from '../support/dns/route53/service.ts';
import { openRoute53World, type Route53World } from '../support/dns/route53/subject.ts';

const patience = { timeoutMs: 20_000 };

async function openWorld(
  t: ExecutionContext,
  options?: Parameters<typeof openRoute53World>[0],
): Promise<Route53World> {
  const world = await openRoute53World(options);
  t.teardown(world.close);
  return world;
}

const create = (label: string): RecordGroup =>
  group(label, { creates: [recordSet(`${label}.example.com`, 'A', ['192.0.2.1'])] });

function apply(world: Route53World, ...groups: readonly RecordGroup[]) {
  return applyGroups(world as unknown as Parameters<typeof applyGroups>[0], groups);
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'no error';
  } catch (error) {
    return error instanceof MeshError ? `${error.class} ${error.code}: ${error.message}` : 'other';
  }
}

const rows: readonly {
  readonly what: string;
  readonly answer: Answered;
  readonly kind: GroupOutcome['kind'];
  readonly reading: RegExp;
  readonly says: RegExp;
}[] = [
  {
    what: 'Throttling',
    answer: toError(400, 'Throttling', 'Rate exceeded'),
    kind: 'throttled',
    reading: /^retryable DNS_THROTTLED/,
    says: /Throttling: Rate exceeded/,
  },
  {
    what: 'PriorRequestNotComplete',
    answer: toError(400, 'PriorRequestNotComplete', 'still processing a prior request'),
    kind: 'throttled',
    reading: /^retryable DNS_THROTTLED/,
    says: /prior request/,
  },
  {
    what: 'NoSuchHostedZone',
    answer: toError(404, 'NoSuchHostedZone', 'No hosted zone found with ID: Z1'),
    kind: 'denied',
    reading: /^fatal DNS_NO_ZONE/,
    says: /no hosted zone .* check spec\.route53\.hostedZoneId/,
  },
  {
    what: 'AccessDenied',
    answer: toError(403, 'AccessDenied', 'User: u is not authorized to perform: route53:X'),
    kind: 'denied',
    reading: /^fatal DNS_DENIED/,
    says: /not authorized to perform: route53:X.*IAM policy.*arn:aws:route53:::hostedzone\/Z/,
  },
  {
    what: 'an expired token',
    answer: toError(403, 'ExpiredToken', 'The security token included in the request is expired'),
    kind: 'denied',
    reading: /^fatal DNS_DENIED/,
    says: /expired: write fresh credentials into the Secret/,
  },
  {
    what: 'InvalidClientTokenId',
    answer: toError(403, 'InvalidClientTokenId', 'The security token is invalid'),
    kind: 'denied',
    reading: /^fatal DNS_DENIED/,
    says: /check aws_access_key_id/,
  },
  {
    what: 'SignatureDoesNotMatch, without what was signed',
    answer: toError(
      403,
      'SignatureDoesNotMatch',
      "The Canonical String for this request should have been 'x-amz-security-token:TOP'",
    ),
    kind: 'denied',
    reading: /^fatal DNS_DENIED/,
    says: /^(?!.*TOP).*check aws_secret_access_key/,
  },
  {
    what: 'a wrong clock',
    answer: toError(403, 'RequestExpired', 'Request has expired'),
    kind: 'denied',
    reading: /^fatal DNS_DENIED/,
    says: /clock is wrong/,
  },
  {
    what: "a proxy's 403",
    answer: { status: 403, body: '<html><title>Blocked</title></html>' },
    kind: 'denied',
    reading: /^fatal DNS_DENIED/,
    says: /HTTP 403 in a form that is not Route 53's/,
  },
  {
    what: '500',
    answer: toError(500, 'InternalFailure', 'We encountered an internal error'),
    kind: 'unknown',
    reading: /^retryable DNS_UNAVAILABLE/,
    says: /internal error/,
  },
  {
    what: '503 of a load balancer',
    answer: { status: 503, body: '<html>Service Unavailable</html>' },
    kind: 'unknown',
    reading: /^retryable DNS_UNAVAILABLE/,
    says: /HTTP 503/,
  },
  {
    what: '404 of another server',
    answer: { status: 404, body: 'no such page' },
    kind: 'unknown',
    reading: /^retryable DNS_UNAVAILABLE/,
    says: /spec\.route53\.endpoint/,
  },
  {
    what: 'an answer cut short',
    answer: { status: 200, body: '<?xml version="1.0"?><ChangeResourceRecordSetsResponse><Chan' },
    kind: 'unknown',
    reading: /^retryable DNS_UNAVAILABLE/,
    says: /form that is not Route 53's/,
  },
];

for (const { what, answer, kind, reading, says } of rows) {
  test(`${what} is ${kind} to a change, and what it is to a reading call`, async (t) => {
    const world = await openWorld(t);
    world.double.always.set('ChangeResourceRecordSets', { kind: 'answer', answer });
    world.double.always.set('ListResourceRecordSets', { kind: 'answer', answer });
    const outcome = (await apply(world, create('a'))).get('a');
    t.is(outcome?.kind, kind, JSON.stringify(outcome));
    if (outcome !== undefined && 'message' in outcome) t.regex(outcome.message, says);
    const error = await codeOf(world.provider.read(['a.example.com'], patience));
    t.regex(error, reading);
    t.regex(error, new RegExp(says.source.replace(/^\^/, '')));
    t.is(world.double.count('ChangeResourceRecordSets'), 1, 'the SDK tried again by itself');
    t.is(world.double.count('ListResourceRecordSets'), 1, 'the SDK tried again by itself');
  });
}

const texts: readonly string[] = [
  "Tried to create resource record set [name='a.example.com.', type='A'] but it already exists",
  "FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with 'c.example.com'",
];

for (const [form, answer] of [
  ["today's", toError(400, 'InvalidChangeBatch', `[${texts.join(', ')}]`)],
  ['the older', toOldInvalidChangeBatch(texts)],
] as const) {
  test(`in ${form} form each of several at fault is named by what it did`, async (t) => {
    const world = await openWorld(t);
    world.double.faults.set('ChangeResourceRecordSets', [{ kind: 'answer', answer }]);
    const outcomes = await apply(world, create('a'), create('b'), create('c'));
    t.deepEqual(kinds(outcomes), ['a=conflict', 'b=notTried', 'c=rejected']);
    const [a, c] = [outcomes.get('a'), outcomes.get('c')];
    t.is(a?.kind === 'conflict' ? a.message : '', texts[0] ?? '');
    t.is(c?.kind === 'rejected' ? c.message : '', texts[1] ?? '');
  });
}

const named: readonly (readonly [string, readonly string[]])[] = [
  [
    "Tried to delete resource record set [name='b.example.com.', type='A', set identifier='s'] but it was not found",
    ['a=notTried', 'b=conflict'],
  ],
  [
    'RRSet of type A with DNS name b.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com.',
    ['a=notTried', 'b=conflict'],
  ],
  [
    'RRSet with DNS name b.example.com., type A, SetIdentifier s cannot be created as a non-weighted set exists with the same name and type.',
    ['a=notTried', 'b=conflict'],
  ],
  [
    'RRSet with DNS name b.example.com. is not permitted in zone example.org.',
    ['a=notTried', 'b=rejected'],
  ],
  [
    "The request contains an invalid set of changes for a resource record set 'A b.example.com.'",
    ['a=notTried', 'b=rejected'],
  ],
  ['Something is wrong somewhere', ['a=notTried', 'b=notTried']],
];

for (const [text, expected] of named) {
  test(`who is meant by: ${text}`, async (t) => {
    const world = await openWorld(t);
    const answer = toError(400, 'InvalidChangeBatch', `[${text}]`);
    world.double.faults.set('ChangeResourceRecordSets', [{ kind: 'answer', answer }]);
    t.deepEqual(kinds(await apply(world, create('a'), create('b'))), expected);
  });
}

test('an input fault is laid at the door of the change that it counts', async (t) => {
  const world = await openWorld(t);
  const text =
    "1 validation error detected: Value 'x' at 'changeBatch.changes.2.member.resourceRecordSet.ttl' failed";
  const answer = toError(400, 'ValidationError', text);
  world.double.faults.set('ChangeResourceRecordSets', [{ kind: 'answer', answer }]);
  t.deepEqual(kinds(await apply(world, create('a'), create('b'), create('c'))), [
    'a=notTried',
    'b=rejected',
    'c=notTried',
  ]);
});

test('one group that nobody names is at fault by itself', async (t) => {
  const world = await openWorld(t);
  const answer = toError(400, 'InvalidChangeBatch', '[Something is wrong somewhere]');
  world.double.faults.set('ChangeResourceRecordSets', [{ kind: 'answer', answer }]);
  t.deepEqual(kinds(await apply(world, create('a'))), ['a=rejected']);
});

test('where nobody listens nothing was sent: unavailable, at once', async (t) => {
  const world = await openWorld(t);
  await world.double.close();
  const outcomes = await apply(world, create('a'));
  t.deepEqual(kinds(outcomes), ['a=unavailable']);
  t.regex(await codeOf(world.provider.read(['a.example.com'], patience)), /DNS_UNAVAILABLE/);
});

/** A server that takes connections and says nothing; TLS never begins. */
async function openSilentServer(t: ExecutionContext): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return server;
}

for (const [scheme, kind] of [
  ['https', 'unavailable'],
  ['http', 'unknown'],
] as const) {
  test(`a silent ${scheme} server is ${kind} by the deadline`, async (t) => {
    const server = await openSilentServer(t);
    const provider = openRoute53({
      hostedZoneId: 'Z1',
      endpoint: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credentials: testKeys,
      clock: systemClock,
      log: silentLog,
    });
    t.teardown(() => provider.close());

    await import('@aws-sdk/client-route-53');
    const startMs = systemClock.monotonicMs();
    const outcome = (await provider.apply({ groups: [create('a')] }, { timeoutMs: 1_500 })).get(
      'a',
    );
    t.is(outcome?.kind, kind, JSON.stringify(outcome));
    t.true(systemClock.monotonicMs() - startMs < 5_000);
  });
}

test('a slow answer within the deadline is an answer, one behind it is unknown', async (t) => {
  const world = await openWorld(t);
  const slow = (ms: number): void =>
    void world.double.faults.set('ChangeResourceRecordSets', [{ kind: 'slow', ms }]);
  slow(150);
  t.deepEqual(kinds(await apply(world, create('a'))), ['a=applied']);
  slow(3_000);
  const late = await world.provider.apply({ groups: [create('b')] }, { timeoutMs: 500 });
  t.deepEqual(kinds(late), ['b=unknown']);
});

test('a request that arrives when its sender has given up may be done: unknown was right', async (t) => {
  const world = await openWorld(t);
  await world.provider.read(['a.example.com'], patience); // the SDK is loaded
  world.double.faults.set('ChangeResourceRecordSets', [{ kind: 'late' }]);
  const outcomes = await world.provider.apply({ groups: [create('a')] }, { timeoutMs: 500 });
  t.deepEqual(kinds(outcomes), ['a=unknown']);
  t.deepEqual(await world.provider.read(['a.example.com'], patience), []);
  t.deepEqual(
    world.double.release().map(({ status }) => status),
    [200],
  );
  t.is((await world.provider.read(['a.example.com'], patience)).length, 1);
});

test('in a storm each call is one request, and says that it was throttled', async (t) => {
  const world = await openWorld(t, { requests: { perSecond: 0.001, burst: 3 } });
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, index) => apply(world, create(`n${index}`))),
  );
  const seen = outcomes.flatMap((each) => [...each.values()]).map(({ kind }) => kind);
  t.is(seen.filter((kind) => kind === 'applied').length, 3);
  t.is(seen.filter((kind) => kind === 'throttled').length, 17);
  t.is(world.double.count('ChangeResourceRecordSets'), 20);
});

test('a zone that is still at a change refuses the next for now, and others do not', async (t) => {
  const world = await openWorld(t, { busyMs: 60_000 });
  t.deepEqual(kinds(await apply(world, create('a'))), ['a=applied']);
  const outcome = (await apply(world, create('b'))).get('b');
  t.is(outcome?.kind, 'throttled');
  const other = world.double.addZone('example.org');
  const provider = openRoute53({
    hostedZoneId: other.options.id,
    endpoint: world.double.endpoint,
    credentials: testKeys,
    clock: systemClock,
    log: silentLog,
  });
  t.teardown(() => provider.close());
  const set = recordSet('a.example.org', 'A', ['192.0.2.1']);
  const outcomes = await provider.apply({ groups: [group('a', { creates: [set] })] }, patience);
  t.deepEqual(kinds(outcomes), ['a=applied']);
});

test('a change that the service has forgotten is served long since', async (t) => {
  const world = await openWorld(t);
  t.is(await world.provider.observe('C0000000000000', patience), 'live');
});
