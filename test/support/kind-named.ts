// A served kind by its name, for tests that need its schema.

import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import type { KindDefinition } from '../../coordinator/api/machinery/kind.ts';

export function kindNamed(name: string): KindDefinition {
  const found = federationKinds({ caHash: 'none' }).find(({ kind }) => kind === name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}
