// Every kind that the federation serves.
import type { KindDefinition } from '../machinery/kind.ts';

export function federationKinds(_options: { readonly caHash: string }): readonly KindDefinition[] {
  return [];
}
