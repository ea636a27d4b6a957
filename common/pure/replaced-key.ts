// How an agent's replicas know which of two keys came later, by no clock: a new key names the key of
// the certificate that it takes the place of. Input and output: identities as their record has them.

import { createHash } from 'node:crypto';

interface KnownKey {
  readonly keyPem: string | undefined;
  readonly certPem?: string | undefined;
  readonly replacedKey?: string | undefined;
}

/** What a new key says of the identity in whose place it asks; hex SHA-256. */
export function toReplacedKey(known: KnownKey | undefined): string | undefined {
  const hasCertificate = known?.certPem !== undefined && known.keyPem !== undefined;
  return hasCertificate ? hashKey(known.keyPem) : known?.replacedKey;
}

/** Whether this key began to ask in the place of that certificate. */
export function hasReplaced(asking: KnownKey, former: KnownKey): boolean {
  if (asking.certPem !== undefined || former.certPem === undefined) return false;
  return former.keyPem !== undefined && asking.replacedKey === hashKey(former.keyPem);
}

function hashKey(keyPem: string): string {
  return createHash('sha256').update(keyPem).digest('hex');
}
