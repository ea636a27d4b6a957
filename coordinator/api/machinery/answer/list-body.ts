// Lists as bytes, in any form: a head, then the items one after the other, in slices that each
// take a short turn of the event loop (I11). A short list becomes one body, a long one a stream.
//
//   A1. An object is encoded once: the items of a plain JSON list are cut from the stored bytes.

import { stringify as toYaml } from 'yaml';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { restOf } from '../../../../common/runtime/rest.ts';
import type { StoredObject } from '../../../desired/store.ts';
import type { ApiResponse, BodySink, StreamBody } from '../api.ts';
import type { KindDefinition } from '../kind.ts';
import { notAcceptable } from './status-error.ts';
import { writeParts } from './write-parts.ts';
import {
  headersOf,
  isCustom,
  toApiVersion,
  toGoType,
  toTableOptions,
  writeYamlItem,
  type AnswerOptions,
} from './answers.ts';
import { toColumnDefinitions, toPartialMetadata, toRow, type ListMeta } from './table.ts';

/** Where the items come from, slice by slice. Slices may be empty; undefined is the end. */
export interface ItemSource {
  next(): readonly StoredObject[] | undefined;
  /** Safe to call twice. */
  close(): void;
}

/** A source of what is at hand already. */
export function fromItems(items: readonly StoredObject[]): ItemSource {
  let at = 0;
  return {
    next: () => {
      const slice = items.slice(at, at + sliceItems);
      at += sliceItems;
      return slice.length === 0 ? undefined : slice;
    },
    close: () => undefined,
  };
}

const sliceItems = 100;

// As long as kube-apiserver's --request-timeout; then a stalled client's snapshot is let go.
const streamMs = 60_000;
// What is shorter is one body; kube-apiserver compresses from here on.
const wholeBytesMax = 128 * 1024;

/** The whole list, or when it is long a stream of it. Closes `source` in the end. */
export async function answerList(
  source: ItemSource,
  meta: ListMeta,
  options: AnswerOptions & { readonly isGone: () => boolean },
): Promise<ApiResponse> {
  const writing = toWriting(toShape(meta, options), options);
  const pieces = encodePieces(source, writing, options.clock);
  const headers = headersOf(options.form);
  const held: (readonly Uint8Array[])[] = [];
  let heldBytes = 0;
  while (heldBytes <= wholeBytesMax) {
    const { done, value } = await pieces.next();
    if (done === true) return { status: 200, headers, body: Buffer.concat(held.flat()) };
    held.push(value);
    heldBytes += value.reduce((sum, { length }) => sum + length, 0);
  }
  const timer = options.clock.after(streamMs, () => source.close());
  const { isGone } = options;
  const stream: ListStream = { held, pieces, isGone, end: () => timer.cancel() };
  const start = (sink: BodySink): void => void sendPieces(stream, options.clock, sink);
  return { status: 200, headers, body: { isList: true, start } satisfies StreamBody };
}

interface ListStream {
  readonly held: readonly (readonly Uint8Array[])[];
  readonly pieces: AsyncGenerator<readonly Uint8Array[]>;
  readonly isGone: () => boolean;
  readonly end: () => void;
}

// The transport may hold this much before the list waits for it.
const highWaterBytes = 1 << 18;

/** Never rejects: what fails is broken off. */
async function sendPieces(
  { held, pieces, isGone, end }: ListStream,
  clock: Clock,
  sink: BodySink,
): Promise<void> {
  const breakOff = (): void => (sink.fail === undefined ? sink.end() : sink.fail());
  const timer = clock.after(streamMs, breakOff);
  try {
    for (const piece of held) writeParts(sink, piece);
    for await (const piece of pieces) {
      if (sink.bufferedBytes() > highWaterBytes) await sink.drained();
      if (isGone()) return;
      writeParts(sink, piece);
    }
    sink.end();
  } catch {
    breakOff();
  } finally {
    timer.cancel();
    end();
  }
}

const pieceBytes = 1 << 16;

async function* encodePieces(
  source: ItemSource,
  writing: Writing,
  clock: Clock,
): AsyncGenerator<readonly Uint8Array[], void> {
  const parts: Uint8Array[] = [];
  const put = (text: string): void => void parts.push(Buffer.from(text));
  let isFirst = true;
  let bytes = 0;
  const rest = restOf(clock); // one for all lists, and all else (I11)
  try {
    for (let slice = source.next(); slice !== undefined; slice = source.next()) {
      for (const stored of slice) {
        put(isFirst ? writing.begin : writing.between);
        isFirst = false;
        bytes += writing.item(stored, parts);
        if (bytes >= pieceBytes) {
          yield parts.splice(0);
          bytes = 0;
        }
        const later = rest();
        if (later !== undefined) await later;
      }
      await rest(); // also when nothing matched
    }
    put(isFirst ? writing.empty : writing.end);
    yield parts;
  } finally {
    source.close();
  }
}

