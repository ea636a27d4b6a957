// Receipts: each batch tells the agent, under our own signature, where our store stood. An agent
// that comes back with a receipt above our revision proves that the store went backwards.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { toRevision, type Revision } from '../../common/model/ids.ts';
import type { Receipt } from '../../common/model/session.ts';

export interface ReceiptKey {
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly storeId: string;
  readonly epoch: number;
}

export function signReceipt(by: ReceiptKey, revision: Revision): Receipt {
  const { storeId, epoch } = by;
  return { storeId, epoch, revision, mac: macOf(by.key, { storeId, epoch, revision }) };
}

export type ReceiptVerdict =
  /** Not ours, or none: says nothing. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'fine'; readonly revision: Revision }
  | { readonly kind: 'regressed'; readonly message: string };

export function checkReceipt(
  by: ReceiptKey,
  receipt: Receipt | undefined,
  current: Revision,
): ReceiptVerdict {
  if (receipt === undefined) return { kind: 'unknown' };
  const mac = macOf(by.key, receipt);
  if (mac.length !== receipt.mac.length || !timingSafeEqual(mac, receipt.mac))
    return { kind: 'unknown' };
  // Revisions of two stores cannot be compared; a restore keeps the id and raises the epoch.
  const isSameStore = receipt.storeId === by.storeId && receipt.epoch <= by.epoch;
  if (isSameStore && receipt.revision <= current)
    return { kind: 'fine', revision: toRevision(receipt.revision) };
  return {
    kind: 'regressed',
    message:
      `an agent holds revision ${receipt.revision} of store ${receipt.storeId}, but this store ` +
      `(${by.storeId}) stands at ${current}: it was replaced or rolled back. Restore the newer ` +
      'state, or remove and join the clusters again',
  };
}

function macOf(
  key: Uint8Array,
  { storeId, epoch, revision }: Pick<Receipt, 'storeId' | 'epoch' | 'revision'>,
): Buffer {
  return createHmac('sha256', key).update(`${storeId}\n${epoch}\n${revision}`).digest();
}
