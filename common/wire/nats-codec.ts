// How an agent logs in to NATS, in Hello, Welcome and renewals: model <-> proto/mesh.proto.

import type { HeldNatsLogin, NatsKey, NatsLogin, NatsTrust } from '../model/session.ts';
import type { Plain } from './proto-types.ts';
import { readBytes, readFlag, readNumber, readOptionalMessage, readText } from './read.ts';

// Ours are of some 1.2 KB; the bound of nats-server for its whole CONNECT line is as this.
const userJwtMax = 4096;
// Several CAs, for a while in which they are exchanged.
const natsCasMax = 256 * 1024;

export function toNatsTrustPlain(trust: NatsTrust | undefined): Plain {
  if (trust === undefined) return {};
  return trust.kind === 'cas' ? { natsCaPem: trust.caPem } : { natsPublicCas: true };
}

export function readNatsTrust(body: Plain): NatsTrust | undefined {
  if (readFlag(body, 'natsPublicCas')) return { kind: 'publicCas' };
  const caPem = readText(body, 'natsCaPem', natsCasMax);
  return caPem === '' ? undefined : { kind: 'cas', caPem };
}

export function readNatsKey(plain: Plain): NatsKey {
  return { publicKey: readText(plain, 'publicKey', 64), proof: readBytes(plain, 'proof', 64) };
}

/** Any length is read: a digest that is none of ours is like none. */
export function readHeldLogin(hello: Plain): { readonly heldNatsLogin?: HeldNatsLogin } {
  const plain = readOptionalMessage(hello, 'heldNatsLogin');
  if (plain === undefined) return {};
  return {
    heldNatsLogin: {
      digest: readBytes(plain, 'digest', 64),
      issuedAtSeconds: readNumber(plain, 'issuedAtSeconds'),
      expiresAtSeconds: readNumber(plain, 'expiresAtSeconds'),
    },
  };
}

export function toNatsLoginPlain(login: NatsLogin): Plain {
  const { kind: _kind, ...body } = login;
  return body;
}

export function readNatsLogin(plain: Plain): NatsLogin {
  const userJwt = readText(plain, 'userJwt', userJwtMax);
  if (userJwt !== '') {
    return { kind: 'granted', userJwt, lifeSeconds: readNumber(plain, 'lifeSeconds') };
  }
  const reason = readText(plain, 'reason', 256);
  return { kind: 'refused', reason, message: readText(plain, 'message') };
}
