// Continue tokens of lists: which revision the pages show and after which key the next begins.
// Opaque to clients. Pure.

import { badRequest } from '../answer/status-error.ts';

export interface ContinueToken {
  /** 0: an inconsistent continuation, answered from the present. */
  readonly revision: number;
  readonly afterKey: string;
}

export function formatContinue(token: ContinueToken): string {
  const json = JSON.stringify({ v: 'isthmus/v1', rv: token.revision, after: token.afterKey });
  return Buffer.from(json).toString('base64url');
}

const tokenCharactersMax = 4096;

/** Throws 400 for anything that formatContinue did not make. */
export function parseContinue(text: string): ContinueToken {
  const token = text.length > tokenCharactersMax ? undefined : decode(text);
  if (token === undefined) {
    throw badRequest('invalid continue token: continue key is not valid: unrecognized token');
  }
  return token;
}

function decode(text: string): ContinueToken | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(value));
  const rv = fields['rv'];
  const after = fields['after'];
  if (fields['v'] !== 'isthmus/v1' || typeof rv !== 'number' || typeof after !== 'string')
    return undefined;
  return Number.isSafeInteger(rv) && rv >= 0 ? { revision: rv, afterKey: after } : undefined;
}
