// What the claims of an ID token say of its holder, once its signature is known to be good. Pure.
//
// Source: OpenID Connect Core 1.0, 3.1.3.7, and the options of kube-apiserver's --oidc-*.
//
//   C1. Every doubt is a refusal, and says which claim it is about, never its value.

import type { UserInfo } from '../machinery/access/access.ts';

export interface OidcOptions {
  /** As the tokens' `iss` says it, and where discovery begins: https. */
  readonly issuer: string;
  /** A token for any of them is for us. */
  readonly audiences: readonly string[];
  readonly usernameClaim: string;
  /** Before each name; `-` is none. Undefined: the issuer and #, but for e-mail addresses. */
  readonly usernamePrefix: string | undefined;
  readonly groupsClaim: string | undefined;
  readonly groupsPrefix: string;
  /** Claims that must have exactly these texts. */
  readonly requiredClaims: Readonly<Record<string, string>>;
  /** Signature algorithms that are believed. */
  readonly algorithms: readonly string[];
}

/** How far the issuer's clock and ours may differ. */
export const clockSkewSeconds = 30;

export type Claims = Readonly<Record<string, unknown>>;

export type ClaimsVerdict =
  | { readonly user: UserInfo; readonly expiresMs: number }
  | { readonly refused: string };

export function readClaims(claims: Claims, options: OidcOptions, nowMs: number): ClaimsVerdict {
  const refused = checkValidity(claims, options, nowMs) ?? checkRequired(claims, options);
  if (refused !== undefined) return { refused };
  const name = readName(claims, options);
  if (typeof name !== 'string') return name;
  const groups = readGroups(claims, options);
  if ('refused' in groups) return groups;
  const taken = [name, ...groups.names].find(isReserved);
  if (taken !== undefined)
    return { refused: 'a name or group is one that the server keeps for itself' };
  if ([name, ...groups.names].some(isUnprintable)) {
    return { refused: 'a name or group holds a control character' };
  }
  return { user: { name, groups: groups.names }, expiresMs: Number(claims['exp']) * 1000 };
}

/**
 * What Kubernetes keeps for itself, no issuer may say: it would be a way to system:masters. Nor
 * what clusters are called by their certificates.
 */
function isReserved(name: string): boolean {
  return name.startsWith('system:') || /^isthmus:clusters?(:|$)/.test(name);
}

/** Such a name could look like another in a log, or in what a program makes of it. */
function isUnprintable(name: string): boolean {
  return /\p{Cc}/u.test(name);
}

function checkValidity(claims: Claims, options: OidcOptions, nowMs: number): string | undefined {
  const { iss, aud, exp, nbf } = claims;
  if (iss !== options.issuer) return 'iss is another issuer';
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (!audiences.some((each) => typeof each === 'string' && options.audiences.includes(each))) {
    return 'aud does not name us';
  }
  const nowSeconds = nowMs / 1000;
  if (typeof exp !== 'number') return 'exp is missing';
  if (exp + clockSkewSeconds <= nowSeconds) return 'exp is over';
  if (nbf !== undefined && typeof nbf !== 'number') return 'nbf is no number';
  if (nbf !== undefined && nbf - clockSkewSeconds > nowSeconds) return 'nbf is still to come';
  return undefined;
}

function checkRequired(claims: Claims, options: OidcOptions): string | undefined {
  for (const [claim, value] of Object.entries(options.requiredClaims)) {
    if (own(claims, claim) !== value) return `${claim} is not what is required`;
  }
  return undefined;
}

function own(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function readName(claims: Claims, options: OidcOptions): string | { readonly refused: string } {
  const { usernameClaim, usernamePrefix, issuer } = options;
  const name = own(claims, usernameClaim);
  if (typeof name !== 'string' || name === '') return { refused: `${usernameClaim} is no name` };
  if (usernameClaim === 'email') {
    const verified = own(claims, 'email_verified');
    if (verified !== undefined && verified !== true) {
      return { refused: 'email_verified is not true' };
    }
  }
  if (usernamePrefix === '-') return name;
  if (usernamePrefix !== undefined) return `${usernamePrefix}${name}`;
  return usernameClaim === 'email' ? name : `${issuer}#${name}`;
}

function readGroups(
  claims: Claims,
  { groupsClaim, groupsPrefix }: OidcOptions,
): { readonly names: readonly string[] } | { readonly refused: string } {
  const given = groupsClaim === undefined ? undefined : own(claims, groupsClaim);
  if (given === undefined) return { names: [] };
  const names: readonly unknown[] = Array.isArray(given) ? given : [given];
  const texts = names.flatMap((name) => (typeof name === 'string' ? [name] : []));
  if (texts.length !== names.length) return { refused: `${groupsClaim} is no list of names` };
  return { names: texts.map((name) => `${groupsPrefix}${name}`) };
}
