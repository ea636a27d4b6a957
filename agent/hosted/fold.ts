// Whether the cluster's API server takes this agent, folded from how its reads end. Pure.
//
//   H1. A read that failed counts until the same read succeeds: GET /version is open to anybody and
//       proves no credentials.
//   H2. What a server answers about one object (not found, conflict) is an answer.

import type { ApiFault } from '../../common/wire/hosted-lines.ts';

export interface ReadOutcome {
  readonly path: string;
  readonly code: string | undefined;
  readonly message: string;
}

export type ApiFaults = ReadonlyMap<string, ApiFault>;

export const noFaults: ApiFaults = new Map();

const faultCodes: ReadonlySet<string> = new Set([
  'KUBE_CREDENTIALS',
  'KUBE_FORBIDDEN',
  'KUBE_SERVER_ERROR',
  'KUBE_TIMEOUT',
  'KUBE_UNAUTHORIZED',
  'KUBE_UNREACHABLE',
]);

// An agent reads four collections and the version.
const pathsMax = 16;

/** The faults after this outcome; the same value when nothing changed. */
export function foldOutcome(faults: ApiFaults, { path, code, message }: ReadOutcome): ApiFaults {
  const known = faults.get(path);
  if (code === undefined || !faultCodes.has(code)) {
    if (known === undefined) return faults;
    return new Map([...faults].filter(([key]) => key !== path));
  }
  if (known?.code === code || (known === undefined && faults.size >= pathsMax)) return faults;
  return new Map([...faults, [path, { code, message }]]);
}

// Who is not let in learns nothing else; who is let in and may not look must be told what at.
const order = [
  'KUBE_CREDENTIALS',
  'KUBE_UNAUTHORIZED',
  'KUBE_UNREACHABLE',
  'KUBE_TIMEOUT',
  'KUBE_SERVER_ERROR',
  'KUBE_FORBIDDEN',
];

/** The one that says most; undefined when the server takes the agent. */
export function worstOf(faults: ApiFaults): ApiFault | undefined {
  return [...faults]
    .sort(([a, x], [b, y]) => order.indexOf(x.code) - order.indexOf(y.code) || (a < b ? -1 : 1))
    .map(([, fault]) => fault)[0];
}
