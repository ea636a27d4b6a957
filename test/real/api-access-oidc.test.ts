// ID tokens of a real issuer: whose they are, keys that are rotated, and everything that is refused.

import test, { type ExecutionContext } from 'ava';
import { silentLog } from '../../common/runtime/log.ts';
import { createJsonFetcher } from '../../coordinator/api/access/https-json.ts';
import { createOidc } from '../../coordinator/api/access/oidc.ts';
import type { OidcOptions } from '../../coordinator/api/access/oidc-claims.ts';
import {
  authenticateWith,
  reviewWith,
  type TokenSource,
} from '../../coordinator/api/machinery/access/authenticate.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';
import { startOidcIssuer, type OidcIssuer } from '../support/oidc-issuer.ts';

interface Started {
  readonly issuer: OidcIssuer;
  readonly clock: ManualClock;
  readonly source: TokenSource;
}

async function start(
  t: ExecutionContext,
  more: Partial<OidcOptions> = {},
  caPem?: string,
  ports: { readonly clock?: ManualClock; readonly slowed?: () => Promise<void> } = {},
): Promise<Started> {
  const issuer = await startOidcIssuer();
  t.teardown(() => issuer.close());
  const clock = ports.clock ?? createManualClock(systemClock.now());
  const options: OidcOptions = {
    issuer: issuer.url,
    audiences: ['isthmus', 'other'],
    usernameClaim: 'sub',
    usernamePrefix: 'oidc:',
    groupsClaim: 'groups',
    groupsPrefix: 'oidc:',
    requiredClaims: {},
    algorithms: ['RS256'],
    ...more,
  };
  // Deadlines of the network are of real time.
  const ask = createJsonFetcher({ clock: systemClock, caPem: caPem ?? issuer.caPem });
  const fetchJson = async (url: string): Promise<unknown> => {
    await ports.slowed?.();
    return ask(url);
  };
  return { issuer, clock, source: createOidc({ options, fetchJson, clock, log: silentLog }) };
}

test('[k8s 117] an ID token says who asks and in which groups he is', async (t) => {
  const { issuer, source } = await start(t);
  const token = await issuer.sign({ sub: 'bob', groups: ['dev', 'ops'] });
  const authenticate = authenticateWith([source]);
  const credentials = { certificate: undefined, authorization: `Bearer ${token}` };
  const user = {
    name: 'oidc:bob',
    groups: ['oidc:dev', 'oidc:ops', 'system:authenticated'],
  };
  t.deepEqual(await authenticate(credentials), user);
  t.deepEqual(authenticate(credentials), user, 'the second time nobody has to be asked');
  t.is(issuer.keyRequests(), 1);
  t.deepEqual(await reviewWith([source])(token, []), {
    user,
    audiences: ['https://kubernetes.default.svc.cluster.local'],
    error: undefined,
  });
});

test('[k8s 117] a token that is over, for others, forged or without its claims is refused', async (t) => {
  const { issuer, source } = await start(t, { requiredClaims: { tenant: 'acme' } });
  const other = await startOidcIssuer();
  t.teardown(() => other.close());
  const good = { sub: 'bob', tenant: 'acme' };
  const refused = {
    over: await issuer.sign(good, { expiresIn: -120 }),
    'for others': await issuer.sign({ ...good, aud: 'them' }),
    'not yet': await issuer.sign({ ...good, nbf: Math.floor(systemClock.now() / 1000) + 60 }),
    'another tenant': await issuer.sign({ ...good, tenant: 'evil' }),
    'no tenant': await issuer.sign({ sub: 'bob' }),
    'no name': await issuer.sign({ tenant: 'acme' }),
    'another issuer': await other.sign(good),
    'signed by another': await other.sign({ ...good, iss: issuer.url }),
    'groups of numbers': await issuer.sign({ ...good, groups: [1] }),
    unsigned: `${toPart({ alg: 'none' })}.${toPart({ ...good, iss: issuer.url })}.`,
    'no token': 'a.b.c',
  };
  for (const [what, token] of Object.entries(refused)) {
    t.is(await source.find(token), undefined, what);
  }
  t.like(await source.find(await issuer.sign(good, { expiresIn: -10 })), { name: 'oidc:bob' });
});

function toPart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

test('[k8s 117] names and groups that Kubernetes keeps for itself are refused', async (t) => {
  const { issuer, source } = await start(t, { usernamePrefix: '-', groupsPrefix: '' });
  t.like(await source.find(await issuer.sign({ sub: 'bob' })), { name: 'bob', groups: [] });
  t.is(await source.find(await issuer.sign({ sub: 'system:admin' })), undefined);
  t.is(await source.find(await issuer.sign({ sub: 'isthmus:cluster:a' })), undefined);
  t.is(await source.find(await issuer.sign({ sub: 'bob\nroot' })), undefined);
  const masters = await issuer.sign({ sub: 'bob', groups: ['system:masters'] });
  t.is(await source.find(masters), undefined);
});

