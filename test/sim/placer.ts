// The person who says where Services go: makes, changes and deletes ServicePolicies, cordons and
// taints clusters. In half of the runs there is none. When the day is over things stay as they are.

import type { Clock } from '../../common/runtime/clock.ts';
import { describeError } from '../../common/runtime/log.ts';
import { ask } from './ask.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import type { Trace } from './trace.ts';
import { namespace, serviceNames } from './user.ts';

/** What an override says of a shard. */
export const placeAnnotation = 'example.com/place';

export interface PlacerOptions {
  readonly coordinator: SimCoordinator;
  readonly clusters: readonly string[];
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
}

const group = '/apis/isthmus.dev/v1alpha1';
const policies = `${group}/namespaces/${namespace}/servicepolicies`;
const strategies = ['WhenHealthy', 'WhenHealthy', 'AfterTimeout', 'AtOnce'] as const;

export class Placer {
  readonly #options: PlacerOptions;
  #isOver: boolean;

  constructor(options: PlacerOptions) {
    this.#options = options;
    this.#isOver = options.chance.isTrue(0.5);
  }

  start(): void {
    const { clock, chance, trace } = this.#options;
    clock.after(chance.between(3_000, 20_000), () => {
      if (this.#isOver) return;
      this.#act()
        .catch((error: unknown) => trace.note(`placer gave up: ${describeError(error)}`))
        .finally(() => this.start());
    });
  }

  settle(): void {
    this.#isOver = true;
  }

  async #act(): Promise<void> {
    const { chance, clusters } = this.#options;
    const name = chance.pick(serviceNames);
    const what = chance.fraction();
    if (what < 0.2) return this.#ask('DELETE', `${policies}/${name}`);
    if (what < 0.85) return this.#place(name);
    const cluster = `${group}/clusters/${chance.pick(clusters)}`;
    if (what < 0.95) {
      const unschedulable = chance.isTrue(0.5) ? true : null;
      return this.#ask('PATCH', cluster, { spec: { unschedulable } });
    }
    const effect = chance.isTrue(0.5) ? 'NoExecute' : 'NoSchedule';
    const taints = chance.isTrue(0.4) ? [{ key: 'maintenance', effect }] : null;
    return this.#ask('PATCH', cluster, { spec: { taints } });
  }

  async #place(name: string): Promise<void> {
    const { chance, clusters } = this.#options;
    const chosen = clusters.filter(() => chance.isTrue(0.6));
    const move = { strategy: chance.pick(strategies), timeoutSeconds: chance.below(40) };
    const overrides = clusters
      .filter(() => chance.isTrue(0.3))
      .map((cluster) => ({
        clusters: [cluster],
        annotations: { [placeAnnotation]: `${cluster} ${chance.below(3)}` },
      }));
    const spec = { serviceName: name, placement: { clusters: chosen }, move, overrides };
    const body = {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'ServicePolicy',
      metadata: { name, namespace },
      spec,
    };
    await this.#ask('POST', policies, body);
    await this.#ask('PATCH', `${policies}/${name}`, { spec });
  }

  async #ask(method: string, target: string, body?: object): Promise<void> {
    const answer = await ask(this.#options, { method, target, body });
    const said = `${JSON.stringify(body ?? {})} ${answer?.status ?? 'lost'}`;
    this.#options.trace.note(`placer: ${method} ${target} ${said}`);
  }
}
