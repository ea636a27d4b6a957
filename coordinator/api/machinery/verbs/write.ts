// What every write shares: the ports, the namespace that it needs, the last checks before an
// object is stored.

import { toLogKey, toRevision, type LogKey, type Revision } from '../../../../common/model/ids.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { Chance } from '../../../../common/runtime/chance.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import type { Desired, StoredObject } from '../../../desired/store.ts';
import type { Access } from '../access/access.ts';
import type { Admit } from '../api.ts';
import type { AccessContext, FieldError, KindDefinition, UserInfo, WriteContext } from '../kind.ts';
import type { WriteOptions } from '../request/options.ts';
import type { Rest } from '../../../../common/runtime/rest.ts';
import type { KindTable } from '../request/routes.ts';
import { invalid, namespaceTerminating, notFound } from '../answer/status-error.ts';

export interface WriteTools {
  readonly kinds: KindTable;
  readonly desired: Desired;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly admit: Admit | undefined;
  readonly access: Access;
  /** Asked between the steps of a write (I11). */
  readonly rest: Rest;
}

/** One write request, after its options were parsed. */
export interface WriteCall {
  readonly kind: KindDefinition;
  readonly namespace: string;
  /** As in the path; empty for a POST. */
  readonly name: string;
  /** What the path said, when `name` was found otherwise since. */
  readonly askedName?: string;
  readonly subresource: string;
  readonly user: UserInfo;
  readonly options: WriteOptions;
  /** Collects Warning headers. */
  readonly warnings: string[];
}

/** What a write leaves behind, as its answer shows it. */
export interface Written {
  readonly status: 200 | 201 | 202;
  readonly object: KubeObject;
  readonly bytes?: () => Uint8Array;
}

export function toWritten(status: 200 | 201, stored: StoredObject): Written {
  return { status, object: stored.object, bytes: () => stored.bytes() };
}

/** How often a write that lost a race starts again from the live object. */
export const writeAttemptsMax = 10;

export const absent: Revision = toRevision(0);

export function toWriteContext(tools: WriteTools, call: WriteCall): WriteContext {
  return {
    user: call.user,
    nowMs: tools.clock.now(),
    secretBytes: (count) => tools.chance.bytes(count),
    isDryRun: call.options.isDryRun,
    subresource: call.subresource,
    read: (at) => tools.desired.get(toLogKey(at))?.object,
    warn: (text) => void call.warnings.push(text),
  };
}

export function toAccessContext(tools: WriteTools, call: WriteCall): AccessContext {
  const { user, namespace, askedName: name = call.name } = call;
  const { access } = tools;
  const { read } = toWriteContext(tools, call);
  return { user, namespace, name, nowMs: tools.clock.now(), access, read };
}

export interface Guard {
  readonly key: LogKey;
  readonly revision: Revision;
}

/**
 * The namespace of an object that is to be created, as a guard: the store refuses the write when
 * it changed meanwhile, so nothing is born in a namespace that is being deleted. Undefined for
 * cluster-scoped kinds and where namespaces are not served. Throws 404 or 403.
 */
export async function requireNamespace(
  tools: WriteTools,
  call: WriteCall,
): Promise<Guard | undefined> {
  if (!call.kind.isNamespaced || !servesNamespaces(tools.kinds)) return undefined;
  const key = toNamespaceKey(call.namespace);
  let stored = tools.desired.get(key);
  if (stored === undefined) {
    await tools.desired.barrier();
    stored = tools.desired.get(key);
  }
  if (stored === undefined)
    throw notFound({ group: '', resource: 'namespaces', name: call.namespace });
  if (stored.object.metadata.deletionTimestamp !== undefined) {
    throw namespaceTerminating({ ...toRefused(call), namespace: call.namespace });
  }
  return { key, revision: stored.revision };
}

function toRefused(call: WriteCall) {
  return { group: call.kind.group, resource: call.kind.plural, name: call.name };
}

export function servesNamespaces(kinds: KindTable): boolean {
  return kinds.find('', 'v1', 'namespaces') !== undefined;
}

export function toNamespaceKey(namespace: string): LogKey {
  return toLogKey({ group: '', resource: 'namespaces', name: namespace });
}

export function refuseInvalid(
  kind: KindDefinition,
  name: string,
  errors: readonly FieldError[],
): void {
  // Kubernetes validates, and names, the form that it keeps.
  const group = kind.storedAs?.group ?? kind.group;
  if (errors.length > 0) throw invalid({ group, kind: kind.kind, name, errors });
}

/** Asks the admission hook; its warnings reach the client. */
export async function askAdmission(
  tools: WriteTools,
  call: WriteCall,
  change: {
    readonly operation: 'create' | 'update' | 'delete';
    readonly object: KubeObject | undefined;
    readonly old: KubeObject | undefined;
  },
): Promise<void> {
  if (tools.admit === undefined) return;
  const { warnings } = await tools.admit({
    ...change,
    kind: call.kind,
    subresource: call.subresource,
    user: call.user,
    isDryRun: call.options.isDryRun,
  });
  call.warnings.push(...warnings);
}
