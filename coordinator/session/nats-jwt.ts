// JWTs of NATS' operator mode: an operator vouches for accounts, an account (or its signing key)
// for users. Pure but for the signature.
//
// Ours and not a package's: the format is a header, one claim and an Ed25519 signature, and
// @nats-io/jwt has stayed at 0.0.x. Source: github.com/nats-io/jwt v2 (claims.go,
// account_claims.go, user_claims.go); docs.nats.io, "JWTs and Privacy".

import { createHash } from 'node:crypto';
import { encodeBase32, isSignedBy, publicKeyKind, type Nkey } from '../../common/runtime/nkeys.ts';

export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** User key to the second up to which what was issued for it is void. */
export type Revocations = ReadonlyMap<string, number>;

interface Claim {
  readonly subject: string;
  readonly name: string;
  readonly issuedAtSeconds: number;
  /** Absent: it never ends. */
  readonly expiresAtSeconds?: number | undefined;
}

const header = toPart({ typ: 'JWT', alg: 'ed25519-nkey' });
const noLimit = -1;
const replyTtlNs = 5_000_000_000;

export function signOperator(operator: Nkey, claim: Claim & { systemAccount: string }): string {
  const { systemAccount } = claim;
  return encodeJwt(operator, claim, {
    system_account: systemAccount,
    type: 'operator',
    version: 2,
  });
}

/** No JetStream, no leaf nodes, no imports and exports: what our users do is publish and hear. */
export function signAccount(
  operator: Nkey,
  claim: Claim & {
    readonly signingKeys?: readonly string[] | undefined;
    readonly revocations?: Revocations | undefined;
  },
): string {
  const { signingKeys = [], revocations } = claim;
  return encodeJwt(operator, claim, {
    limits: {
      subs: noLimit,
      data: noLimit,
      payload: noLimit,
      imports: noLimit,
      exports: noLimit,
      wildcards: true,
      conn: noLimit,
    },
    ...(signingKeys.length === 0 ? {} : { signing_keys: signingKeys }),
    ...(revocations === undefined || revocations.size === 0
      ? {}
      : { revocations: Object.fromEntries([...revocations].sort()) }),
    default_permissions: { pub: {}, sub: {} },
    type: 'account',
    version: 2,
  });
}

export interface UserClaim extends Claim {
  readonly account: string;
  readonly permissions: NatsPermissions | undefined;
  /** Of one connection. Default: no bound. */
  readonly subscriptionsMax?: number;
}

/** Signed by the account's key, or by a signing key of it that `account` then belongs to. */
export function signUser(signer: Nkey, claim: UserClaim): string {
  return signPart(signer, toUserPart(signer.publicKey, claim));
}

/** What signUser signs: the same for the same claim, whenever it is asked. */
export function toUserPart(issuer: string, claim: UserClaim): string {
  const { account, permissions, subscriptionsMax = noLimit } = claim;
  return toSignedPart(issuer, claim, {
    ...(permissions === undefined
      ? {}
      : {
          pub: { allow: permissions.publish },
          sub: { allow: permissions.subscribe },
          resp: { max: 1, ttl: replyTtlNs },
        }),
    subs: subscriptionsMax,
    data: noLimit,
    payload: noLimit,
    // No leaf node: it would bring a whole NATS in under one user's name.
    allowed_connection_types: ['STANDARD', 'WEBSOCKET'],
    ...(account === issuer ? {} : { issuer_account: account }),
    type: 'user',
    version: 2,
  });
}

export interface DecodedJwt {
  readonly issuer: string;
  readonly subject: string;
  readonly expiresAtSeconds: number | undefined;
  /** The claim of NATS: type, limits, signing keys. */
  readonly nats: Readonly<Record<string, unknown>>;
}

/** The claims when the signature is its issuer's; who may issue is asked elsewhere. */
export function decodeJwt(jwt: string): DecodedJwt | undefined {
  const [head, body, signature, ...rest] = jwt.trim().split('.');
  if (head === undefined || body === undefined || !signature || rest.length > 0) return undefined;
  const claims = parsePart(body);
  const { iss, sub, exp, nats } = claims ?? {};
  if (typeof iss !== 'string' || typeof sub !== 'string') return undefined;
  if (publicKeyKind(iss) === undefined || typeof nats !== 'object' || nats === null) {
    return undefined;
  }
  const isGenuine = isSignedBy(
    iss,
    Buffer.from(`${head}.${body}`),
    Buffer.from(signature, 'base64url'),
  );
  if (!isGenuine) return undefined;
  return {
    issuer: iss,
    subject: sub,
    expiresAtSeconds: typeof exp === 'number' ? exp : undefined,
    nats: nats as Readonly<Record<string, unknown>>, // an object, seen above
  };
}

function encodeJwt(signer: Nkey, claim: Claim, nats: object): string {
  return signPart(signer, toSignedPart(signer.publicKey, claim, nats));
}

function signPart(signer: Nkey, signed: string): string {
  return `${signed}.${Buffer.from(signer.sign(Buffer.from(signed))).toString('base64url')}`;
}

function toSignedPart(issuer: string, claim: Claim, nats: object): string {
  const { subject, name, issuedAtSeconds, expiresAtSeconds } = claim;
  const claims = {
    iat: issuedAtSeconds,
    iss: issuer,
    name,
    sub: subject,
    ...(expiresAtSeconds === undefined ? {} : { exp: expiresAtSeconds }),
    nats,
  };
  const id = createHash('sha512-256').update(JSON.stringify(claims)).digest();
  return `${header}.${toPart({ jti: encodeBase32(id), ...claims })}`;
}

function toPart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function parsePart(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
