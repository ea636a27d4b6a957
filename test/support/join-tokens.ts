// JoinTokens written past the API, as the API would have stored them.

import { createHash } from 'node:crypto';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import {
  isthmusApiVersion,
  isthmusGroup,
  type JoinToken,
} from '../../common/model/isthmus-kinds.ts';
import { certificateHash, type KeyPairPem } from '../../common/runtime/certificates.ts';
import { systemClock as clock, toTimestamp } from '../../common/runtime/clock.ts';
import type { Desired } from '../../coordinator/desired/store.ts';

export interface TokenOptions {
  readonly name?: string;
  readonly cluster?: string;
  readonly expiresInMs?: number;
  readonly approval?: 'Automatic' | 'Manual';
}

let tokens = 0;

/** Its text. */
export async function makeToken(
  desired: Desired,
  ca: KeyPairPem,
  { name, cluster, approval, expiresInMs = 3_600_000 }: TokenOptions = {},
): Promise<string> {
  tokens += 1;
  const tokenName = name ?? `token-${tokens}`;
  const secret = `secret-of-${tokenName}-0123456789`;
  const object: JoinToken = {
    apiVersion: isthmusApiVersion,
    kind: 'JoinToken',
    metadata: { name: tokenName, uid: `uid-${tokenName}` },
    spec: {
      ...(cluster === undefined ? {} : { cluster }),
      ...(approval === undefined ? {} : { approval }),
    },
    status: {
      tokenHash: createHash('sha256').update(secret).digest('hex'),
      expirationTimestamp: toTimestamp(clock.now() + expiresInMs),
    },
  };
  await desired.write({
    key: toLogKey({ group: isthmusGroup, resource: 'jointokens', name: tokenName }),
    object,
    expected: toRevision(0),
  });
  return `isthmus.v1.${tokenName}.${secret}.${certificateHash(ca.certPem).slice(0, 32)}`;
}
