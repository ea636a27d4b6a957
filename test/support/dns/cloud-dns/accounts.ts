// Service accounts of the double: a key file as Google gives it, and the token endpoint that checks
// what a client signs with it.

import { createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto';
import type { Clock } from '../../../../common/runtime/clock.ts';

const tokenMs = 3_600_000;
const scopes = [
  'https://www.googleapis.com/auth/ndev.clouddns.readwrite',
  'https://www.googleapis.com/auth/cloud-platform',
];

export type TokenAnswer =
  | { readonly status: 200; readonly body: object }
  | {
      readonly status: 400;
      readonly body: { readonly error: string; readonly error_description: string };
    };

// Generated once a process: a key takes half a second.
let pair: { readonly publicKey: string; readonly privateKey: string } | undefined;

export class Accounts {
  readonly #clock: Clock;
  readonly #tokens = new Map<string, number>();
  readonly email = 'isthmus@fixture.iam.gserviceaccount.com';
  #count = 0;
  /** Tokens that a signed JWT was given. */
  issued = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The JSON that `gcloud iam service-accounts keys create` writes. */
  keyFile(tokenUri: string): Readonly<Record<string, string>> {
    return {
      type: 'service_account',
      project_id: 'fixture',
      private_key_id: '1',
      private_key: keyPair().privateKey,
      client_email: this.email,
      client_id: '1',
      token_uri: tokenUri,
    };
  }

  /** As the owner of the account would have it from elsewhere. */
  issue(): string {
    this.#count += 1;
    const token = `ya29.token-${this.#count}`;
    this.#tokens.set(token, this.#clock.now() + tokenMs);
    return token;
  }

  accepts(authorization: string | undefined): boolean {
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '';
    return (this.#tokens.get(token) ?? 0) > this.#clock.now();
  }

  revokeAll(): void {
    this.#tokens.clear();
  }

  /** RFC 7523: a form with the signed assertion. */
  exchange(form: string): TokenAnswer {
    const fields = new URLSearchParams(form);
    const fault = findFault(fields.get('assertion') ?? '', this.email);
    if (fields.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      return refuse('unsupported_grant_type', 'Invalid grant_type');
    }
    if (fault !== undefined) return refuse('invalid_grant', fault);
    this.issued += 1;
    const body = { access_token: this.issue(), expires_in: tokenMs / 1000, token_type: 'Bearer' };
    return { status: 200, body };
  }
}

function refuse(error: string, description: string): TokenAnswer {
  return { status: 400, body: { error, error_description: description } };
}

function findFault(assertion: string, email: string): string | undefined {
  const [head = '', claims = '', signature = ''] = assertion.split('.');
  const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
  const key = createPublicKey(keyPair().publicKey);
  if (!verify.verify(key, Buffer.from(signature, 'base64url'))) return 'Invalid JWT Signature.';
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as {
    readonly iss?: string;
    readonly aud?: string;
    readonly scope?: string;
    readonly iat?: number;
    readonly exp?: number;
  };
  if (said.iss !== email) return 'Invalid grant: account not found';
  if (said.aud !== 'https://oauth2.googleapis.com/token') return 'Invalid JWT: wrong audience';
  if (!scopes.includes(said.scope ?? '')) return 'Invalid OAuth scope';
  if ((said.exp ?? 0) - (said.iat ?? 0) > tokenMs / 1000) return 'Invalid JWT: lasts too long';
  return undefined;
}

function keyPair(): { readonly publicKey: string; readonly privateKey: string } {
  pair ??= generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return pair;
}
