// The person who takes clusters out of the federation and brings them back under the same name: with
// their shards or keeping them, patiently or not, with a token that lets in or only asks. Shards that
// nobody wants afterwards are removed or released. When the day is over every cluster is back.

import type { Cluster, JoinToken, ServiceShard } from '../../common/model/isthmus-kinds.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError } from '../../common/runtime/log.ts';
import { ask, type Answer } from './ask.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { AgentHost } from './sim-agent.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import type { Trace } from './trace.ts';

export interface RegistrarOptions {
  readonly coordinator: SimCoordinator;
  readonly agents: ReadonlyMap<string, AgentHost>;
  /** What nobody but a person knows of a cluster. */
  readonly declaredOf: (cluster: string) => object;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  /** A planted bug: takes the finalizer off, so that nothing is waited for. */
  readonly isHasty: boolean;
}

const group = '/apis/isthmus.dev/v1alpha1';
/** An agent that was refused asks again within half a minute. */
const patienceMs = 60_000;
const waits = [0, 20, 60, 600] as const;

export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #doesUnjoin: boolean;
  /** Clusters that were deleted, or are on their way out. */
  readonly #out = new Set<string>();
  readonly #invitedMs = new Map<string, number>();
  #tokens = 0;
  #isOver = false;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#doesUnjoin = options.isHasty || options.chance.isTrue(0.4);
  }

  start(): void {
    const { clock, chance, trace } = this.#options;
    const [min, max] = this.#isOver ? [2_000, 5_000] : [5_000, 30_000];
    clock.after(chance.between(min, max), () => {
      this.#act()
        .catch((error: unknown) => trace.note(`registrar gave up: ${describeError(error)}`))
        .finally(() => this.start());
    });
  }

  /** Nobody leaves any more, and whoever is out comes back. */
  settle(): void {
    this.#isOver = true;
  }

  /** A cluster that somebody still has to bring back, or to say everything of again. */
  unfinished(): string | undefined {
    const [name] = this.#out;
    return name;
  }

  async #act(): Promise<void> {
    const { agents, chance } = this.#options;
    if (!this.#doesUnjoin) return;
    await this.#tendUnclaimed();
    for (const name of this.#out) await this.#bringBack(name);
    if (!this.#isOver && chance.isTrue(0.3)) await this.#remove(chance.pick([...agents.keys()]));
  }

  async #remove(name: string): Promise<void> {
    const { chance, isHasty } = this.#options;
    if (this.#out.has(name)) return;
    const unjoinWaitSeconds = chance.pick(waits);
    await this.#ask('PATCH', `${group}/clusters/${name}`, { spec: { unjoinWaitSeconds } });
    const propagationPolicy = chance.isTrue(0.4) ? 'Orphan' : 'Background';
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy };
    const answer = await this.#ask('DELETE', `${group}/clusters/${name}`, body);
    if (answer === undefined || answer.status < 300) this.#out.add(name);
    if (!isHasty) return;
    await this.#ask('PATCH', `${group}/clusters/${name}`, { metadata: { finalizers: null } });
  }

  /** A step towards it, if it is gone already; a person who waits in vain stops waiting. */
  async #bringBack(name: string): Promise<void> {
    const { chance } = this.#options;
    const found = await this.#ask('GET', `${group}/clusters/${name}`);
    const { metadata, status } = (found?.object ?? {}) as Partial<Cluster>;
    if (found?.status === 404) return this.#invite(name);
    if (found?.status !== 200) return;
    if (metadata?.deletionTimestamp !== undefined) {
      if (!chance.isTrue(this.#isOver ? 0.04 : 0.1)) return;
      const spec = { unjoinWaitSeconds: 0 };
      await this.#ask('PATCH', `${group}/clusters/${name}`, { spec });
    } else if (status?.joinedAt !== undefined) {
      const spec = this.#options.declaredOf(name);
      const answer = await this.#ask('PATCH', `${group}/clusters/${name}`, { spec });
      if (answer?.status === 200) this.#out.delete(name);
    } else if (this.#isOver) {
      await this.#invite(name); // its token may have been lost with the answer
    }
  }

  async #invite(name: string): Promise<void> {
    const { chance, agents, clock, trace } = this.#options;
    if (!this.#isOver && chance.isTrue(0.4)) return;
    const agent = agents.get(name);
    const sinceMs = clock.monotonicMs() - (this.#invitedMs.get(name) ?? -Infinity);
    // A token pins the CA of its day: one that was replaced since lets nobody in.
    if (agent === undefined || (agent.hasFreshToken() && sinceMs < patienceMs)) return;
    this.#tokens += 1;
    const approval = chance.isTrue(0.3) ? 'Manual' : 'Automatic';
    const body = {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'JoinToken',
      metadata: { name: `again-${this.#tokens}` },
      spec: { approval, ...(chance.isTrue(0.7) ? { cluster: name } : {}) },
    };
    const answer = await this.#ask('POST', `${group}/jointokens`, body);
    const token = (answer?.object as Partial<JoinToken> | undefined)?.status?.token;
    if (token === undefined) return;
    trace.note(`registrar: gives ${name} the token again-${this.#tokens}`);
    agent.giveToken(token);
    this.#invitedMs.set(name, clock.monotonicMs());
    // As the upgrade of a chart does; a token file is read again without.
    if (chance.isTrue(0.5)) return;
    agent.killAll();
    agent.start();
  }

  async #tendUnclaimed(): Promise<void> {
    const { chance } = this.#options;
    const found = await this.#ask('GET', `${group}/serviceshards`);
    for (const shard of (found?.object.items ?? []) as readonly ServiceShard[]) {
      if (shard.status.reason !== 'Unclaimed') continue;
      const { namespace = '', name } = shard.metadata;
      const propagationPolicy = chance.isTrue(0.5) ? 'Orphan' : 'Background';
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy };
      const target = `${group}/namespaces/${namespace}/serviceshards/${name}`;
      await this.#ask('DELETE', target, body);
    }
  }

  async #ask(method: string, target: string, body?: object): Promise<Answer | undefined> {
    const answer = await ask(this.#options, { method, target, body });
    if (method === 'GET') return answer;
    const said = `${JSON.stringify(body ?? {})} ${answer?.status ?? 'lost'}`;
    this.#options.trace.note(`registrar: ${method} ${target} ${said}`);
    return answer;
  }
}
