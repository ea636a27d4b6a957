// What a client shows to a NATS server: a certificate, and the proof that it has the key of its JWT.

import type { Nkey } from './nkeys.ts';

export interface BusTls {
  /** undefined: the public CAs that Node knows. */
  readonly caPem: string | undefined;
  readonly certPem: string;
  readonly keyPem: string;
}

/** A user JWT of NATS, and the key that it is for. */
export interface BusLogin {
  readonly jwt: string;
  readonly key: Pick<Nkey, 'publicKey' | 'sign'>;
}

interface SignedNonce {
  readonly jwt: string;
  readonly nkey: string;
  /** Base64url. */
  readonly sig: string;
}

/** Signs the server's nonce: what the package brings does that in plain JavaScript. */
export function toAuthenticator({ jwt, key }: BusLogin): (nonce?: string) => SignedNonce {
  return (nonce = '') => ({
    jwt,
    nkey: key.publicKey,
    sig: Buffer.from(key.sign(Buffer.from(nonce))).toString('base64url'),
  });
}
