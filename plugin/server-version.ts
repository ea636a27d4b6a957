// The versions that a federation says it has: of the Kubernetes API that it serves, and its own.

import { textAt } from './output.ts';
import type { Federation } from './federation.ts';

export interface ServerVersion {
  /** `v1.34.0`. */
  readonly kubernetes: string;
  /** `0.1.0`; empty when the server is no federation. */
  readonly isthmus: string;
}

export async function readServerVersion(federation: Federation): Promise<ServerVersion> {
  const text = textAt(await federation.get('/version'), 'gitVersion');
  const [kubernetes = '', own = ''] = text.split('+');
  return { kubernetes, isthmus: own.startsWith('isthmus.') ? own.slice('isthmus.'.length) : '' };
}
