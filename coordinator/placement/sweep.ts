// Marks the Services that a Cluster's change could concern, some in each turn; the view counts as
// behind until the last is looked at.
//
//   B1. A change during a sweep is swept after it: what was visited before the change has not seen it.
//   B2. Of what is not known exactly every Service is marked.

import {
  splitServiceKey,
  toLogKey,
  type Revision,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Desired } from '../desired/store.ts';
import type { PendingRevisions } from './pending.ts';
import { concernCost, isConcerned, type ClusterChange } from './plan-concerns.ts';
import type { PolicyIndex } from './policy-index.ts';

export interface SweepOptions {
  readonly desired: Desired;
  readonly clock: Clock;
  readonly policies: PolicyIndex;
  readonly pending: PendingRevisions;
}

// Some 2 ms of a turn (I11).
const costPerTurn = 500;
// More changed Clusters than these are not asked for one by one.
const changesMax = 8;
// No Service has this key: its namespace would be empty.
const sweepKey = '/';

export class Sweep {
  readonly services = new Set<ServiceKey>();
  readonly #options: SweepOptions;
  readonly #mark: (key: ServiceKey, revision: Revision) => void;
  /** Lowest revision for which another sweep is due. */
  #due: Revision | undefined;
  /** What that one is about; undefined: everything (B2). */
  #changes: ClusterChange[] | undefined = [];
  #isRunning = false;
  #isStopped = false;

  constructor(options: SweepOptions, mark: (key: ServiceKey, revision: Revision) => void) {
    this.#options = options;
    this.#mark = mark;
  }

  /** `change`: all that happened; without it everything may be otherwise. */
  request(revision: Revision, change?: ClusterChange): void {
    this.#options.pending.expect(sweepKey, revision);
    this.#due ??= revision;
    if (change === undefined || this.#changes?.length === changesMax) this.#changes = undefined;
    else this.#changes?.push(change);
    if (!this.#isRunning) this.#begin();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #begin(): void {
    const revision = this.#due;
    this.#isRunning = revision !== undefined;
    if (revision === undefined) return;
    const changes = this.#changes;
    this.#due = undefined;
    this.#changes = [];
    this.#options.pending.begin(sweepKey);
    this.#step(this.services.values(), { revision, changes });
  }

  #step(
    rest: IterableIterator<ServiceKey>,
    of: { readonly revision: Revision; readonly changes: readonly ClusterChange[] | undefined },
  ): void {
    if (this.#isStopped) return;
    for (let cost = 0; cost < costPerTurn; ) {
      const next = rest.next();
      if (next.done === true) {
        this.#options.pending.settle(sweepKey);
        this.#begin();
        return;
      }
      const policies = this.#options.policies.of(next.value);
      cost += of.changes === undefined ? 1 : of.changes.length * concernCost(policies);
      if (this.#concerns(next.value, of.changes)) this.#mark(next.value, of.revision);
    }
    this.#options.clock.soon(() => this.#step(rest, of));
  }

  #concerns(key: ServiceKey, changes: readonly ClusterChange[] | undefined): boolean {
    if (changes === undefined) return true;
    const at = toLogKey({ group: '', resource: 'services', ...splitServiceKey(key) });
    const service = this.#options.desired.get(at)?.object as Service | undefined; // by its key
    if (service === undefined) return true;
    const policies = this.#options.policies.of(key);
    return changes.some((change) => isConcerned(service, policies, change));
  }
}
