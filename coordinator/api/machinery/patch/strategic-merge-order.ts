// The order of a list after a strategic merge: patched items in the order that the client wants,
// the server's own items in their places relative to what was there.

import type { Json } from '../../../../common/model/kube-object.ts';
import { isRecord, own } from '../schema/json-value.ts';
import { plainError } from '../answer/status-error.ts';
import { formatGo, goTypeName } from '../schema/format-go.ts';

/** An item's identity as text: a member of it, or (without a key) the scalar itself. */
export function identityOf(item: Json, key?: string): string {
  if (key === undefined) return JSON.stringify(item);
  return JSON.stringify(isRecord(item) ? (own(item, key) ?? null) : null);
}

export function orderItems(
  lists: {
    readonly merged: readonly Json[];
    readonly order: readonly Json[];
    readonly before: readonly Json[];
  },
  key: string | undefined,
): readonly Json[] {
  const wanted = toRanks(lists.order, key);
  const known = toRanks(lists.before, key);
  const rankIn = (ranks: ReadonlyMap<string, number>, item: Json): number =>
    ranks.get(identityOf(item, key)) ?? -1;
  const patched = lists.merged.filter((item) => rankIn(wanted, item) >= 0);
  const served = lists.merged.filter((item) => rankIn(wanted, item) < 0);
  patched.sort((a, b) => rankIn(wanted, a) - rankIn(wanted, b));
  served.sort((a, b) => rankIn(known, a) - rankIn(known, b));
  const result: Json[] = [];
  let next = 0;
  for (const item of patched) {
    const rank = rankIn(known, item);
    // The server's own items keep their places before what they stood before.
    for (let own = served[next]; own !== undefined; own = served[next]) {
      if (!isBefore(rankIn(known, own), rank)) break;
      result.push(own);
      next += 1;
    }
    result.push(item);
  }
  return [...result, ...served.slice(next)];
}

function isBefore(rank: number, other: number): boolean {
  return rank >= 0 && other >= 0 && rank < other;
}

function toRanks(list: readonly Json[], key: string | undefined): ReadonlyMap<string, number> {
  // Of equal keys the first counts.
  return new Map(list.map((item, index) => [identityOf(item, key), index] as const).toReversed());
}

/** The patch's items must stand in the wanted order, one after the other. */
export function validateOrder(
  patch: readonly Json[],
  order: readonly Json[],
  key: string | undefined,
): void {
  if (patch.length === 0 || order.length === 0) return;
  const items =
    key === undefined
      ? patch
      : patch.filter((item) => !(isRecord(item) && own(item, '$patch') !== undefined));
  let next = 0;
  for (const wanted of order) {
    const item = items[next];
    if (item === undefined) return;
    if (key !== undefined) {
      requireKey(item, key);
      requireKey(wanted, key);
    }
    if (identityOf(item, key) === identityOf(wanted, key)) next += 1;
  }
  if (next >= items.length) return;
  throw plainError(
    `The order in patch list:\n${formatGo(patch)}\n doesn't match $setElementOrder list:\n` +
      `${formatGo(order)}\n`,
  );
}

function requireKey(item: Json, key: string): void {
  if (!isRecord(item)) throw badType('map[string]interface {}', item);
  if (own(item, key) === undefined) throw missingKey(item, key);
}

export function missingKey(item: Json, key: string): Error {
  return plainError(`map: ${formatGo(item)} does not contain declared merge key: ${key}`);
}

export function badType(expected: string, found: Json): Error {
  return plainError(`expected a ${expected}, but received a ${goTypeName(found)}`);
}
