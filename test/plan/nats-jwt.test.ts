// Keys and JWTs of NATS' operator mode, against the package's own nkeys and against nonsense.

import test from 'ava';
import { nkeys } from 'nats';
import { MeshError } from '../../common/pure/errors.ts';
import {
  encodeSeed,
  isSignedBy,
  openSeed,
  publicKeyKind,
  type NkeyKind,
} from '../../common/runtime/nkeys.ts';
import {
  decodeJwt,
  signAccount,
  signOperator,
  signUser,
} from '../../coordinator/session/nats-jwt.ts';

const raw = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const kinds: readonly { kind: NkeyKind; seed: RegExp; key: RegExp }[] = [
  { kind: 'operator', seed: /^SO[A-Z2-7]{56}$/, key: /^O[A-Z2-7]{55}$/ },
  { kind: 'account', seed: /^SA[A-Z2-7]{56}$/, key: /^A[A-Z2-7]{55}$/ },
  { kind: 'user', seed: /^SU[A-Z2-7]{56}$/, key: /^U[A-Z2-7]{55}$/ },
];

for (const { kind, seed: seedPattern, key: keyPattern } of kinds) {
  test(`a key of kind ${kind} is the one that the reference makes of the same seed`, (t) => {
    for (let fill = 0; fill < 256; fill += 85) {
      const seed = encodeSeed(kind, raw(fill));
      const ours = openSeed(seed);
      const theirs = nkeys.fromSeed(Buffer.from(seed));
      t.regex(seed, seedPattern);
      t.regex(ours.publicKey, keyPattern);
      t.is(ours.kind, kind);
      t.is(ours.publicKey, theirs.getPublicKey());
      t.is(publicKeyKind(ours.publicKey), kind);
      const text = Buffer.from(`nonce ${fill}`);
      t.deepEqual(Buffer.from(ours.sign(text)), Buffer.from(theirs.sign(text)));
      t.true(isSignedBy(ours.publicKey, text, ours.sign(text)));
      t.false(isSignedBy(ours.publicKey, Buffer.from('other'), ours.sign(text)));
    }
  });
}

test('what is no seed is refused, and the message does not hold it', (t) => {
  const seed = encodeSeed('user', raw(7));
  const { publicKey } = openSeed(seed);
  const changed = `${seed.slice(0, -1)}${seed.endsWith('A') ? 'B' : 'A'}`;
  for (const text of ['', 'SU', changed, publicKey, seed.toLowerCase(), `${seed} `, `${seed}A`]) {
    const error = t.throws(() => openSeed(text), { instanceOf: MeshError });
    t.is(error?.code, 'NKEY_INVALID');
    if (text.length > 2) t.false(error?.message.includes(text));
  }
  t.throws(() => encodeSeed('user', new Uint8Array(31)), { instanceOf: MeshError });
});

test('what is no public key has no kind and has signed nothing', (t) => {
  const key = openSeed(encodeSeed('user', raw(7)));
  const text = Buffer.from('text');
  for (const wrong of ['', 'U', `${key.publicKey.slice(0, -1)}!`, encodeSeed('user', raw(7))]) {
    t.is(publicKeyKind(wrong), undefined);
    t.false(isSignedBy(wrong, text, key.sign(text)));
  }
});

const operator = openSeed(encodeSeed('operator', raw(1)));
const account = openSeed(encodeSeed('account', raw(2)));
const signing = openSeed(encodeSeed('account', raw(3)));
const user = openSeed(encodeSeed('user', raw(4)));
const issuedAtSeconds = 1_700_000_000;

test('an account JWT names its signing keys and what is revoked, in one order', (t) => {
  const of = (revocations: readonly (readonly [string, number])[]) =>
    signAccount(operator, {
      subject: account.publicKey,
      name: 'isthmus',
      issuedAtSeconds,
      signingKeys: [signing.publicKey],
      revocations: new Map(revocations),
    });
  const jwt = of([
    ['UB', 2],
    ['UA', 1],
  ]);
  t.is(
    jwt,
    of([
      ['UA', 1],
      ['UB', 2],
    ]),
  );
  const decoded = decodeJwt(jwt);
  t.is(decoded?.issuer, operator.publicKey);
  t.is(decoded?.subject, account.publicKey);
  t.like(decoded?.nats, {
    type: 'account',
    version: 2,
    signing_keys: [signing.publicKey],
    revocations: { UA: 1, UB: 2 },
  });
  // No leaf nodes and no JetStream: what a limit does not name is nothing.
  const limits = (decoded?.nats['limits'] ?? {}) as object;
  t.false('leaf' in limits);
  t.false('mem_storage' in limits);
});

test('a user of a signing key names its account, its subjects and its end', (t) => {
  const permissions = { publish: ['a.>'], subscribe: ['b'] };
  const claim = { subject: user.publicKey, name: 'one', issuedAtSeconds, permissions };
  const expiresAtSeconds = issuedAtSeconds + 900;
  const decoded = decodeJwt(
    signUser(signing, { ...claim, expiresAtSeconds, account: account.publicKey }),
  );
  t.is(decoded?.issuer, signing.publicKey);
  t.is(decoded?.expiresAtSeconds, expiresAtSeconds);
  t.like(decoded?.nats, {
    issuer_account: account.publicKey,
    pub: { allow: ['a.>'] },
    sub: { allow: ['b'] },
    resp: { max: 1, ttl: 5_000_000_000 },
    allowed_connection_types: ['STANDARD', 'WEBSOCKET'],
  });
  const own = decodeJwt(signUser(account, { ...claim, account: account.publicKey }));
  t.false('issuer_account' in (own?.nats ?? {}));
});

test('a JWT that was changed, cut or is none is not decoded', (t) => {
  const jwt = signOperator(operator, {
    subject: operator.publicKey,
    name: 'isthmus',
    issuedAtSeconds,
    systemAccount: account.publicKey,
  });
  t.like(decodeJwt(jwt)?.nats, { type: 'operator', system_account: account.publicKey });
  const [head = '', body = '', signature = ''] = jwt.split('.');
  const other = Buffer.from(body, 'base64url').toString().replace('isthmus', 'isthmuz');
  for (const text of [
    '',
    'a.b',
    'a.b.c',
    `${head}.${body}`,
    `${head}.${body}.`,
    `${head}.${Buffer.from(other).toString('base64url')}.${signature}`,
    `${jwt}.x`,
  ]) {
    t.is(decodeJwt(text), undefined, text);
  }
});

test('a user may be bound to so many subscriptions; without a bound it says none', (t) => {
  const signer = openSeed(encodeSeed('account', raw(1)));
  const claim = { subject: 'U', name: 'n', issuedAtSeconds: 1, account: 'A' };
  const bound = signUser(signer, { ...claim, permissions: undefined, subscriptionsMax: 32 });
  t.is(decodeJwt(bound)?.nats['subs'], 32);
  t.is(decodeJwt(signUser(signer, { ...claim, permissions: undefined }))?.nats['subs'], -1);
});