/** What a list consists of: everything but the items, and how one of them is written. */
interface ListShape {
  readonly head: Readonly<Record<string, unknown>>;
  readonly field: 'items' | 'rows';
  readonly toItem: (object: KubeObject) => object;
  /** Bytes of one item, when they are at hand, without the brace that it begins with. */
  readonly toBytes?: (stored: StoredObject) => Uint8Array;
}

function toShape(meta: ListMeta, options: AnswerOptions): ListShape {
  const { kind, form } = options;
  const metaApi = `meta.k8s.io/${form.metaVersion}`;
  switch (form.as) {
    case 'PartialObjectMetadata':
      throw notAcceptable(
        'you requested PartialObjectMetadata, but the requested object is a list ' +
          `(${toGoType(kind, 'List')})`,
      );
    case 'PartialObjectMetadataList':
      return {
        head: { kind: 'PartialObjectMetadataList', apiVersion: metaApi, metadata: meta },
        field: 'items',
        toItem: (object) => toPartialMetadata(object, form.metaVersion),
      };
    case 'Table': {
      const table = toTableOptions(options);
      const columnDefinitions = toColumnDefinitions(kind);
      return {
        head: { kind: 'Table', apiVersion: metaApi, metadata: meta, columnDefinitions },
        field: 'rows',
        toItem: (object) => toRow(object, table),
      };
    }
    case 'object':
      return {
        head: { kind: `${kind.kind}List`, apiVersion: toApiVersion(kind), metadata: meta },
        field: 'items',
        toItem: isCustom(kind) ? (object) => object : withoutType,
        toBytes: isCustom(kind) ? (stored) => stored.bytes().subarray(1) : createItemCutter(kind),
      };
  }
}

/** Items of built-in kinds carry no kind and apiVersion; the list says them. */
function withoutType({ kind: _kind, apiVersion: _apiVersion, ...rest }: KubeObject): object {
  return rest;
}

/** Cuts kind and apiVersion off the stored bytes, which nearly always begin with them. */
function createItemCutter(kind: KindDefinition): (stored: StoredObject) => Uint8Array {
  const [name, version] = [JSON.stringify(kind.kind), JSON.stringify(toApiVersion(kind))];
  const heads = [
    Buffer.from(`{"kind":${name},"apiVersion":${version},`),
    Buffer.from(`{"apiVersion":${version},"kind":${name},`),
  ];
  return (stored) => {
    const bytes = stored.bytes();
    const head = heads.find((each) => each.equals(bytes.subarray(0, each.length)));
    if (head !== undefined) return bytes.subarray(head.length);
    return Buffer.from(JSON.stringify(withoutType(stored.object))).subarray(1);
  };
}

interface Writing {
  readonly begin: string;
  readonly between: string;
  readonly end: string;
  /** Instead of all three when there are no items. */
  readonly empty: string;
  /** Adds one item and returns its length in bytes. */
  readonly item: (stored: StoredObject, parts: Uint8Array[]) => number;
}

function toWriting(shape: ListShape, options: AnswerOptions): Writing {
  const { head, field, toItem, toBytes } = shape;
  if (options.form.format === 'yaml') {
    return {
      begin: `${toYaml(head, yamlOptions)}${field}:\n`,
      between: '',
      end: '',
      empty: `${toYaml(head, yamlOptions)}${field}: []\n`,
      item: ({ object }, parts) => push(parts, writeYamlItem(toItem(object))),
    };
  }
  if (options.isPretty) {
    const begin = `${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  "${field}": [`;
    return {
      begin: `${begin}\n    `,
      between: ',\n    ',
      end: '\n  ]\n}\n',
      empty: `${begin}]\n}\n`,
      item: ({ object }, parts) => {
        const text = JSON.stringify(toItem(object), undefined, 2);
        return push(parts, text.replaceAll('\n', '\n    '));
      },
    };
  }
  const begin = `${JSON.stringify(head).slice(0, -1)},"${field}":[`;
  const item: Writing['item'] =
    toBytes === undefined
      ? ({ object }, parts) => push(parts, JSON.stringify(toItem(object)))
      : (stored, parts) => {
          const bytes = toBytes(stored);
          parts.push(openBrace, bytes);
          return bytes.length + 1;
        };
  return { begin, between: ',', end: ']}', empty: `${begin}]}`, item };
}

const openBrace = Buffer.from('{');

function push(parts: Uint8Array[], text: string): number {
  const bytes = Buffer.from(text);
  parts.push(bytes);
  return bytes.length;
}

// Aliases for repeated values would be legal YAML, and unreadable.
const yamlOptions = { aliasDuplicateObjects: false, sortMapEntries: true, indentSeq: false };
