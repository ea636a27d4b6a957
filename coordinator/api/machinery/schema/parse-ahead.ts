// A body as JSON. Large ones are parsed in slices, with a turn for everybody else between them,
// before the code that decodes them at one go; that code then gets what was parsed.

import { badRequest, tooLargeBecause } from '../answer/status-error.ts';
import {
  JsonBudgetError,
  JsonParser,
  JsonSyntaxError,
  parseJsonStrict,
  type ParsedJson,
} from './json-strict.ts';

// Below this a body is parsed in a millisecond or two, however many values it has.
const aheadFromBytes = 8 * 1024;
// Some 2 ms.
const valuesPerSlice = 2_000;

/** Undefined for what is small, or no JSON: whoever decodes it parses it, and says what is wrong. */
export async function parseAhead(
  bytes: Uint8Array,
  turn: () => Promise<void>,
): Promise<ParsedJson | undefined> {
  if (bytes.length < aheadFromBytes || (bytes[0] !== 0x7b && bytes[0] !== 0x5b)) return undefined;
  const parser = new JsonParser(toText(bytes));
  try {
    while (!parser.run(valuesPerSlice)) await turn();
    return parser.result();
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw refuseBudget(error);
  }
}

/** Throws what `refuse` makes of Go's words for a text that is no JSON; 413 for too many values. */
export function parseJsonBody(bytes: Uint8Array, refuse: (problem: string) => Error): ParsedJson {
  try {
    return parseJsonStrict(toText(bytes));
  } catch (error) {
    throw error instanceof JsonSyntaxError ? refuse(error.message) : refuseBudget(error);
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
