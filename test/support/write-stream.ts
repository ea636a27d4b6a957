// A stream of writes as a client makes them, and the record of what was acknowledged.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { sleep, systemClock as clock } from '../../common/runtime/clock.ts';
import type { KubeClient, ResourcePath } from '../../common/runtime/kube-client.ts';

export const configMaps: ResourcePath = {
  apiVersion: 'v1',
  plural: 'configmaps',
  namespace: 'default',
};

interface ConfigMap extends KubeObject {
  readonly data?: { readonly name?: string };
}

export interface WriteStream {
  /** resourceVersion of each acknowledged create, by name, in order. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** Writes that failed or whose answer was lost: they may be there or not. */
  failed(): number;
  /** Resolves when `count` more writes have been acknowledged. */
  next(count: number): Promise<void>;
  stop(): Promise<void>;
}

export interface WriteOptions {
  /** Filling of each object, in bytes. */
  readonly fillingBytes?: number;
  /** Resolves when the next write may go out: keeps a reader in step, however slow the machine. */
  readonly pace?: (acknowledged: number) => Promise<void>;
}

const pauseMs = 50;

/** `writers` clients create ConfigMaps `<prefix>-N` one after the other. */
export function startWrites(
  kube: KubeClient,
  prefix: string,
  writers: number,
  { fillingBytes = 0, pace }: WriteOptions = {},
): WriteStream {
  const acknowledged = new Map<string, string>();
  const life = { isStopped: false };
  let failed = 0;
  let count = 0;
  const write = async (): Promise<void> => {
    while (!life.isStopped) {
      await pace?.(acknowledged.size);
      count += 1;
      const name = `${prefix}-${count}`;
      const object: ConfigMap = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'default' },
        data: { name, ...(fillingBytes > 0 ? { filling: 'x'.repeat(fillingBytes) } : {}) },
      };
      try {
        const { metadata } = await kube.create(configMaps, object);
        acknowledged.set(name, metadata.resourceVersion ?? '');
      } catch {
        failed += 1;
        await sleep(clock, pauseMs);
      }
    }
  };
  const done = Promise.all(Array.from({ length: writers }, write));
  return {
    acknowledged,
    failed: () => failed,
    next: async (more) => {
      const wanted = acknowledged.size + more;
      while (acknowledged.size < wanted) await sleep(clock, 2);
    },
    stop: async () => {
      life.isStopped = true;
      await done;
    },
  };
}

/** Acknowledged writes that are not there as they were acknowledged. */
export async function lostWrites(
  kube: KubeClient,
  acknowledged: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const found = new Map(
    (await kube.list(configMaps)).map(({ metadata, data }: ConfigMap) => [
      metadata.name,
      data?.name === metadata.name ? metadata.resourceVersion : 'other data',
    ]),
  );
  return [...acknowledged]
    .filter(([name, version]) => found.get(name) !== version)
    .map(
      ([name, version]) =>
        `${name}: acknowledged ${version}, found ${found.get(name) ?? 'nothing'}`,
    );
}

export interface Followed {
  /** resourceVersion of each object, by name, as the watch tells it. */
  readonly seen: ReadonlyMap<string, string>;
  /** Events that came twice or out of order within one watch. */
  readonly disorder: readonly string[];
  cancel(): void;
}

/** A client that lists, watches, and begins anew when it must (I1). */
export function followConfigMaps(kube: KubeClient): Followed {
  const seen = new Map<string, string>();
  const disorder: string[] = [];
  let last = 0;
  const note = ({ metadata }: KubeObject): void => {
    seen.set(metadata.name, metadata.resourceVersion ?? '');
  };
  const watch = kube.watch(configMaps, {
    onList: (objects) => {
      seen.clear();
      for (const object of objects) note(object);
      last = 0;
    },
    onEvent: (type, object) => {
      const version = Number(object.metadata.resourceVersion);
      if (version <= last) disorder.push(`${object.metadata.name} ${version} after ${last}`);
      last = version;
      if (type === 'DELETED') seen.delete(object.metadata.name);
      else note(object);
    },
    onError: () => undefined,
  });
  return { seen, disorder, cancel: () => watch.cancel() };
}
