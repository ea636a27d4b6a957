// Whether the cluster's API server takes this agent, folded from how its reads end. Pure.
//
//   H1. A read that failed counts until the same read succeeds: GET /version is open to anybody and
//       proves no credentials.
//   H2. What a server answers about one object (not found, conflict) is an answer.
//   H3. One answer that is late or does not come is no fault yet: a busy host has those. The second in
//       a row is.

import type { ApiFault } from '../../common/wire/hosted-lines.ts';

export interface ReadOutcome {
  readonly path: string;
  readonly code: string | undefined;
  readonly message: string;
}

export type ApiFaults = ReadonlyMap<string, { readonly fault: ApiFault; readonly count: number }>;

export const noFaults: ApiFaults = new Map();

const faultCodes: ReadonlySet<string> = new Set([
  'KUBE_CREDENTIALS',
  'KUBE_FORBIDDEN',
  'KUBE_SERVER_ERROR',
  'KUBE_TIMEOUT',
  'KUBE_UNAUTHORIZED',
  'KUBE_UNREACHABLE',
]);

const patientCodes: ReadonlySet<string> = new Set([
  'KUBE_SERVER_ERROR',
  'KUBE_TIMEOUT',
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
  const count = known?.fault.code === code ? known.count + 1 : 1;
  const isOld = known?.fault.code === code && known.count >= 2;
  if (isOld || (known === undefined && faults.size >= pathsMax)) return faults;
  return new Map([...faults, [path, { fault: { code, message }, count }]]);
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
    .filter(([, { fault, count }]) => count >= 2 || !patientCodes.has(fault.code)) // H3
    .map(([path, { fault }]) => ({ path, fault, rank: order.indexOf(fault.code) }))
    .sort((a, b) => a.rank - b.rank || (a.path < b.path ? -1 : 1))[0]?.fault;
}
