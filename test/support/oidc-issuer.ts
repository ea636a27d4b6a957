// An OpenID Connect issuer of the test's own, over https on the loopback address: discovery, keys
// that can be rotated, and tokens.

import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { systemClock } from '../../common/runtime/clock.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';

interface SigningKey {
  readonly id: string;
  readonly key: CryptoKey;
  readonly jwk: JWK;
}

export interface OidcIssuer {
  readonly url: string;
  readonly caPem: string;
  /** How often the keys were asked for. */
  keyRequests(): number;
  /** Signs with the newest key; `keyId` and `algorithm` for what a forger would do. */
  sign(claims: Readonly<Record<string, unknown>>, options?: SignOptions): Promise<string>;
  /**
   * From now on it gives tokens for a refresh token, which it takes once: the answer holds the next
   * one. `reused` lists those that came again.
   */
  grant(options: { readonly first: string; readonly idToken: () => Promise<string> }): {
    readonly count: () => number;
    readonly reused: readonly string[];
  };
  /** A new key; the former ones are published no longer. */
  rotate(): Promise<void>;
  /** Answers with this from now on, in place of what is right. */
  break(answer: { readonly status: number; readonly body: string } | undefined): void;
  close(): Promise<void>;
}

export interface SignOptions {
  readonly keyId?: string;
  /** Seconds from now; default 300. */
  readonly expiresIn?: number;
}

export async function startOidcIssuer(): Promise<OidcIssuer> {
  const common = { validDays: 1, clock: systemClock };
  const ca = await createCa({ ...common, commonName: 'issuer CA' });
  const { certPem, keyPem } = await issueServerCertificate({
    ...common,
    ca,
    commonName: 'issuer',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
  });
  let keys: readonly SigningKey[] = [await makeKey(1)];
  let made = 1;
  let requests = 0;
  let granting: ((refreshToken: string) => Promise<object | undefined>) | undefined;
  let broken: { readonly status: number; readonly body: string } | undefined;
  const server: Server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
    if (request.url === '/token') {
      let form = '';
      request.on('data', (chunk: Buffer) => (form += chunk.toString()));
      request.on('end', () => {
        const asked = new URLSearchParams(form).get('refresh_token') ?? '';
        void (granting?.(asked) ?? Promise.resolve(undefined)).then((tokens) => {
          response.writeHead(tokens === undefined ? 400 : 200);
          response.end(JSON.stringify(tokens ?? { error: 'invalid_grant' }));
        });
      });
      return;
    }
    const isOfKeys = request.url === '/keys';
    if (isOfKeys) requests += 1;
    const body = isOfKeys
      ? { keys: keys.map(({ jwk }) => jwk) }
      : { issuer: url, jwks_uri: `${url}/keys`, token_endpoint: `${url}/token` };
    response.writeHead(broken?.status ?? 200, { 'content-type': 'application/json' });
    response.end(broken?.body ?? JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const { port } = server.address() as AddressInfo; // a TCP listener
  const url = `https://127.0.0.1:${port}`;
  return {
    url,
    caPem: ca.certPem,
    keyRequests: () => requests,
    sign: (claims, options = {}) => {
      const newest = keys.at(-1);
      if (newest === undefined) throw new Error('no key');
      const seconds = Math.floor(systemClock.now() / 1000);
      return new SignJWT({
        iss: url,
        aud: 'isthmus',
        iat: seconds,
        exp: seconds + (options.expiresIn ?? 300),
        ...claims,
      })
        .setProtectedHeader({ alg: 'RS256', kid: options.keyId ?? newest.id })
        .sign(newest.key);
    },
    grant: ({ first, idToken }) => {
      const reused: string[] = [];
      let next = first;
      let count = 0;
      granting = async (refreshToken) => {
        if (refreshToken !== next) {
          reused.push(refreshToken);
          return undefined;
        }
        count += 1;
        next = `${first}-${count}`;
        return { id_token: await idToken(), refresh_token: next };
      };
      return { count: () => count, reused };
    },
    rotate: async () => {
      made += 1;
      keys = [await makeKey(made)];
    },
    break: (answer) => {
      broken = answer;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function makeKey(number: number): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const id = `key-${number}`;
  const jwk = { ...(await exportJWK(publicKey)), kid: id, alg: 'RS256', use: 'sig' };
  return { id, key: privateKey, jwk };
}
