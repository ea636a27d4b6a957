// The order of a list after a strategic merge with `$setElementOrder`: patched items in the order
// that the client wants, the server's own items in their places relative to what was there.

import type { Json } from '../../../../common/model/kube-object.ts';
import { isList, isRecord, own } from '../schema/json-value.ts';
import { plainError } from '../answer/status-error.ts';

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
    while (next < served.length && isBefore(rankIn(known, served[next] ?? null), rank)) {
      result.push(served[next] ?? null);
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

/** Every item of the patch must stand in the wanted order. */
export function validateOrder(
  patch: readonly Json[],
  order: readonly Json[],
  key: string | undefined,
): void {
  const listed = toRanks(order, key);
  for (const item of patch) {
    if (isRecord(item) && own(item, '$patch') !== undefined) continue;
    if (listed.has(identityOf(item, key))) continue;
    throw plainError(
      `The order in patch list:\n${formatGo(patch)}\n doesn't match $setElementOrder list:\n` +
        `${formatGo(order)}\n`,
    );
  }
}

/** A value as Go's %v prints it: `map[name:zz]`. */
export function formatGo(value: Json | undefined): string {
  if (value === null || value === undefined) return '<nil>';
  if (isList(value)) return `[${value.map(formatGo).join(' ')}]`;
  if (!isRecord(value)) return String(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${members.map(([key, member]) => `${key}:${formatGo(member)}`).join(' ')}]`;
}
