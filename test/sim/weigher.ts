// The person who says how much of the traffic goes where: gives shards weights, drains them and
// takes them back, says which clusters are primary, and labels clusters for that. In half of the
// runs there is none. When the day is over things stay as they are.

import type { Clock } from '../../common/runtime/clock.ts';
import { describeError } from '../../common/runtime/log.ts';
import { ask } from './ask.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import type { Trace } from './trace.ts';
import { namespace, serviceNames } from './user.ts';

export interface WeigherOptions {
  readonly coordinator: SimCoordinator;
  readonly clusters: readonly string[];
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  /** A planted bug shows only while somebody weighs. */
  readonly isAlwaysThere: boolean;
}

const group = '/apis/isthmus.dev/v1alpha1';
const policies = `${group}/namespaces/${namespace}/servicepolicies`;
const tiers = ['primary', 'backup', null] as const;
/** Twice a drain: that is what has to be right. */
const weights = [0, 0, 1, 50, 100] as const;

export class Weigher {
  readonly #options: WeigherOptions;
  #isOver: boolean;

  constructor(options: WeigherOptions) {
    this.#options = options;
    this.#isOver = options.chance.isTrue(0.5) && !options.isAlwaysThere;
  }

  start(): void {
    const { clock, chance, trace } = this.#options;
    clock.after(chance.between(1_000, 12_000), () => {
      if (this.#isOver) return;
      this.#act()
        .catch((error: unknown) => trace.note(`weigher gave up: ${describeError(error)}`))
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
    if (what < 0.55) return this.#say(name, { weights: this.#weights() });
    if (what < 0.7) return this.#say(name, { dns: { failover: this.#failover() } });
    if (what < 0.9) return this.#say(name, { weights: null, dns: null });
    const labels = { tier: chance.pick(tiers) };
    return this.#ask('PATCH', `${group}/clusters/${chance.pick(clusters)}`, {
      metadata: { labels },
    }).then(() => undefined);
  }

  #weights(): readonly object[] {
    const { chance, clusters } = this.#options;
    // All at once: nobody may lose the last address.
    if (chance.isTrue(0.15)) return [{ weight: 0 }];
    return clusters
      .filter(() => chance.isTrue(0.6))
      .map((cluster) => ({ clusters: [cluster], weight: chance.pick(weights) }));
  }

  #failover(): object {
    const { chance, clusters } = this.#options;
    const byLabel = { clusters: null, clusterSelector: { matchLabels: { tier: 'primary' } } };
    const byName = { clusters: [chance.pick(clusters)], clusterSelector: null };
    return { primary: chance.isTrue(0.5) ? byLabel : byName };
  }

  /** In the Service's policy, whether it is there already or not. */
  async #say(name: string, spec: object): Promise<void> {
    const patched = await this.#ask('PATCH', `${policies}/${name}`, { spec });
    if (patched !== 404) return;
    await this.#ask('POST', policies, {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'ServicePolicy',
      metadata: { name, namespace },
      spec: { serviceName: name, ...withoutNulls(spec) },
    });
  }

  async #ask(method: string, target: string, body: object): Promise<number | undefined> {
    const answer = await ask(this.#options, { method, target, body });
    const said = `${JSON.stringify(body)} ${answer?.status ?? 'lost'}`;
    this.#options.trace.note(`weigher: ${method} ${target} ${said}`);
    return answer?.status;
  }
}

/** What a merge patch would make of it. */
function withoutNulls(value: object): object {
  return JSON.parse(
    JSON.stringify(value, (_, one: unknown) => (one === null ? undefined : one)),
  ) as object; // of plain data
}
