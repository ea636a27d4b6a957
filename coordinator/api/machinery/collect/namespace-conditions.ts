// What still holds a namespace that is being deleted, as the conditions that Kubernetes' namespace
// controller writes: people find there why `kubectl delete ns` waits. Pure.
//
// Input: what is left, by kind and by finalizer, and what could not be deleted. Output: conditions,
// with their times kept while nothing changed.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { isRecord, ownText } from '../schema/json-value.ts';

export interface Remaining {
  /** `services.` or `leases.coordination.k8s.io`, as the controller prints it. */
  readonly byResource: ReadonlyMap<string, number>;
  readonly byFinalizer: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}

interface Found {
  readonly type: string;
  /** Undefined is well: status False, with the words for that. */
  readonly bad: { readonly reason: string; readonly message: string } | undefined;
  readonly good: { readonly reason: string; readonly message: string };
}

export function planConditions(
  remaining: Remaining,
  before: readonly Json[],
  timestamp: string,
): readonly JsonObject[] {
  return find(remaining).map(({ type, bad, good }) => {
    const status = bad === undefined ? 'False' : 'True';
    const old = before.filter(isRecord).find((each) => ownText(each, 'type') === type);
    const isSameStatus = old !== undefined && ownText(old, 'status') === status;
    return {
      type,
      status,
      lastTransitionTime: isSameStatus ? ownText(old, 'lastTransitionTime') : timestamp,
      ...(bad ?? good),
    };
  });
}

function find({ byResource, byFinalizer, faults }: Remaining): readonly Found[] {
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      bad: undefined,
      good: { reason: 'ResourcesDiscovered', message: 'All resources successfully discovered' },
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      bad: undefined,
      good: {
        reason: 'ParsedGroupVersions',
        message: 'All legacy kube types successfully parsed',
      },
    },
    {
      type: 'NamespaceDeletionContentFailure',
      bad: faults.length === 0 ? undefined : { reason: 'ContentDeletionFailed', ...say(faults) },
      good: {
        reason: 'ContentDeleted',
        message: 'All content successfully deleted, may be waiting on finalization',
      },
    },
    {
      type: 'NamespaceContentRemaining',
      bad: tell(byResource, {
        reason: 'SomeResourcesRemain',
        head: 'Some resources are remaining: ',
        line: (resource, count) => `${resource} has ${count} resource instances`,
      }),
      good: { reason: 'ContentRemoved', message: 'All content successfully removed' },
    },
    {
      type: 'NamespaceFinalizersRemaining',
      bad: tell(byFinalizer, {
        reason: 'SomeFinalizersRemain',
        head: 'Some content in the namespace has finalizers remaining: ',
        line: (finalizer, count) => `${finalizer} in ${count} resource instances`,
      }),
      good: {
        reason: 'ContentHasNoFinalizers',
        message: 'All content-preserving finalizers finished',
      },
    },
  ];
}

function say(faults: readonly string[]): { readonly message: string } {
  const list = [...faults].sort().join(', ');
  return {
    message: `Failed to delete all resource types, ${faults.length} remaining: ${list}`,
  };
}

function tell(
  counts: ReadonlyMap<string, number>,
  words: {
    readonly reason: string;
    readonly head: string;
    readonly line: (name: string, count: number) => string;
  },
): Found['bad'] {
  if (counts.size === 0) return undefined;
  const lines = [...counts].map(([name, count]) => words.line(name, count)).sort();
  return { reason: words.reason, message: `${words.head}${lines.join(', ')}` };
}
