// Trades the join token for a certificate. The token pins the federation's CA: the CA that the
// coordinator presents is compared with the pin before the token leaves this machine. An agent
// whose certificate has ended asks with its key alone, of a coordinator that it trusts already.

import { createHash } from 'node:crypto';
import { MeshError } from '../../common/pure/errors.ts';
import { toReplacedKey } from '../../common/pure/replaced-key.ts';
import type { AgentPki } from './agent-pki.ts';
import type { MeshDialer } from './mesh-port.ts';
import type { AgentRecord, Identity } from './record.ts';

export interface JoinInput {
  readonly dialer: MeshDialer;
  readonly record: AgentRecord;
  readonly pki: AgentPki;
  readonly cluster: string;
  readonly agentVersion: string;
  /** For each answer. */
  readonly deadlineMs: number;
  /** Wall clock. */
  readonly nowMs: number;
}

export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/**
 * The identity joined with, on disk. Throws MeshError: fatal JOIN_REFUSED, TOKEN_INVALID,
 * CA_MISMATCH; retryable JOIN_WAITING (a person has to approve), COORDINATOR_UNREACHABLE,
 * IDENTITY_NOT_KEPT (another replica would not know the key).
 */
export async function join(input: JoinInput, token: string): Promise<Identity> {
  const { dialer, record, pki, cluster, deadlineMs } = input;
  const pin = /^isthmus\.v1\.[^.]+\.[^.]+\.([0-9a-f]{32})$/.exec(token)?.[1];
  if (pin === undefined) {
    throw new MeshError(
      'fatal',
      'TOKEN_INVALID',
      'the join token is not of the form isthmus.v1.NAME.SECRET.HASH',
    );
  }
  const presented = await dialer.fetchCa(pin, deadlineMs);
  const caPem = presented.find((pem) => pki.caHash(pem).startsWith(pin));
  if (caPem === undefined) throw mismatch(presented.map(pki.caHash), pin);
  const known = record.identity();
  const isSameToken = known?.tokenHash === tokenHash(token) && known.certPem === undefined;
  const { csrDer, keyPem } = isSameToken
    ? {
        csrDer: await pki.requestFor({ commonName: cluster, keyPem: known.keyPem }),
        keyPem: known.keyPem,
      }
    : await pki.createKey(cluster);
  const replacedKey = toReplacedKey(known);
  const pending: Identity = {
    keyPem,
    certPem: undefined,
    caPem: undefined,
    tokenHash: tokenHash(token),
    ...(replacedKey === undefined ? {} : { replacedKey }),
  };
  await record.writeIdentity(pending);
  return ask(input, { identity: pending, token, csrDer, caPem });
}

/** The same for a key that was in: with no token, and no new key. */
export async function askToReturn(input: JoinInput, identity: Identity): Promise<Identity> {
  const { pki, cluster } = input;
  const csrDer = await pki.requestFor({ commonName: cluster, keyPem: identity.keyPem });
  return ask(input, { identity, token: '', csrDer, caPem: identity.caPem ?? '' });
}

async function ask(
  { dialer, record, cluster, agentVersion, deadlineMs, nowMs }: JoinInput,
  of: {
    readonly identity: Identity;
    readonly token: string;
    readonly csrDer: Uint8Array;
    readonly caPem: string;
  },
): Promise<Identity> {
  const { identity, token, csrDer, caPem } = of;
  const request = { cluster, token, csrDer, agentVersion, clockUnixMs: nowMs };
  const answer = await dialer.join(request, caPem, deadlineMs);
  const joined = { ...identity, certPem: answer.certificateChainPem, caPem: answer.caPem };
  await record.writeIdentity(joined);
  return joined;
}

function mismatch(hashes: readonly string[], pin: string): MeshError {
  const presented = hashes.map((hash) => hash.slice(0, 16)).join(', ');
  return new MeshError(
    'fatal',
    'CA_MISMATCH',
    `the coordinator presents another CA (${presented}...) than the one that the join token names ` +
      `(${pin.slice(0, 16)}...): the wrong address, a token of another federation or from before ` +
      'its CA was replaced, or somebody in between. Nothing was sent; make a new token',
  );
}
