// Who asks: client certificate first, bearer token second, else anonymous.
//
//   N1. A credential that is presented and not valid is refused (401), also where anonymous
//       requests are allowed.
//   N2. Tokens are kept as SHA-256 only and compared in constant time; they are never logged.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { UserInfo } from '../kind.ts';

export interface StaticToken {
  readonly token: string;
  readonly user: string;
  readonly groups: readonly string[];
}

/** What a connection and a request carry. */
export interface Credentials {
  /** Subject of a client certificate: CN and each O. 'invalid' when its chain does not verify. */
  readonly certificate:
    | { readonly commonName: string; readonly organizations: readonly string[] }
    | 'invalid'
    | undefined;
  /** Authorization header. */
  readonly authorization: string | undefined;
}

/** undefined: anonymous. */
export type Authenticate = (credentials: Credentials) => UserInfo | 'invalid' | undefined;

/** Client certificates and a static table of tokens. */
export function createAuthenticator(tokens: readonly StaticToken[]): Authenticate {
  const known = tokens.map(({ token, user, groups }) => ({
    hash: sha256(token),
    user: toUser(user, groups),
  }));
  return ({ certificate, authorization }) => {
    if (certificate !== undefined && certificate !== 'invalid' && certificate.commonName !== '') {
      return toUser(certificate.commonName, certificate.organizations);
    }
    const token = toBearer(authorization);
    if (token === undefined) return certificate === undefined ? undefined : 'invalid'; // N1
    return findToken(known, token) ?? 'invalid';
  };
}

function toUser(name: string, groups: readonly string[]): UserInfo {
  return { name, groups: [...new Set([...groups, 'system:authenticated'])] };
}

function toBearer(header: string | undefined): string | undefined {
  const match = /^Bearer\s+(\S+)\s*$/i.exec(header ?? '');
  return match?.[1];
}

interface KnownToken {
  readonly hash: Buffer;
  readonly user: UserInfo;
}

function findToken(known: readonly KnownToken[], token: string): UserInfo | undefined {
  const hash = sha256(token);
  let found: UserInfo | undefined;
  for (const each of known) {
    if (timingSafeEqual(each.hash, hash)) found = each.user; // N2: no early exit
  }
  return found;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
