// The person who runs the federation: looks at the Clusters now and then, approves who waits,
// sometimes after a denial, sometimes throws one out for a while, and replaces the CA. When the day
// is over everybody who should be in is in.

import type { Cluster, ClusterApproval } from '../../common/model/isthmus-kinds.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError } from '../../common/runtime/log.ts';
import { ask } from './ask.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import type { SimCas } from './sim-pki.ts';
import type { Trace } from './trace.ts';

export interface OperatorOptions {
  readonly coordinator: SimCoordinator;
  readonly cas: SimCas;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
}

const path = '/apis/isthmus.dev/v1alpha1/clusters';
const whimPart = 0.05;

export class Operator {
  readonly #options: OperatorOptions;
  readonly #whims: boolean;
  #isOver = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.#whims = options.chance.isTrue(0.5);
  }

  start(): void {
    const { clock, chance, trace } = this.#options;
    clock.after(chance.between(1_000, 6_000), () => {
      this.#look()
        .catch((error: unknown) => trace.note(`operator gave up: ${describeError(error)}`))
        .finally(() => this.start());
    });
  }

  /** No more whims: only approvals. */
  settle(): void {
    this.#isOver = true;
  }

  async #look(): Promise<void> {
    const answer = await this.#ask('GET', path);
    const { items = [] } = (answer ?? {}) as { readonly items?: readonly Cluster[] };
    if (items.length > 0) this.#tendCas(items);
    for (const { metadata, status } of items) {
      const decision = this.#decide(status?.approval?.decision, status?.publicKeyHash);
      if (decision === undefined) continue;
      const { resourceVersion } = metadata;
      const body = { metadata: { resourceVersion }, status: { approval: { decision } } };
      await this.#ask('PATCH', `${path}/${metadata.name}/approval`, body);
      this.#options.trace.note(`operator: ${metadata.name} ${decision}`);
    }
  }

  /** Replaces the CA now and then, and retires the former once everybody knows the new one. */
  #tendCas(clusters: readonly Cluster[]): void {
    const { cas, chance, trace } = this.#options;
    if (cas.isOverlapping()) {
      const digest = cas.trustDigest();
      if (!clusters.every(({ status }) => status?.trustDigest === digest)) return;
      trace.note('operator: retires the former CA');
      cas.retire();
    } else if (this.#whims && !this.#isOver && chance.isTrue(whimPart)) {
      trace.note('operator: replaces the CA');
      cas.rotate();
    }
  }

  #decide(
    decision: ClusterApproval['decision'] | undefined,
    joined: string | undefined,
  ): ClusterApproval['decision'] | undefined {
    const { chance } = this.#options;
    const isWhim = this.#whims && !this.#isOver && chance.isTrue(whimPart);
    if (decision === 'Pending') return isWhim ? 'Denied' : 'Approved';
    if (decision === 'Denied') return this.#isOver || chance.isTrue(0.5) ? 'Approved' : undefined;
    return isWhim && joined !== undefined ? 'Denied' : undefined;
  }

  async #ask(method: string, target: string, body?: object): Promise<unknown> {
    return (await ask(this.#options, { method, target, body }))?.object;
  }
}
