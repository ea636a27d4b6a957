// The Lease of an agent's replicas as coordination.k8s.io/v1 has it, to and from what the election
// knows. The times in it are for people; nobody here believes them (E1 of step.ts).

import type { JsonObject, KubeObject } from '../../common/model/kube-object.ts';
import type { ResourcePath } from '../../common/runtime/kube-client.ts';
import { toMicroTimestamp } from '../../common/runtime/clock.ts';
import { leaseMs, unknownHolder, type LeaseView } from './step.ts';

export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

/** host:port of the holder's record, for the other replicas. */
const addressMark = 'isthmus.dev/replica-address';
/** So that a replica which missed it does not take an older view for the newest (I2). */
const viewMark = 'isthmus.dev/view-revision';
/** Of a holder that gave it back: the next one counts them too (I13). */
const removalsMark = 'isthmus.dev/removals-last-minute';

export function leasesPath({ namespace }: LeaseName): ResourcePath {
  return { apiVersion: 'coordination.k8s.io/v1', plural: 'leases', namespace };
}

export function readLease(object: KubeObject): LeaseView {
  const { metadata } = object;
  const spec = object.spec as LeaseSpec | undefined; // each field is narrowed below
  return {
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    holder: typeof spec?.holderIdentity === 'string' ? spec.holderIdentity : '',
    durationMs: toNumber(spec?.leaseDurationSeconds) * 1_000,
    transitions: toNumber(spec?.leaseTransitions),
    address: metadata.annotations?.[addressMark],
    viewRevision: toNumber(Number(metadata.annotations?.[viewMark] ?? 0)),
    removals: toCount(metadata.annotations?.[removalsMark]),
  };
}

interface LeaseSpec {
  readonly holderIdentity?: unknown;
  readonly leaseDurationSeconds?: unknown;
  readonly leaseTransitions?: unknown;
}

function toCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function toNumber(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export interface Holding {
  readonly holder: string;
  readonly address: string;
  readonly viewRevision: number;
  readonly transitions: number;
  readonly isTaking: boolean;
  readonly nowMs: number;
}

/** Of a Lease that is there: refused with a conflict when it is no longer `over`. */
export function toHoldingPatch(over: LeaseView, holding: Holding): JsonObject {
  return {
    metadata: {
      uid: over.uid,
      resourceVersion: over.resourceVersion,
      annotations: { ...toAnnotations(holding), ...taken },
    },
    spec: toSpec(holding),
  };
}

/** Of a Lease that is not there: nobody's, so that it is left alone for a while (E4). */
export function toNewLease({ namespace, name }: LeaseName, holding: Holding): KubeObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace, annotations: { [viewMark]: String(holding.viewRevision) } },
    spec: toSpec({ ...holding, holder: unknownHolder }),
  };
}

function toAnnotations({ address, viewRevision }: Holding): Readonly<Record<string, string>> {
  return { [addressMark]: address, [viewMark]: String(viewRevision) };
}

/** What the last holder left is its successor's from now on. */
const taken = { [removalsMark]: null };

function toSpec({ holder, transitions, isTaking, nowMs }: Holding): JsonObject {
  const now = toMicroTimestamp(nowMs);
  return {
    holderIdentity: holder,
    leaseDurationSeconds: leaseMs / 1_000,
    leaseTransitions: transitions,
    renewTime: now,
    ...(isTaking ? { acquireTime: now } : {}),
  };
}

/** As client-go releases: the next one need not wait. `removals` undefined: nobody knows. */
export function toReleasePatch(
  over: LeaseView,
  { nowMs, removals }: { readonly nowMs: number; readonly removals: number | undefined },
): JsonObject {
  return {
    metadata: {
      uid: over.uid,
      resourceVersion: over.resourceVersion,
      annotations: {
        [addressMark]: null,
        [removalsMark]: removals === undefined ? null : String(removals),
      },
    },
    spec: { holderIdentity: '', leaseDurationSeconds: 1, renewTime: toMicroTimestamp(nowMs) },
  };
}
