// Trades the join token for a certificate. The token pins the federation's CA: the CA that the
// coordinator presents is compared with the pin before the token leaves this machine.

import { createHash } from 'node:crypto';
import { MeshError } from '../../common/pure/errors.ts';
import { certificateHash } from '../../common/runtime/certificates.ts';
import type { MeshDialer } from './mesh-port.ts';
import type { AgentRecord, Identity } from './record.ts';

export interface JoinInput {
  readonly dialer: MeshDialer;
  readonly record: AgentRecord;
  readonly cluster: string;
  readonly token: string;
  readonly agentVersion: string;
}

const deadlineMs = 10_000;

// Making requests needs the X.509 library, at the join and every two months; it would cost 16 MiB
// of every agent for all of its life.
function loadPki() {
  return import('../../common/runtime/pki.ts');
}

/** A request for a renewed certificate of a key that we have, in DER. */
export async function requestRenewal(of: {
  readonly commonName: string;
  readonly keyPem: string;
}): Promise<Uint8Array> {
  return (await loadPki()).createCsrForKey(of);
}

export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The identity joined with, on disk. Throws MeshError JOIN_REFUSED, TOKEN_INVALID, CA_MISMATCH. */
export async function join(input: JoinInput): Promise<Identity> {
  const { dialer, record, cluster, token } = input;
  const pin = /^isthmus\.v1\.[^.]+\.[^.]+\.([0-9a-f]{32})$/.exec(token)?.[1];
  if (pin === undefined) {
    throw new MeshError(
      'fatal',
      'TOKEN_INVALID',
      'the join token is not of the form isthmus.v1.NAME.SECRET.HASH',
    );
  }
  const { createCsr, createCsrForKey } = await loadPki();
  const caPem = await dialer.fetchCa(deadlineMs);
  if (!certificateHash(caPem).startsWith(pin)) {
    throw new MeshError(
      'fatal',
      'CA_MISMATCH',
      'the coordinator presents another CA than the one that the join token names: wrong address, ' +
        'an older token, or somebody in between',
    );
  }
  const known = record.identity();
  const isSameToken = known?.tokenHash === tokenHash(token) && known.certPem === undefined;
  const { csrDer, keyPem } = isSameToken
    ? {
        csrDer: await createCsrForKey({ commonName: cluster, keyPem: known.keyPem }),
        keyPem: known.keyPem,
      }
    : await createCsr({ commonName: cluster });
  const pending = { keyPem, certPem: undefined, caPem: undefined, tokenHash: tokenHash(token) };
  await record.writeIdentity(pending);
  const { agentVersion } = input;
  const answer = await dialer.join({ cluster, token, csrDer, agentVersion }, caPem, deadlineMs);
  const identity = { ...pending, certPem: answer.certificateChainPem, caPem: answer.caPem };
  await record.writeIdentity(identity);
  return identity;
}
