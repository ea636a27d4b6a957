// Who asks: client certificate first, bearer token second, else anonymous.
//
//   N1. A credential that is presented and not valid is refused (401), also where anonymous
//       requests are allowed.
//   N2. Tokens are kept as SHA-256 only and compared in constant time; they are never logged.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Access, TokenVerdict, UserInfo } from './access.ts';

export interface StaticToken {
  readonly token: string;
  readonly user: string;
  readonly groups: readonly string[];
}

/** A token that only its hash is known of. */
export interface HashedToken {
  /** SHA-256, 32 bytes. */
  readonly hash: Uint8Array;
  readonly user: UserInfo;
}

/** What a connection and a request carry. */
export interface Credentials {
  /** Subject of a client certificate: CN and each O. 'invalid' when its chain does not verify. */
  readonly certificate:
    | {
        readonly commonName: string;
        readonly organizations: readonly string[];
        /** SHA-256 over the certificate's DER, lower-case hex. */
        readonly fingerprint?: string;
      }
    | 'invalid'
    | undefined;
  /** Authorization header. */
  readonly authorization: string | undefined;
}

/** undefined: anonymous. */
export type Authenticated = UserInfo | 'invalid' | undefined;

/** A promise only where somebody else has to be asked: a new token of an OIDC issuer. */
export type Authenticate = (credentials: Credentials) => Authenticated | Promise<Authenticated>;

/** Knows users by their tokens. Never rejects: what cannot be checked is not known. */
export interface TokenSource {
  find(token: string): UserInfo | undefined | Promise<UserInfo | undefined>;
}

/** Client certificates and a static table of tokens. */
export function createAuthenticator(
  tokens: readonly StaticToken[],
): (credentials: Credentials) => Authenticated {
  const table = createTokenTable(
    tokens.map(({ token, user, groups }) => ({
      hash: hashToken(token),
      user: { name: user, groups },
    })),
  );
  return (credentials) => {
    const claim = readClaim(credentials);
    if (claim.kind !== 'token') return toAuthenticated(claim);
    return toKnown(table.find(claim.token)) ?? 'invalid';
  };
}

/** Client certificates and tokens; the first source that knows a token says whose it is. */
export function authenticateWith(sources: readonly TokenSource[]): Authenticate {
  return (credentials) => {
    const claim = readClaim(credentials);
    if (claim.kind !== 'token') return toAuthenticated(claim);
    const found = findUser(sources, claim.token);
    if (found instanceof Promise) return found.then((user) => toKnown(user) ?? 'invalid');
    return toKnown(found) ?? 'invalid';
  };
}

/** The audience of tokens that name none: ours, by the name every cluster has for itself. */
export const apiAudience = 'https://kubernetes.default.svc.cluster.local';

/** What a TokenReview asks: the same sources, and whether the token is meant for the audience. */
export function reviewWith(sources: readonly TokenSource[]): Access['reviewToken'] {
  return async (token, audiences) => {
    const wanted = audiences.length === 0 ? [apiAudience] : audiences;
    const fits = wanted.filter((audience) => audience === apiAudience);
    const user = fits.length === 0 ? undefined : toKnown(await findUser(sources, token));
    if (user !== undefined) return { user, audiences: fits, error: undefined };
    const verdict: TokenVerdict = { user, audiences: [], error: 'invalid bearer token' };
    return verdict;
  };
}

/** Asked one after the other; synchronous as long as each answers at once. */
function findUser(
  sources: readonly TokenSource[],
  token: string,
): UserInfo | undefined | Promise<UserInfo | undefined> {
  const [first, ...rest] = sources;
  if (first === undefined) return undefined;
  const found = first.find(token);
  if (found instanceof Promise) return found.then((user) => user ?? findUser(rest, token));
  return found ?? findUser(rest, token);
}

type Claim =
  | { readonly kind: 'user'; readonly user: UserInfo }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'none' | 'invalid' };

function readClaim({ certificate, authorization }: Credentials): Claim {
  if (certificate !== undefined && certificate !== 'invalid' && certificate.commonName !== '') {
    const { commonName, organizations, fingerprint } = certificate;
    const extra =
      fingerprint === undefined ? {} : { extra: { [credentialId]: [`X509SHA256=${fingerprint}`] } };
    return { kind: 'user', user: { name: commonName, groups: organizations, ...extra } };
  }
  const token = toBearer(authorization);
  if (token !== undefined) return { kind: 'token', token };
  return { kind: certificate === undefined ? 'none' : 'invalid' }; // N1
}

// Kubernetes' own key for it, shown by `kubectl auth whoami` and in the audit log.
const credentialId = 'authentication.kubernetes.io/credential-id';

function toAuthenticated(claim: Exclude<Claim, { readonly kind: 'token' }>): Authenticated {
  if (claim.kind === 'user') return toKnown(claim.user);
  return claim.kind === 'none' ? undefined : 'invalid';
}

/** Who is known is in system:authenticated, whatever else he is in. */
function toKnown(user: UserInfo | undefined): UserInfo | undefined {
  if (user === undefined) return undefined;
  return { ...user, groups: [...new Set([...user.groups, 'system:authenticated'])] };
}

// Longer than any token that a program makes; a header block is bounded by the transport as well.
const tokenCharactersMax = 16_384;

function toBearer(header: string | undefined): string | undefined {
  const match = /^Bearer\s+(\S+)\s*$/i.exec(header ?? '');
  const token = match?.[1];
  return token !== undefined && token.length <= tokenCharactersMax ? token : undefined;
}

export interface TokenTable extends TokenSource {
  find(token: string): UserInfo | undefined;
}

export function createTokenTable(tokens: readonly HashedToken[]): TokenTable {
  return {
    find: (token) => {
      const hash = hashToken(token);
      let found: UserInfo | undefined;
      for (const each of tokens) {
        if (timingSafeEqual(each.hash, hash)) found = each.user; // N2: no early exit
      }
      return found;
    },
  };
}

export function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}
