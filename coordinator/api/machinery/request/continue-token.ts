// Continue tokens of lists: which revision the pages show and after which key the next begins.
// Opaque to clients, and in kube-apiserver's form, so that its refusals fit. Pure.

import { badRequest } from '../answer/status-error.ts';

export interface ContinueToken {
  /** undefined: an inconsistent continuation, answered from the present. */
  readonly revision: number | undefined;
  /** The last key of the page before, without the list's prefix. */
  readonly afterKey: string;
}

const version = 'meta.k8s.io/v1';
// In the token of an inconsistent continuation; 0 would be that of a token without a revision.
const present = -1;

export function formatContinue({ revision = present, afterKey }: ContinueToken): string {
  const json = JSON.stringify({ v: version, rv: revision, start: `${afterKey}\u0000` });
  return Buffer.from(json).toString('base64url');
}

const tokenCharactersMax = 4096;

/** Throws 400 for anything that formatContinue did not make. */
export function parseContinue(text: string): ContinueToken {
  const { v, rv, start } = decode(text);
  if (v !== version)
    refuse(`server does not recognize this encoded version ${typeof v === 'string' ? v : ''}`);
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0) {
    refuse(`incorrect encoded start resourceVersion (version ${version})`);
  }
  if (typeof start !== 'string' || start === '') {
    refuse(`encoded start key empty (version ${version})`);
  }
  // A key that is not in its plainest form could mean one outside of the list.
  if (/(^|\/)\.{0,2}(\/|$)/.test(start)) refuse(start);
  return {
    revision: rv < 0 ? undefined : rv,
    afterKey: start.slice(0, start.endsWith('\u0000') ? -1 : undefined),
  };
}

function decode(text: string): Readonly<Record<string, unknown>> {
  if (text.length > tokenCharactersMax) refuse('too long');
  const position = /[^A-Za-z0-9_-]/.exec(text)?.index;
  if (position !== undefined) refuse(`illegal base64 data at input byte ${position}`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) refuse('it is not the JSON of a token');
  return Object.fromEntries(Object.entries(value));
}

function refuse(why: string): never {
  throw badRequest(`invalid continue token: continue key is not valid: ${why}`);
}
