// Watch events as bytes: newline-delimited JSON. A plain event is encoded once and its bytes are
// shared by every watcher; tables, being for people, are encoded for each.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { StoredObject, ViewEvent } from '../../../desired/store.ts';
import { toApiVersion, type AnswerOptions } from '../answer/answers.ts';
import { isPlain, toPartialMetadata, toTable } from '../answer/table.ts';
import type { ApiError } from '../answer/status-error.ts';

export type FrameType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Recently encoded plain events. Bounded; shared by all watches of one server. */
export interface FrameCache {
  frame(type: FrameType, stored: StoredObject): Uint8Array;
}

// One batch of the log reaches all watchers before the next; this holds several batches.
const framesMax = 512;
const frameBytesMax = 16 << 20;

export function createFrameCache(): FrameCache {
  const frames = new Map<StoredObject, { readonly type: FrameType; readonly bytes: Uint8Array }>();
  let cachedBytes = 0;
  const trim = (): void => {
    for (const [stored, { bytes }] of frames) {
      if (frames.size <= framesMax && cachedBytes <= frameBytesMax) return;
      frames.delete(stored);
      cachedBytes -= bytes.length;
    }
  };
  return {
    frame: (type, stored) => {
      const known = frames.get(stored);
      if (known !== undefined && known.type === type) return known.bytes;
      const bytes = plainFrame(type, stored);
      frames.set(stored, { type, bytes });
      cachedBytes += bytes.length - (known?.bytes.length ?? 0);
      trim();
      return bytes;
    },
  };
}

const frameEnd = Buffer.from('}\n');

function plainFrame(type: FrameType, stored: StoredObject): Uint8Array {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), stored.bytes(), frameEnd]);
}

export interface FrameEncoder {
  /** An object of the initial state: not cached, since each is sent once per watch. */
  initial(stored: StoredObject): Uint8Array;
  /** Undefined when the watcher's selectors saw neither side of the change. */
  event(event: ViewEvent): Uint8Array | undefined;
  bookmark(resourceVersion: string, isInitialEnd: boolean): Uint8Array;
}

export function createFrameEncoder(
  options: AnswerOptions,
  matches: (object: KubeObject) => boolean,
  cache: FrameCache,
): FrameEncoder {
  const toBytes = isPlain(options.form) ? undefined : createFormEncoder(options);
  return {
    initial: (stored) =>
      toBytes === undefined ? plainFrame('ADDED', stored) : toBytes('ADDED', stored.object),
    event: (event) => {
      const change = toChange(event, matches);
      if (change === undefined) return undefined;
      if (toBytes !== undefined) return toBytes(change.type, change.object);
      return change.object === event.current.object
        ? cache.frame(change.type, event.current)
        : encodeFrame(change.type, change.object);
    },
    bookmark: (resourceVersion, isInitialEnd) => {
      const object = toBookmark(options, resourceVersion, isInitialEnd);
      return encodeFrame('BOOKMARK', object);
    },
  };
}

interface Change {
  readonly type: FrameType;
  readonly object: KubeObject;
}

/** What a change looks like through selectors. Pure. */
export function toChange(
  event: ViewEvent,
  matches: (object: KubeObject) => boolean,
): Change | undefined {
  const { current, previous } = event;
  const was = previous !== undefined && matches(previous.object);
  const is = event.kind !== 'deleted' && matches(current.object);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: current.object };
  if (!was) return undefined;
  if (event.kind === 'deleted') return { type: 'DELETED', object: current.object };
  // It left the selection: the last state that was in it, at the revision at which it left.
  const resourceVersion = current.object.metadata.resourceVersion ?? '';
  const last = previous.object;
  return { type: 'DELETED', object: { ...last, metadata: { ...last.metadata, resourceVersion } } };
}

/** Encodes events as tables or metadata. Columns are described in the first event only. */
function createFormEncoder(
  options: AnswerOptions,
): (type: FrameType, object: KubeObject) => Uint8Array {
  const { form, kind, includeObject, clock } = options;
  let withColumns = true;
  return (type, object) => {
    if (form.as !== 'Table') return encodeFrame(type, toPartialMetadata(object, form.metaVersion));
    const meta = { resourceVersion: object.metadata.resourceVersion ?? '' };
    const { metaVersion } = form;
    const table = { kind, metaVersion, includeObject, nowMs: clock.now(), withColumns };
    withColumns = false;
    return encodeFrame(type, toTable([object], meta, table));
  };
}

function toBookmark(
  options: AnswerOptions,
  resourceVersion: string,
  isInitialEnd: boolean,
): object {
  const { form, kind } = options;
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const metadata = { resourceVersion, creationTimestamp: null, ...annotations };
  const metaApi = `meta.k8s.io/${form.metaVersion}`;
  switch (form.as) {
    case 'Table':
      return {
        kind: 'Table',
        apiVersion: metaApi,
        metadata: { resourceVersion },
        columnDefinitions: null,
        rows: [],
      };
    case 'object':
      return { kind: kind.kind, apiVersion: toApiVersion(kind), metadata };
    default:
      return { kind: 'PartialObjectMetadata', apiVersion: metaApi, metadata };
  }
}

/** The last event of a watch that cannot go on. */
export function errorFrame(error: ApiError): Uint8Array {
  return encodeFrame('ERROR', error.status);
}

function encodeFrame(type: string, object: object): Uint8Array {
  return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
}
