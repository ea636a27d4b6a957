// Objects, lists and errors as responses, in the form that the client asked for.
//
//   A1. An unchanged object is never encoded twice: plain JSON answers are the stored bytes, and
//       a list is those bytes joined.

import { stringify as toYaml } from 'yaml';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import type { StoredObject } from '../../../desired/store.ts';
import type { ApiResponse } from '../api.ts';
import type { KindDefinition } from '../kind.ts';
import type { AnswerForm } from '../request/negotiate.ts';
import { notAcceptable, type ApiError } from './status-error.ts';
import {
  isPlain,
  toPartialMetadata,
  toPartialMetadataList,
  toTable,
  type IncludeObject,
  type ListMeta,
} from './table.ts';

export interface AnswerOptions {
  readonly kind: KindDefinition;
  readonly form: AnswerForm;
  readonly isPretty: boolean;
  readonly includeObject: IncludeObject;
  readonly clock: Clock;
}

export const commonHeaders = { 'cache-control': 'no-cache, private' } as const;
const jsonHeaders = { ...commonHeaders, 'content-type': 'application/json' } as const;

/** An object as an answer; `bytes` when it stands in a view already. */
export function answerObject(
  status: number,
  answer: { readonly object: KubeObject; readonly bytes?: (() => Uint8Array) | undefined },
  options: AnswerOptions,
): ApiResponse {
  const { form } = options;
  if (isPlain(form) && !options.isPretty && answer.bytes !== undefined) {
    return { status, headers: jsonHeaders, body: answer.bytes() };
  }
  return encodeAnswer(status, toObjectForm(answer.object, options), options);
}

function toObjectForm(object: KubeObject, options: AnswerOptions): object {
  const { form } = options;
  const meta = { resourceVersion: object.metadata.resourceVersion ?? '' };
  switch (form.as) {
    case 'object':
      return object;
    case 'Table':
      return toTable([object], meta, tableOptions(options));
    case 'PartialObjectMetadata':
      return toPartialMetadata(object, form.metaVersion);
    case 'PartialObjectMetadataList':
      throw notAcceptable(
        'you requested PartialObjectMetadataList, but the requested object is not a list ' +
          `(*${options.kind.kind})`,
      );
  }
}

function tableOptions(options: AnswerOptions) {
  return {
    kind: options.kind,
    metaVersion: options.form.metaVersion,
    includeObject: options.includeObject,
    nowMs: options.clock.now(),
    withColumns: true,
  };
}

// Encoding some hundred fresh objects takes about a millisecond; then others get their turn (I11).
const encodePerTurn = 500;

/** A list of stored objects as an answer. */
export async function answerList(
  items: readonly StoredObject[],
  meta: ListMeta,
  options: AnswerOptions,
): Promise<ApiResponse> {
  const { form, kind } = options;
  if (form.as === 'PartialObjectMetadata') {
    throw notAcceptable(
      `you requested PartialObjectMetadata, but the requested object is a list (*${kind.kind}List)`,
    );
  }
  if (isPlain(form) && !options.isPretty) {
    const body = await joinList(items, listHead(kind, meta), options.clock);
    return { status: 200, headers: jsonHeaders, body };
  }
  const objects = items.map(({ object }) => object);
  switch (form.as) {
    case 'Table':
      return encodeAnswer(200, toTable(objects, meta, tableOptions(options)), options);
    case 'PartialObjectMetadataList':
      return encodeAnswer(200, toPartialMetadataList(objects, meta, form.metaVersion), options);
    case 'object':
      return encodeAnswer(200, { ...listHead(kind, meta), items: objects }, options);
  }
}

function listHead(kind: KindDefinition, meta: ListMeta): object {
  return { kind: `${kind.kind}List`, apiVersion: toApiVersion(kind), metadata: meta };
}

export function toApiVersion(kind: KindDefinition): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

async function joinList(
  items: readonly StoredObject[],
  head: object,
  clock: Clock,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)];
  for (const [index, item] of items.entries()) {
    if (index > 0) parts.push(comma);
    parts.push(item.bytes());
    if (index % encodePerTurn === encodePerTurn - 1) await turn(clock);
  }
  parts.push(listEnd);
  return Buffer.concat(parts);
}

const comma = Buffer.from(',');
const listEnd = Buffer.from(']}');

function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve));
}

/** Any value as JSON or YAML. */
export function encodeAnswer(
  status: number,
  value: object,
  options: { readonly form: AnswerForm; readonly isPretty: boolean },
): ApiResponse {
  if (options.form.format === 'yaml') {
    const headers = { ...commonHeaders, 'content-type': 'application/yaml' };
    // Aliases for repeated values would be legal YAML, and unreadable.
    return { status, headers, body: Buffer.from(toYaml(value, { aliasDuplicateObjects: false })) };
  }
  const text = options.isPretty
    ? `${JSON.stringify(value, undefined, 2)}\n`
    : JSON.stringify(value);
  return { status, headers: jsonHeaders, body: Buffer.from(text) };
}

/** An error's Status. Errors are always plain JSON. */
export function answerError(error: ApiError, isPretty = false): ApiResponse {
  const text = isPretty
    ? `${JSON.stringify(error.status, undefined, 2)}\n`
    : JSON.stringify(error.status);
  return {
    status: error.status.code,
    headers: { ...jsonHeaders, ...error.headers },
    body: Buffer.from(text),
  };
}

export function answerText(
  status: number,
  text: string,
  headers: ApiResponse['headers'] = {},
): ApiResponse {
  return {
    status,
    headers: { ...commonHeaders, 'content-type': 'text/plain; charset=utf-8', ...headers },
    body: Buffer.from(text),
  };
}

/** `?pretty=true`, and the tools that people type by hand. */
export function wantsPretty(query: URLSearchParams, userAgent: string | undefined): boolean {
  const asked = query.get('pretty');
  if (asked !== null) return asked !== 'false' && asked !== '0';
  return /^(curl|Wget|Mozilla\/5\.0)/.test(userAgent ?? '');
}

/** One Warning header per distinct text (RFC 9111 5.5 style, as Kubernetes writes them). */
export function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  if (warnings.length === 0) return response;
  const lines = [...new Set(warnings)].slice(0, warningsMax).map(toWarning);
  return { ...response, headers: { ...response.headers, warning: lines } };
}

// kube-apiserver truncates to 4 KiB in total; a header block has its bounds at every proxy.
const warningsMax = 32;
const warningCharactersMax = 256;

function toWarning(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?').slice(0, warningCharactersMax);
  return `299 - "${printable.replace(/["\\]/g, '\\$&')}"`;
}
