// By what agent and coordinator see that a login to NATS is the same on both sides, so that an agent
// that comes back is not sent it again. Pure. Input: a user JWT, or what would be signed of one.
// Output: a digest of issuer, user key, permissions, limits and times.
//
// The signature is left out: it follows from the rest and the issuer's key (RFC 8032 5.1.6: Ed25519
// draws no chance), so the coordinator compares without signing what a peer proposes, and without a
// memory of what it signed: also after a restart, when all agents come back at once.

import { hash } from 'node:crypto';
import type { HeldNatsLogin } from '../model/session.ts';

const digestBytes = 16;

/** Of `header.claims`, the part of a JWT that is signed. */
export function loginDigest(signedPart: string): Uint8Array {
  return hash('sha256', signedPart, 'buffer').subarray(0, digestBytes);
}

/** Undefined for what is no JWT with both times: it is held, but cannot be told of. */
export function describeLogin(jwt: string): HeldNatsLogin | undefined {
  const end = jwt.lastIndexOf('.');
  const [, claims = ''] = jwt.split('.', 2);
  const { iat, exp } = parseClaims(claims);
  if (end < 0 || !isSeconds(iat) || !isSeconds(exp)) return undefined;
  const digest = loginDigest(jwt.slice(0, end));
  return { digest, issuedAtSeconds: iat, expiresAtSeconds: exp };
}

function parseClaims(part: string): { readonly iat?: unknown; readonly exp?: unknown } {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
