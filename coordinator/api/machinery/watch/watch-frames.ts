// Watch events as bytes: newline-delimited JSON, in the form that the client asked for. An event
// is encoded once for all watchers who see it in one form.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { StoredObject, ViewEvent } from '../../../desired/store.ts';
import { toApiVersion, type AnswerOptions } from '../answer/answers.ts';
import { isPlain, toPartialMetadata, toRow, toTable } from '../answer/table.ts';
import type { MetaVersion } from '../request/negotiate.ts';
import type { ApiError } from '../answer/status-error.ts';

export type FrameType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Recently encoded events. Bounded; shared by all watches of one server. */
export interface FrameCache {
  /** `form` names everything but the object that the bytes depend on. */
  frame(stored: StoredObject, form: string, encode: () => Uint8Array): Uint8Array;
}

// One event reaches all watchers within a few turns; this holds several.
const framesMax = 512;
const frameBytesMax = 16 << 20;

export function createFrameCache(): FrameCache {
  const frames = new Map<string, Uint8Array>();
  let cachedBytes = 0;
  const trim = (): void => {
    for (const [name, bytes] of frames) {
      if (frames.size <= framesMax && cachedBytes <= frameBytesMax) return;
      frames.delete(name);
      cachedBytes -= bytes.length;
    }
  };
  return {
    frame: (stored, form, encode) => {
      const name = `${stored.key} ${stored.revision} ${form}`;
      const known = frames.get(name);
      if (known !== undefined) return known;
      const bytes = encode();
      frames.set(name, bytes);
      cachedBytes += bytes.length;
      trim();
      return bytes;
    },
  };
}

const frameEnd = Buffer.from('}\n');

const frameBegins = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
} as const;

function plainParts(type: FrameType, stored: StoredObject): readonly Uint8Array[] {
  return [frameBegins[type], stored.bytes(), frameEnd];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

export interface FrameEncoder {
  /** The parts of an object of the initial state: not cached, since each is sent once per watch. */
  initial(stored: StoredObject): readonly Uint8Array[];
  /** Undefined when the watcher's selectors saw neither side of the change. */
  event(event: ViewEvent): Uint8Array | undefined;
  bookmark(resourceVersion: string, isInitialEnd: boolean): Uint8Array;
}

export type Matches = ((object: KubeObject) => boolean) | undefined;

export function createFrameEncoder(
  options: AnswerOptions,
  matches: Matches,
  cache: FrameCache,
): FrameEncoder {
  const form = new FrameForm(options);
  return {
    initial: (stored) => form.toEncoder().toParts('ADDED', stored),
    event: (event) => {
      const change = toChange(event, matches);
      if (change === undefined) return undefined;
      const { type, object } = change;
      const encoder = form.toEncoder();
      if (object !== event.current.object) return encoder.encodeObject(type, object);
      const name = `${type} ${encoder.name}`;
      return cache.frame(event.current, name, () => joined(encoder.toParts(type, event.current)));
    },
    bookmark: (resourceVersion, isInitialEnd) =>
      form.toEncoder().encodeBookmark(resourceVersion, isInitialEnd),
  };
}

interface Change {
  readonly type: FrameType;
  readonly object: KubeObject;
}

/** What a change looks like through selectors. Pure. */
export function toChange(event: ViewEvent, matches: Matches): Change | undefined {
  const { current, previous } = event;
  const isChosen = (object: KubeObject): boolean => matches === undefined || matches(object);
  const was = previous !== undefined && isChosen(previous.object);
  const is = event.kind !== 'deleted' && isChosen(current.object);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: current.object };
  if (!was) return undefined;
  if (event.kind === 'deleted') return { type: 'DELETED', object: current.object };
  // It left the selection: the last state that was in it, at the revision at which it left.
  const resourceVersion = current.object.metadata.resourceVersion ?? '';
  const last = previous.object;
  return { type: 'DELETED', object: { ...last, metadata: { ...last.metadata, resourceVersion } } };
}

