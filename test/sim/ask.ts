// A client's one request to the federation's API: an answer within its patience, or none.

import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { SimCoordinator } from './sim-coordinator.ts';

export interface Answer {
  readonly status: number;
  readonly object: Partial<KubeObject> & { readonly items?: readonly KubeObject[] };
}

export interface Asking {
  readonly coordinator: SimCoordinator;
  readonly clock: Clock;
}

const patienceMs = 12_000;

/** Undefined when nobody answered in time. */
export async function ask(
  { coordinator, clock }: Asking,
  request: {
    readonly method: string;
    readonly target: string;
    readonly body?: object | undefined;
    readonly contentType?: string;
  },
): Promise<Answer | undefined> {
  const abort = new AbortController();
  const answer = await new Promise<Awaited<ReturnType<SimCoordinator['handle']>>>((resolve) => {
    const timer = clock.after(patienceMs, () => {
      abort.abort();
      resolve(undefined);
    });
    const contentType = request.method === 'PATCH' ? 'application/merge-patch+json' : undefined;
    const typed = contentType === undefined ? request : { contentType, ...request };
    void coordinator.handle({ ...typed, signal: abort.signal }).then((given) => {
      timer.cancel();
      resolve(given);
    });
  });
  if (answer === undefined || !(answer.body instanceof Uint8Array)) return undefined;
  const text = Buffer.from(answer.body).toString('utf8');
  return { status: answer.status, object: JSON.parse(text) as Answer['object'] };
}
