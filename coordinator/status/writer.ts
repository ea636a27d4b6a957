// Writes one object's status: compare-and-set on the object, guarded by the term.
// Input: the object as read, its next status. Output: whether it was written; throws what the
// loop should try again.
//
//   I12. A deposed lease holder writes nothing: the term is the guard of each write.

import type { KubeObject } from '../../common/model/kube-object.ts';
import type { TermGuard } from '../../common/model/views.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Desired, StoredObject } from '../desired/store.ts';
import { doubtStatusWrite } from './audit.ts';

export type StatusOutcome = 'unchanged' | 'written' | 'again' | 'refused';

export interface StatusWriter {
  write(stored: StoredObject, status: object): Promise<StatusOutcome>;
}

export function createStatusWriter(options: {
  readonly desired: Desired;
  readonly term: TermGuard;
  readonly log: Log;
  readonly metrics: Metrics;
}): StatusWriter {
  const { desired, term, log, metrics } = options;

  const write = async (stored: StoredObject, status: object): Promise<StatusOutcome> => {
    const { key, object: before, revision } = stored;
    if (isSameJson(before.status ?? {}, status)) return 'unchanged';
    const object: KubeObject = { ...before, status };
    const doubt = doubtStatusWrite(before, object);
    if (doubt !== undefined) {
      log.error('status write refused by audit', { key, doubt });
      metrics.count('mesh_status_audit_refusals_total');
      return 'refused';
    }
    const outcome = await desired.write({ key, object, expected: revision, guard: term.guard() });
    metrics.count('mesh_status_writes_total', { outcome: outcome.kind });
    switch (outcome.kind) {
      case 'written':
        return 'written';
      case 'conflict':
        return 'again';
      case 'fenced':
        throw new MeshError('conflict', 'STATUS_FENCED', `a later coordinator writes ${key}`);
    }
  };

  return { write };
}
