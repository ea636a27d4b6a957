// The key that a zone's transfers are signed with (TSIG, RFC 8945), and what of an exchange is signed
// with it: answers, the messages of a transfer, NOTIFYs. Pure but for the memory of a stream's MAC.

import { toWireName } from '../../common/pure/dns-wire.ts';
import { signMessage, type TsigKey } from '../../common/pure/tsig.ts';
import type { EmbeddedZone } from './plan-zones.ts';

/** undefined: the zone has none, or its Secret does not have it yet. */
export function toTsigKey({ transferKey }: EmbeddedZone): TsigKey | undefined {
  const { name = '', algorithm = 'hmac-sha256', secret } = transferKey ?? {};
  const wire = toWireName(name);
  if (wire === undefined || secret === undefined) return undefined;
  return { name: wire, algorithm, secret: Buffer.from(secret, 'base64') };
}

/** Signs the messages of one answer, in their order; each of them (RFC 8945 5.3.1 lets 99 go by). */
export function createAnswerSigner(options: {
  readonly key: TsigKey;
  readonly requestMac: Uint8Array;
  readonly nowSeconds: () => number;
}): (message: Uint8Array) => Uint8Array {
  const { key, requestMac, nowSeconds } = options;
  let prior: { readonly mac: Uint8Array; readonly form: 'reply' | 'further' } = {
    mac: requestMac,
    form: 'reply',
  };
  return (message) => {
    const { bytes, mac } = signMessage(message, { key, atSeconds: nowSeconds(), prior });
    prior = { mac, form: 'further' };
    return bytes;
  };
}
