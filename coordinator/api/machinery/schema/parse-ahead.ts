// What is long is read before the code that decodes a body at one go: JSON in slices, with a turn
// for everybody else between them; YAML, whose library cannot be paused, by whoever reads it
// elsewhere (ReadYaml). The code that decodes then gets what was read, or why it could not be.
//
//   P1. What was read ahead is what would be read at one go, the error included.
//   P2. Nothing long is read twice.

import type { Rest } from '../../../../common/runtime/rest.ts';
import { badRequest, tooLargeBecause } from '../answer/status-error.ts';
import {
  JsonBudgetError,
  JsonParser,
  JsonSyntaxError,
  parseJsonStrict,
  type ParsedJson,
} from './json-strict.ts';
import { parseYamlBody, refuseLong, YamlSyntaxError, type ParsedYaml } from './yaml-body.ts';

/** What a body is written in: `apply` is JSON where it can be, else YAML. */
export type BodyFormat = 'json' | 'yaml' | 'apply';

/**
 * Reads YAML where it holds up nobody. Rejects with a YamlSyntaxError, or with an ApiError: 413
 * for what is too much, 429 when too many wait.
 */
export type ReadYaml = (text: string) => Promise<ParsedYaml>;

/** What was read of a body; a format that is missing is read where it is decoded. */
export interface ParsedAhead {
  readonly json?: ParsedJson | JsonSyntaxError;
  readonly yaml?: ParsedYaml | YamlSyntaxError;
}

/** Below this a body is parsed in a millisecond or two, however many values it has. */
export const aheadFromBytes = 8 * 1024;
/** YAML takes fifteen times as long. */
export const yamlAheadFromBytes = 1024;
// A millisecond or two.
const valuesPerSlice = 1_000;

/** Undefined for what is small. Throws an ApiError for what is too much. */
export async function parseAhead(
  body: { readonly bytes: Uint8Array; readonly format: BodyFormat },
  rest: Rest,
  readYaml: ReadYaml = readHere,
): Promise<ParsedAhead | undefined> {
  const { bytes, format } = body;
  if (bytes.length < (format === 'json' ? aheadFromBytes : yamlAheadFromBytes)) return undefined;
  const text = toText(bytes);
  const readElsewhere = (): Promise<ParsedYaml | YamlSyntaxError> => {
    refuseLong(text);
    return orYamlError(readYaml(text));
  };
  if (format === 'yaml') return { yaml: await readElsewhere() };
  if (format === 'apply' && !startsJson(text)) return { yaml: await readElsewhere() };
  const json = await readJson(text, rest);
  if (format === 'json' || isWhole(json)) return { json };
  return { json, yaml: await readElsewhere() };
}

// A promise, also of a fault.
function readHere(text: string): Promise<ParsedYaml> {
  return new Promise((resolve) => {
    resolve(parseYamlBody(text));
  });
}

/** Whether a configuration that is applied is looked at as JSON first. */
export function startsJson(text: string): boolean {
  return /^\s*\{/.test(text);
}

/** JSON that needs no second look: duplicate keys are named as YAML's parser does. */
export function isWhole(json: ParsedJson | JsonSyntaxError): json is ParsedJson {
  return !(json instanceof JsonSyntaxError) && json.duplicates.length === 0;
}

async function readJson(text: string, rest: Rest): Promise<ParsedJson | JsonSyntaxError> {
  const parser = new JsonParser(text);
  try {
    while (!parser.run(valuesPerSlice)) await rest();
    return parser.result();
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error;
    throw refuseBudget(error);
  }
}

async function orYamlError(reading: Promise<ParsedYaml>): Promise<ParsedYaml | YamlSyntaxError> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof YamlSyntaxError) return error;
    throw error;
  }
}

/** A body as JSON. Throws JsonSyntaxError; 413 for too many values. */
export function toParsedJson(bytes: Uint8Array, ahead: ParsedAhead | undefined): ParsedJson {
  if (ahead?.json instanceof JsonSyntaxError) throw ahead.json;
  if (ahead?.json !== undefined) return ahead.json;
  try {
    return parseJsonStrict(toText(bytes));
  } catch (error) {
    throw refuseBudget(error);
  }
}

/** A body as YAML. Throws YamlSyntaxError; 413 for what is too much. */
export function toParsedYaml(bytes: Uint8Array, ahead: ParsedAhead | undefined): ParsedYaml {
  if (ahead?.yaml instanceof YamlSyntaxError) throw ahead.yaml;
  return ahead?.yaml ?? parseYamlBody(toText(bytes));
}

/** Throws what `refuse` makes of Go's words for a text that is no JSON; 413 for too many values. */
export function parseJsonBody(
  bytes: Uint8Array,
  refuse: (problem: string) => Error,
  ahead?: ParsedAhead,
): ParsedJson {
  try {
    return toParsedJson(bytes, ahead);
  } catch (error) {
    throw error instanceof JsonSyntaxError ? refuse(error.message) : error;
  }
}

/** As most patches refuse what is no JSON. */
export function refuseWith(head: string): (problem: string) => Error {
  return (problem) => badRequest(`${head}${problem}`);
}

function refuseBudget(error: unknown): unknown {
  return error instanceof JsonBudgetError ? tooLargeBecause(error.message) : error;
}

/** A byte order mark stays: to Go it is no JSON. */
export function toText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