test('[k8s 117] the default prefix is the issuer; an address is a name of its own when verified', async (t) => {
  const { issuer, source } = await start(t, { usernamePrefix: undefined });
  t.like(await source.find(await issuer.sign({ sub: 'bob' })), { name: `${issuer.url}#bob` });
  const mail = await start(t, { usernamePrefix: undefined, usernameClaim: 'email' });
  const claims = { email: 'bob@example.com' };
  t.like(await mail.source.find(await mail.issuer.sign(claims)), { name: 'bob@example.com' });
  const unverified = await mail.issuer.sign({ ...claims, email_verified: false });
  t.is(await mail.source.find(unverified), undefined);
});

test('[k8s 117] rotated keys are fetched when a token names one, but not for every forger', async (t) => {
  const { issuer, source, clock } = await start(t);
  t.like(await source.find(await issuer.sign({ sub: 'bob' })), { name: 'oidc:bob' });
  await issuer.rotate();
  const token = await issuer.sign({ sub: 'bob' });
  t.is(await source.find(token), undefined, 'a moment after the last question');
  await clock.advance(10_000);
  t.like(await source.find(token), { name: 'oidc:bob' });
  t.is(issuer.keyRequests(), 2);
  for (let tries = 0; tries < 20; tries += 1) {
    const forged = await issuer.sign({ sub: `forger-${tries}` }, { keyId: `unknown-${tries}` });
    t.is(await source.find(forged), undefined);
  }
  t.is(issuer.keyRequests(), 2);
});

test('[k8s 117] O4 forged keys at a slow issuer keep out nobody whose key is known', async (t) => {
  const clock = createManualClock(systemClock.now());
  let answer = (): void => undefined;
  let isSlow = false;
  const { issuer, source } = await start(t, {}, undefined, {
    clock,
    slowed: async () => {
      if (isSlow) await new Promise<void>((resolve) => (answer = resolve));
    },
  });
  t.like(await source.find(await issuer.sign({ sub: 'bob' })), { name: 'oidc:bob' });
  isSlow = true;
  await clock.advance(60_000);
  const forged = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      issuer.sign({ sub: 'eve' }, { keyId: `forged-${index % 100}` }),
    ),
  );
  const refused = forged.map((token) => source.find(token));
  await new Promise<void>((resolve) => systemClock.soon(resolve));
  t.like(await source.find(await issuer.sign({ sub: 'alice' })), { name: 'oidc:alice' });
  isSlow = false;
  answer();
  t.deepEqual(new Set(await Promise.all(refused)), new Set([undefined]));
});

test('[k8s 117] a key that the issuer took away is believed no longer than ten minutes', async (t) => {
  const { issuer, source, clock } = await start(t);
  const token = await issuer.sign({ sub: 'bob' }, { expiresIn: 3_600 });
  t.like(await source.find(token), { name: 'oidc:bob' });
  await issuer.rotate();
  await clock.advance(300_000);
  t.like(await source.find(token), { name: 'oidc:bob' });
  await clock.advance(301_000);
  t.is(await source.find(token), undefined);
});

test('[k8s 117] an issuer that is broken, lies or is not the one costs a 401 and comes back', async (t) => {
  const { issuer, source, clock } = await start(t);
  const token = await issuer.sign({ sub: 'bob' });
  const faults = [
    { status: 500, body: '{}' },
    { status: 200, body: 'not JSON' },
    {
      status: 200,
      body: JSON.stringify({ issuer: 'https://evil.example', jwks_uri: 'https://x' }),
    },
    { status: 200, body: JSON.stringify({ issuer: issuer.url, jwks_uri: 'http://plain' }) },
    { status: 200, body: `"${'x'.repeat(1 << 20)}"` },
  ];
  for (const fault of faults) {
    issuer.break(fault);
    t.is(await source.find(token), undefined);
    await clock.advance(10_000);
  }
  issuer.break(undefined);
  t.like(await source.find(token), { name: 'oidc:bob' });
});

test('[k8s 117] an issuer with a certificate of another CA is not believed', async (t) => {
  const stranger = await startOidcIssuer();
  t.teardown(() => stranger.close());
  const { issuer, source } = await start(t, {}, stranger.caPem);
  t.is(await source.find(await issuer.sign({ sub: 'bob' })), undefined);
  t.is(issuer.keyRequests(), 0);
});
