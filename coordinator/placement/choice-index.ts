// Which of a policy's choices choose a cluster, for many clusters: names and labels of the choices
// are laid out once (X2 of label-selector-index.ts). Pure.
// Input: choices. Output: for a cluster, the places of those that choose it.
//
//   C3. The answer is that of isChosen for each choice alone.
//   C4. Clusters that the same choices choose are given the same list, so that what is made of it is
//       made once.

import type { Cluster, ClusterChoice } from '../../common/model/isthmus-kinds.ts';
import {
  indexSelectors,
  placesOf,
  setBit,
  type MatchBits,
} from '../../common/pure/label-selector-index.ts';
import { toRequirements } from './plan-choice.ts';

export interface ChoiceIndex {
  /** Rising; the same list for the same places (C4). */
  readonly places: (cluster: Cluster) => readonly number[];
  /** Labels that are looked up for each cluster. */
  readonly keys: number;
}

export function indexChoices(choices: readonly (ClusterChoice | undefined)[]): ChoiceIndex {
  const all = [...choices.keys()];
  if (choices.every((one) => !isChoosing(one))) return { places: () => all, keys: 0 };
  const selectors = indexSelectors(choices.map((one) => toRequirements(one?.clusterSelector)));
  const words = Math.ceil(choices.length / 32);
  const named = new Map<string, MatchBits>();
  /** Those that name no clusters leave all of them. */
  const unnamed = new Uint32Array(words);
  for (const [place, choice] of choices.entries()) {
    if (choice?.clusters === undefined) setBit(unnamed, place);
    for (const name of choice?.clusters ?? []) {
      const known = named.get(name) ?? new Uint32Array(words);
      setBit(known, place);
      named.set(name, known);
    }
  }
  const lists = new Map<string | number | undefined, readonly number[]>();
  const places = ({ metadata: { name, labels = {} } }: Cluster): readonly number[] => {
    const bits = selectors.match(labels);
    const byName = named.get(name);
    for (let word = 0; word < words; word += 1) {
      const leaves = (unnamed[word] ?? 0) | (byName?.[word] ?? 0);
      bits[word] = (bits[word] ?? 0) & leaves;
    }
    const text = words === 1 ? bits[0] : bits.join();
    const known = lists.get(text);
    if (known !== undefined) return known;
    const found = placesOf(bits);
    lists.set(text, found);
    return found;
  };
  return { places, keys: selectors.keys };
}

function isChoosing(choice: ClusterChoice | undefined): boolean {
  return choice?.clusters !== undefined || choice?.clusterSelector !== undefined;
}
