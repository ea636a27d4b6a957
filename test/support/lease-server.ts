// One Lease of an API server as badly as a network can bring it: requests and answers late or lost,
// watches that hear nothing while their client is cut off. For the election under a manual clock.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import type { KubeClient, WatchSink } from '../../common/runtime/kube-client.ts';

const callDeadlineMs = 10_000;

export interface LeaseClient {
  readonly kube: KubeClient;
  /** Nothing goes through, either way. */
  setCut(isCut: boolean): void;
  /** Whether it was ever told of the Lease. */
  hasLooked(): boolean;
}

export class LeaseServer {
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #watches = new Set<() => void>();
  #lease: KubeObject | undefined;
  #version = 1;
  #uid = 0;

  /** `delayMs`: of each message one way. */
  constructor(clock: Clock, delayMs: () => number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.recreate();
  }

  get holder(): string {
    return String((this.#lease?.spec as { holderIdentity?: string } | undefined)?.holderIdentity);
  }

  delete(): void {
    this.#put(undefined);
  }

  /** Empty, as a chart makes it. */
  recreate(): void {
    this.#uid += 1;
    this.#put({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'agent', namespace: 'x', uid: `u${this.#uid}` },
      spec: {},
    });
  }

  #put(lease: KubeObject | undefined): void {
    this.#version += 1;
    this.#lease =
      lease === undefined
        ? undefined
        : { ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.#version) } };
    for (const tell of this.#watches) tell();
  }

  #patch(patch: KubeObject): KubeObject {
    const known = this.#lease;
    if (known === undefined) throw new MeshError('fatal', 'KUBE_NOT_FOUND', 'no lease');
    const { resourceVersion, uid } = patch.metadata;
    if (resourceVersion !== known.metadata.resourceVersion || uid !== known.metadata.uid) {
      throw new MeshError('conflict', 'KUBE_CONFLICT', 'changed');
    }
    const annotations = { ...known.metadata.annotations, ...patch.metadata.annotations };
    this.#put({
      ...known,
      metadata: { ...known.metadata, annotations },
      spec: { ...known.spec, ...patch.spec },
    });
    return this.#lease ?? known;
  }

  #create(object: KubeObject): KubeObject {
    if (this.#lease !== undefined) throw new MeshError('conflict', 'KUBE_EXISTS', 'exists');
    this.#uid += 1;
    this.#put({ ...object, metadata: { ...object.metadata, uid: `u${this.#uid}` } });
    return this.#lease ?? object;
  }

  client(): LeaseClient {
    let isCut = false;
    let hasLooked = false;
    const watches = new Set<() => void>();
    const call = <T>(act: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        const late = new MeshError('retryable', 'KUBE_TIMEOUT', 'no answer');
        this.#clock.after(callDeadlineMs, () => reject(late));
        const travel = async (): Promise<void> => {
          if (isCut) return;
          await sleep(this.#clock, this.#delayMs());
          // What is on its way when the link is cut may still arrive.
          let answer: () => void;
          try {
            const value = act();
            answer = () => resolve(value);
          } catch (error) {
            answer = () => reject(error as Error);
          }
          await sleep(this.#clock, this.#delayMs());
          if (!isCut) answer();
        };
        void travel();
      });
    const watch = (sink: WatchSink): { cancel(): void } => {
      let isOver = false;
      let last = Promise.resolve();
      const tell = (): void => {
        const seen = this.#lease;
        last = last.then(async () => {
          await sleep(this.#clock, this.#delayMs());
          if (isCut || isOver) return;
          hasLooked = true;
          sink.onList(seen === undefined ? [] : [seen]);
        });
      };
      tell();
      this.#watches.add(tell);
      watches.add(tell);
      return {
        cancel: () => {
          isOver = true;
          this.#watches.delete(tell);
          watches.delete(tell);
        },
      };
    };
    const none = (): never => {
      throw new Error('not a call of the election');
    };
    return {
      setCut: (isNext) => {
        isCut = isNext;
        if (!isCut) for (const tell of watches) tell();
      },
      hasLooked: () => hasLooked,
      kube: {
        list: () => call(() => (this.#lease === undefined ? [] : [this.#lease])),
        create: (_path, object) => call(() => this.#create(object)),
        mergePatch: (_path, _name, patch) =>
          call(() => this.#patch(patch as unknown as KubeObject)),
        watch: (_path, sink) => watch(sink),
        get: none,
        apply: none,
        jsonPatch: none,
        delete: none,
        version: none,
        close: () => undefined,
      },
    };
  }
}
