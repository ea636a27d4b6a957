// The lease holder's term: a record written only on take-over, whose revision is the fence. With
// the embedded store there is one replica, which takes over at each start.

import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { TermGuard } from '../../common/model/views.ts';
import type { Desired } from './store.ts';

const key = toLogKey({ group: isthmusGroup, resource: 'terms', name: 'coordinator' });
const attemptsMax = 5;

export interface Term extends TermGuard {
  /** Counts take-overs, from 1. */
  readonly number: number;
}

/** I12: from now on a write guarded by an earlier term is fenced. */
export async function acquireTerm(options: {
  readonly desired: Desired;
  /** Names this replica's life, for people. */
  readonly holder: string;
}): Promise<Term> {
  const { desired, holder } = options;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const stored = desired.get(key);
    const last = (stored?.object.spec as { readonly number?: number } | undefined)?.number ?? 0;
    const number = last + 1;
    const object = {
      apiVersion: isthmusApiVersion,
      kind: 'Term',
      metadata: { name: 'coordinator' },
      spec: { holder, number },
    };
    const outcome = await desired.write({
      key,
      object,
      expected: stored?.revision ?? toRevision(0),
    });
    if (outcome.kind === 'written') {
      const guard = { key, revision: outcome.stored.revision };
      return { number, guard: () => guard };
    }
  }
  throw new MeshError('retryable', 'TERM_CONTENDED', 'another replica keeps taking the term');
}