/** How one watcher wants its objects. Columns are described in its first event only. */
class FrameForm {
  readonly #options: AnswerOptions;
  #withColumns = true;

  constructor(options: AnswerOptions) {
    this.#options = options;
  }

  /** For the next frame. */
  toEncoder(): ObjectEncoder {
    const { form } = this.#options;
    if (isPlain(form)) return plainEncoder(this.#options);
    if (form.as !== 'Table') return metadataEncoder(this.#options);
    const withColumns = this.#withColumns;
    this.#withColumns = false;
    return tableEncoder(this.#options, withColumns);
  }
}

interface ObjectEncoder {
  /** Everything but the object and the type of the event that a frame depends on. */
  readonly name: string;
  readonly toParts: (type: FrameType, stored: StoredObject) => readonly Uint8Array[];
  readonly encodeObject: (type: FrameType, object: KubeObject) => Uint8Array;
  readonly encodeBookmark: (resourceVersion: string, isInitialEnd: boolean) => Uint8Array;
}

function plainEncoder({ kind }: AnswerOptions): ObjectEncoder {
  return {
    name: 'object',
    toParts: plainParts,
    encodeObject: encodeFrame,
    encodeBookmark: (...of) =>
      encodeFrame('BOOKMARK', {
        kind: kind.kind,
        apiVersion: toApiVersion(kind),
        metadata: toBookmarkMetadata(...of),
      }),
  };
}

function toBookmarkMetadata(resourceVersion: string, isInitialEnd: boolean): object {
  if (!isInitialEnd) return { resourceVersion };
  return { resourceVersion, annotations: { 'k8s.io/initial-events-end': 'true' } };
}

function metadataEncoder({ form: { metaVersion } }: AnswerOptions): ObjectEncoder {
  const encodeObject: ObjectEncoder['encodeObject'] = (type, object) =>
    encodeFrame(type, toPartialMetadata(object, metaVersion));
  return {
    name: `metadata ${metaVersion}`,
    toParts: (type, { object }) => [encodeObject(type, object)],
    encodeObject,
    encodeBookmark: (...of) =>
      encodeFrame('BOOKMARK', toPartial(toBookmarkMetadata(...of), metaVersion)),
  };
}

function toPartial(metadata: object, metaVersion: MetaVersion): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}`, metadata };
}

function tableEncoder(options: AnswerOptions, withColumns: boolean): ObjectEncoder {
  const { kind, includeObject } = options;
  const { metaVersion } = options.form;
  const nowMs = options.clock.now();
  const table = { kind, metaVersion, includeObject, nowMs, withColumns };
  const encodeObject: ObjectEncoder['encodeObject'] = (type, object) => {
    const meta = { resourceVersion: object.metadata.resourceVersion ?? '' };
    return encodeFrame(type, toTable([toRow(object, table)], meta, table));
  };
  return {
    // Ages are exact to the second.
    name: `table ${metaVersion} ${includeObject} ${withColumns} ${Math.floor(nowMs / 1000)}`,
    toParts: (type, { object }) => [encodeObject(type, object)],
    encodeObject,
    encodeBookmark: (resourceVersion, isInitialEnd) => {
      // A row as of an object with nothing in it: its metadata carry what the bookmark says.
      const bare = { kind: kind.kind, apiVersion: toApiVersion(kind), metadata: { name: '' } };
      const cells = kind.columns.map((column) => column.cell(bare, nowMs));
      const metadata = toBookmarkMetadata(resourceVersion, isInitialEnd);
      const object =
        includeObject === 'None' && !isInitialEnd ? null : toPartial(metadata, metaVersion);
      return encodeFrame('BOOKMARK', toTable([{ cells, object }], { resourceVersion }, table));
    },
  };
}

/** The last event of a watch that cannot go on. */
export function errorFrame(error: ApiError): Uint8Array {
  return encodeFrame('ERROR', error.status);
}

function encodeFrame(type: string, object: object): Uint8Array {
  return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
}
