// An object as readers see it: parsed at most once, encoded at most once, shared by all, and in one
// piece with the version before it as far as they are equal.

import type { LogKey, Revision } from '../../common/model/ids.ts';
import type { KubeObject, ObjectMeta } from '../../common/model/kube-object.ts';
import type { StoredObject } from './store.ts';

/** `object` carries any resourceVersion or none; the result carries `revision`. */
export function toStoredObject(key: LogKey, revision: Revision, object: KubeObject): StoredObject {
  const metadata = withRevision(object.metadata, String(revision));
  return new FrozenObject(key, revision, deepFreeze({ ...object, metadata }));
}

// A class, as a closure for each object would be three more objects on the heap of which there are
// as many as objects in the federation.
class FrozenObject implements StoredObject {
  readonly key: LogKey;
  readonly revision: Revision;
  readonly object: KubeObject;
  #encoded: Uint8Array | undefined;

  constructor(key: LogKey, revision: Revision, object: KubeObject) {
    this.key = key;
    this.revision = revision;
    this.object = object;
  }

  bytes(): Uint8Array {
    return (this.#encoded ??= Buffer.from(JSON.stringify(this.object), 'utf8'));
  }
}

/** In its place among the members: clients print them in the order in which they come. */
function withRevision(metadata: ObjectMeta, resourceVersion: string): ObjectMeta {
  const { name, generateName, namespace, uid, resourceVersion: _old, ...rest } = metadata;
  return {
    name,
    ...(generateName === undefined ? {} : { generateName }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    resourceVersion,
    ...rest,
  };
}

/** JSON bytes for the store: without the resourceVersion, which the revision says. */
export function toStoreValue(object: KubeObject): Uint8Array {
  return Buffer.from(JSON.stringify(withoutRevision(object)), 'utf8');
}

export function withoutRevision(object: KubeObject): KubeObject {
  const { resourceVersion: _dropped, ...metadata } = object.metadata;
  return { ...object, metadata };
}

export function parseStoreValue(value: Uint8Array): KubeObject {
  return JSON.parse(
    Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'),
  ) as KubeObject; // what toStoreValue() wrote
}

// Readers share objects; a reader that writes into one would change the truth of all others.
export function deepFreeze<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null) deepFreeze(member as object);
  }
  return value;
}
