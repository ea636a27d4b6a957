// Which Service has which short name, kept up by the ServicePolicies' events.
//
//   R1. Of several Services that want one name the one whose policy is oldest has it, then the first
//       by namespace and name of the policy: what works is not taken by what comes later.
//   R2. A policy that another one of its Service overrules wants nothing.

import { toServiceKey, type ServiceKey } from '../../../common/model/ids.ts';
import type { DnsAlias, ServicePolicy } from '../../../common/model/isthmus-kinds.ts';
import type { ViewEvent } from '../../desired/store.ts';
import type { AliasesInput } from './input.ts';

export interface AliasRegistry {
  /** Services whose short names may be others now, sorted. */
  fold(event: ViewEvent): readonly ServiceKey[];
  of(key: ServiceKey): AliasesInput;
}

interface Wish {
  /** Creation, then namespace and name: the smallest counts. */
  readonly rank: string;
  readonly key: ServiceKey;
  readonly aliases: readonly DnsAlias[];
}

const nothing: AliasesInput = { granted: [], refused: [] };

export function createAliasRegistry(): AliasRegistry {
  const wishes = new Map<string, Wish>();
  const ofService = new Map<ServiceKey, Set<Wish>>();
  const ofName = new Map<string, Set<Wish>>();

  const add = (id: string, wish: Wish): void => {
    wishes.set(id, wish);
    addTo(ofService, wish.key, wish);
    for (const { name } of wish.aliases) addTo(ofName, name, wish);
  };
  const remove = (id: string): Wish | undefined => {
    const wish = wishes.get(id);
    if (wish === undefined) return undefined;
    wishes.delete(id);
    removeFrom(ofService, wish.key, wish);
    for (const { name } of wish.aliases) removeFrom(ofName, name, wish);
    return wish;
  };
  /** R2. */
  const governs = (wish: Wish): boolean => first(ofService.get(wish.key)) === wish;
  const winner = (name: string): Wish | undefined =>
    first([...(ofName.get(name) ?? [])].filter(governs));

  return {
    fold: ({ kind, current }) => {
      const before = remove(current.key);
      const after =
        kind === 'deleted' ? undefined : toWish(current.key, current.object as ServicePolicy);
      if (after !== undefined) add(current.key, after);
      // With a policy the one that governs its Service may change, and so what all of them want.
      const keys = [before, after].flatMap((wish) => (wish === undefined ? [] : [wish.key]));
      const names = [before, after, ...keys.flatMap((key) => [...(ofService.get(key) ?? [])])]
        .flatMap((wish) => wish?.aliases ?? [])
        .map(({ name }) => name);
      const rivals = names.flatMap((name) => [...(ofName.get(name) ?? [])].map(({ key }) => key));
      return names.length === 0 ? [] : [...new Set([...keys, ...rivals])].sort();
    },
    of: (key) => {
      const wish = first(ofService.get(key));
      if (wish === undefined || wish.aliases.length === 0) return nothing;
      const decided = wish.aliases.map((alias) => ({ alias, by: winner(alias.name)?.key ?? key }));
      return {
        granted: decided.filter(({ by }) => by === key).map(({ alias }) => alias),
        refused: decided
          .filter(({ by }) => by !== key)
          .map(({ alias: { name }, by }) => ({ name, by })),
      };
    },
  };
}

function toWish(id: string, { metadata, spec }: ServicePolicy): Wish | undefined {
  const { namespace = '', creationTimestamp = '' } = metadata;
  const name = spec?.serviceName;
  if (name === undefined) return undefined;
  return {
    rank: `${creationTimestamp} ${id}`,
    key: toServiceKey({ namespace, name }),
    aliases: spec?.dns?.aliases ?? [],
  };
}

function first(wishes: Iterable<Wish> | undefined): Wish | undefined {
  let found: Wish | undefined;
  for (const wish of wishes ?? []) {
    if (found === undefined || wish.rank < found.rank) found = wish;
  }
  return found;
}

function addTo<K>(all: Map<K, Set<Wish>>, at: K, wish: Wish): void {
  const known = all.get(at);
  if (known === undefined) all.set(at, new Set([wish]));
  else known.add(wish);
}

function removeFrom<K>(all: Map<K, Set<Wish>>, at: K, wish: Wish): void {
  const known = all.get(at);
  if (known?.delete(wish) === true && known.size === 0) all.delete(at);
}
