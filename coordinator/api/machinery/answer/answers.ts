// Objects and errors as responses, in the form that the client asked for. Lists: list-body.ts.
//
//   A1. An unchanged object is never encoded twice: plain JSON answers are the stored bytes.

import { stringify as toYaml } from 'yaml';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import type { ApiResponse } from '../api.ts';
import type { KindDefinition } from '../kind.ts';
import type { AnswerForm } from '../request/negotiate.ts';
import { notAcceptable, type ApiError } from './status-error.ts';
import {
  isPlain,
  toPartialMetadata,
  toRow,
  toTable,
  type IncludeObject,
  type TableOptions,
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
const yamlHeaders = { ...commonHeaders, 'content-type': 'application/yaml' } as const;

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
    case 'Table': {
      const table = toTableOptions(options);
      return toTable([toRow(object, table)], meta, table);
    }
    case 'PartialObjectMetadata':
      return toPartialMetadata(object, form.metaVersion);
    case 'PartialObjectMetadataList':
      throw notAcceptable(
        'you requested PartialObjectMetadataList, but the requested object is not a list ' +
          `(${toGoType(options.kind, '')})`,
      );
  }
}

export function toTableOptions(options: AnswerOptions): TableOptions {
  const { kind, form, includeObject, clock } = options;
  const { metaVersion } = form;
  return { kind, metaVersion, includeObject, nowMs: clock.now(), withColumns: true };
}

/** A kind that behaves as one defined by clients: its lists and refusals differ in form. */
export function isCustom(kind: KindDefinition): boolean {
  return !kind.allowsStrategicMerge;
}

/** As Go names the type of an answer, which kube-apiserver's refusals show. */
export function toGoType(kind: KindDefinition, suffix: '' | 'List'): string {
  if (isCustom(kind)) return `*unstructured.Unstructured${suffix}`;
  const group = kind.group === '' ? 'core' : (kind.group.split('.', 1)[0] ?? '');
  return `*${group}.${kind.kind}${suffix}`;
}

export function toApiVersion(kind: KindDefinition): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** Any value as JSON or YAML. */
export function encodeAnswer(
  status: number,
  value: object,
  options: { readonly form: AnswerForm; readonly isPretty: boolean },
): ApiResponse {
  const headers = headersOf(options.form);
  if (options.form.format === 'yaml') {
    return { status, headers, body: Buffer.from(writeYaml(value)) };
  }
  const text = options.isPretty
    ? `${JSON.stringify(value, undefined, 2)}\n`
    : JSON.stringify(value);
  return { status, headers, body: Buffer.from(text) };
}

/**
 * YAML in kube-apiserver's style; a long value as JSON on one line, which is YAML too: the library
 * takes most of a second for a megabyte, at one go, and everybody else waits (I11).
 */
function writeYaml(value: object): string {
  const long = toLongText(value);
  return long === undefined ? toYaml(value, yamlStyle) : `${long}\n`;
}

/** The same as an item of a list. */
export function writeYamlItem(item: object): string {
  const long = toLongText(item);
  return long === undefined ? toYaml([item], yamlStyle) : `- ${long}\n`;
}

function toLongText(value: object): string | undefined {
  const json = JSON.stringify(value);
  return json.length > yamlCharactersMax ? json : undefined;
}

const yamlCharactersMax = 32 * 1024;

// As kube-apiserver writes it. Aliases for repeated values would be legal YAML, and unreadable.
const yamlStyle = { aliasDuplicateObjects: false, sortMapEntries: true, indentSeq: false };

export function headersOf({ format }: AnswerForm): ApiResponse['headers'] {
  return format === 'json' ? jsonHeaders : yamlHeaders;
}

/** An error's Status. Errors are always plain JSON. */
export function answerError(error: ApiError, isPretty = false): ApiResponse {
  const text = isPretty
    ? `${JSON.stringify(error.status, undefined, 2)}\n`
    : JSON.stringify(error.status);
  const headers = { ...jsonHeaders, ...error.headers };
  const response = { status: error.status.code, headers, body: Buffer.from(text) };
  return withWarnings(response, error.warnings);
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
  const asked = query.get('pretty') ?? '';
  if (asked !== '') return /^(1|t|T|TRUE|true|True)$/.test(asked); // Go's ParseBool
  return /^(curl|Wget|Mozilla\/5\.0)/.test(userAgent ?? '');
}

/** One Warning header per distinct text (RFC 9111 5.5 style, as Kubernetes writes them). */
export function withWarnings(response: ApiResponse, warnings: readonly string[]): ApiResponse {
  if (warnings.length === 0) return response;
  const given = [response.headers['warning'] ?? []].flat();
  const lines = [...new Set([...given, ...warnings.map(toWarning)])].slice(0, warningsMax);
  return { ...response, headers: { ...response.headers, warning: lines } };
}

// kube-apiserver truncates to 4 KiB in total; a header block has its bounds at every proxy.
const warningsMax = 32;
const warningCharactersMax = 256;

function toWarning(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?').slice(0, warningCharactersMax);
  return `299 - "${printable.replace(/["\\]/g, '\\$&')}"`;
}
