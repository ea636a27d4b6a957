// What a write takes from a pool before it is validated, and how the pool learns of its end: the
// BeginCreate, BeginUpdate and FinishFunc of Kubernetes' registry.

import type { LogKey, Revision } from '../../../common/model/ids.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import { ApiError } from './answer/status-error.ts';

/** Another key of the log that must stand at this revision when the write is stored. */
export interface Fence {
  readonly key: LogKey;
  readonly revision: Revision;
}

/** An object with what it was given, which is held for it until the write has ended. */
export interface Allocated {
  readonly object: KubeObject;
  /** Once. False: the store did not say whether the write took effect. */
  readonly settle: (isKnown: boolean) => void;
  readonly fence?: Fence | undefined;
}

/** Nothing was taken. */
export function unallocated(object: KubeObject): Allocated {
  return { object, settle: () => undefined };
}

/** Runs the rest of a write and tells the pool of its end, also of a refused one. */
export async function settleAfter<T>(allocated: Allocated, rest: () => Promise<T>): Promise<T> {
  let isKnown = true;
  try {
    return await rest();
  } catch (error) {
    isKnown = error instanceof ApiError;
    throw error;
  } finally {
    allocated.settle(isKnown);
  }
}
