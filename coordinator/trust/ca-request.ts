// What `isthmus-coordinator keys ca` and the coordinator tell each other: a request file, which a
// running coordinator takes on SIGHUP and another one at its start, and a report file. Both are in
// the data dir, which only its owner reads; neither holds a secret.

import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../common/pure/errors.ts';
import { readFileIfThere } from '../../common/runtime/private-file.ts';
import type { CaReport } from './authority.ts';

export const requestFile = 'ca-request.json';
export const reportFile = 'ca-report.json';

export interface CaRequest {
  readonly id: string;
  readonly action: 'rotate' | 'retire';
  readonly isForced: boolean;
}

export interface CaAnswer {
  readonly id: string;
  /** A sentence for people; undefined: it was done. */
  readonly refusal?: string;
}

/** The request, which is then no longer there; undefined when there is none. */
export async function takeCaRequest(path: string): Promise<CaRequest | undefined> {
  const file = join(path, requestFile);
  const taken = `${file}.taken`;
  try {
    await rename(file, taken);
  } catch {
    return undefined;
  }
  const text = await readFileIfThere(taken);
  await rm(taken, { force: true });
  const request = parse(text?.toString('utf8') ?? '') as Partial<CaRequest>;
  const { id, action, isForced } = request;
  if (typeof id !== 'string' || (action !== 'rotate' && action !== 'retire')) {
    throw new MeshError('fatal', 'CA_REFUSED', `${file} is no request: it was left unread`);
  }
  return { id, action, isForced: isForced === true };
}

/** Undefined when no coordinator has written one yet. */
export async function readCaReport(
  path: string,
): Promise<(CaReport & { readonly answer?: CaAnswer }) | undefined> {
  const text = await readFileIfThere(join(path, reportFile));
  if (text === undefined) return undefined;
  return parse(text.toString('utf8')) as CaReport & { readonly answer?: CaAnswer }; // our own file
}

function parse(text: string): object {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
