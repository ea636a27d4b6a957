// What the applier keeps in the log, every write under the lease holder's term: what stands at a
// provider as ours, one object per Service and zone, and the batch that is on its way, one per
// zone. A batch is written down before it is sent, so that whoever leads next can settle it.
//
//   J1. `dnsapplied` is written once a change is known to be applied, and never before.
//   J2. `dnsbatches` is written before its request, and removed once everything in it is recorded.

import { isthmusApiVersion, isthmusGroup } from '../../../common/model/isthmus-kinds.ts';
import {
  splitLogKey,
  splitServiceKey,
  toLogKey,
  toLogPrefix,
  toRevision,
  toServiceKey,
  type LogKey,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { TermGuard } from '../../../common/model/views.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import type { Desired } from '../../desired/store.ts';
import type { RecordGroup, ZoneRecordSet } from '../provider/provider.ts';
import type { FenceValue } from './step-fence.ts';

const appliedResource = 'dnsapplied';
const batchResource = 'dnsbatches';
export const appliedPrefix = toLogPrefix(isthmusGroup, appliedResource);

/** A batch that was sent, or was about to be. */
export interface SentBatch {
  /** What the fence says once it is applied. */
  readonly fence: FenceValue;
  readonly groups: readonly SentGroup[];
}

export interface SentGroup extends RecordGroup {
  /** What is ours afterwards, where that is not what is recorded with this change. */
  readonly after?: readonly ZoneRecordSet[];
}

/** Service and DNSZone of a publication or of what is applied; names of Services have no dots. */
export function splitZonedKey(
  key: LogKey,
): { readonly service: ServiceKey; readonly dnsZone: string } | undefined {
  const { namespace, name } = splitLogKey(key);
  const dot = name.indexOf('.');
  if (dot <= 0) return undefined;
  const service = toServiceKey({ namespace, name: name.slice(0, dot) });
  return { service, dnsZone: name.slice(dot + 1) };
}

export function toAppliedKey(key: ServiceKey, dnsZone: string): LogKey {
  const { namespace, name } = splitServiceKey(key);
  return toLogKey({
    group: isthmusGroup,
    resource: appliedResource,
    namespace,
    name: `${name}.${dnsZone}`,
  });
}

export class Journal {
  readonly #desired: Desired;
  readonly #term: TermGuard;

  constructor(desired: Desired, term: TermGuard) {
    this.#desired = desired;
    this.#term = term;
  }

  /** What stands at the zone's provider as ours, the mark included; revision 0: nothing. */
  recorded(
    key: ServiceKey,
    dnsZone: string,
  ): { readonly sets: readonly ZoneRecordSet[]; readonly revision: number } {
    const stored = this.#desired.get(toAppliedKey(key, dnsZone));
    const spec = stored?.object.spec as { recordSets?: readonly ZoneRecordSet[] } | undefined;
    return { sets: spec?.recordSets ?? [], revision: stored?.revision ?? 0 };
  }

  async record(
    key: ServiceKey,
    dnsZone: string,
    recordSets: readonly ZoneRecordSet[],
  ): Promise<void> {
    const { namespace, name } = splitServiceKey(key);
    const object: KubeObject = {
      apiVersion: isthmusApiVersion,
      kind: 'DNSApplied',
      metadata: { namespace, name: `${name}.${dnsZone}` },
      spec: { recordSets },
    };
    await this.#put(toAppliedKey(key, dnsZone), recordSets.length === 0 ? undefined : object);
  }

  sent(dnsZone: string): SentBatch | undefined {
    const spec = this.#desired.get(batchKey(dnsZone))?.object.spec;
    return spec as SentBatch | undefined; // written by send() only
  }

  async send(dnsZone: string, batch: SentBatch): Promise<void> {
    await this.#put(batchKey(dnsZone), {
      apiVersion: isthmusApiVersion,
      kind: 'DNSBatch',
      metadata: { name: dnsZone },
      spec: batch,
    });
  }

  async settled(dnsZone: string): Promise<void> {
    await this.#put(batchKey(dnsZone), undefined);
  }

  /** Only the lease holder writes these keys, so a conflict is its own former write, read again. */
  async #put(key: LogKey, object: KubeObject | undefined): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const expected = this.#desired.get(key)?.revision ?? toRevision(0);
      if (object === undefined && expected === 0) return;
      const outcome = await this.#desired.write({
        key,
        object,
        expected,
        guard: this.#term.guard(),
      });
      if (outcome.kind === 'written') return;
      if (outcome.kind === 'fenced') {
        throw new MeshError('fatal', 'TERM_LOST', 'another replica holds the lease');
      }
      await this.#desired.barrier();
    }
    throw new MeshError('retryable', 'STORE_CONTENDED', `${key} keeps being written by another`);
  }
}

const attemptsMax = 3;

function batchKey(dnsZone: string): LogKey {
  return toLogKey({ group: isthmusGroup, resource: batchResource, name: dnsZone });
}
