// Runs the election: watches the one Lease, takes and renews it as step.ts says, and tells whether
// this replica leads. At rest: one watch, and one write in five seconds by the holder.

import { MeshError } from '../../common/pure/errors.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import {
  leasesPath,
  readLease,
  toHoldingPatch,
  toNewLease,
  toReleasePatch,
  type LeaseName,
} from './lease.ts';
import {
  grantLease,
  holderText,
  isHolder,
  mayWrite,
  planElection,
  seeLease,
  startElection,
  yieldIfUnproven,
  type ElectionAction,
  type ElectionState,
  type HolderName,
} from './step.ts';

export interface ElectionPorts {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ElectionOptions {
  readonly lease: LeaseName;
  readonly self: HolderName;
  /** host:port at which others find our record while we lead. */
  readonly address: () => string;
  /** The view that this replica has applied; 0 for none. */
  readonly viewRevision: () => number;
  /** Shards that this replica has removed lately; undefined: it does not know. */
  readonly removals: () => number | undefined;
  /** False: another replica knows more, and is let go first. */
  readonly isCurrent: () => boolean;
}

export interface Election {
  isLeading(): boolean;
  /** Leading, and so lately proved that nobody else can be. Asked before each write. */
  mayWrite(): boolean;
  /** Where the one that leads shares its record; undefined when nobody does or it is us. */
  leaderAddress(): string | undefined;
  /** The newest view that any holder is known to have applied. */
  knownView(): number;
  /** Counts those who have held the Lease, as far as is known. */
  transitions(): number;
  /** Shards removed lately by the holder that gave it back to us; undefined: not told. */
  removalsTold(): number | undefined;
  /** Called after isLeading or leaderAddress changed. */
  subscribe(listener: () => void): () => void;
  /** Why the Lease cannot be had or watched just now, for people. */
  trouble(): string | undefined;
  /** The coordinator said that another agent of this cluster speaks to it. */
  noteSuperseded(): void;
  /** This replica cannot do what a leading one does: the lease goes to another one, if there is. */
  resign(): Promise<void>;
  start(): void;
  /** Stops, and gives the lease back so that another replica takes over at once. */
  stop(): Promise<void>;
}

// A renewal that hangs is tried again while there is time; what it still does, it does in our name.
const answerMs = 3_000;
const retryMs = 2_000;
// A replica that does not know what the last leader knew lets others go first, for this long.
const handicapMs = 3_000;
// One that could not lead is tried again after this long, for there may be no other.
const restMs = 30_000;

export function createElection(ports: ElectionPorts, options: ElectionOptions): Election {
  return new RunningElection(ports, options);
}

class RunningElection implements Election {
  readonly #ports: ElectionPorts;
  readonly #options: ElectionOptions;
  readonly #listeners = new Set<() => void>();
  readonly #loop;
  #state: ElectionState;
  #told = '';
  #watch: { cancel(): void } | undefined;
  #isStopped = false;
  #trouble: string | undefined;
  #removalsTold: number | undefined;
  #restUntilMs = -Infinity;

  constructor(ports: ElectionPorts, options: ElectionOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#state = startElection(options.self, ports.clock.monotonicMs());
    this.#loop = createLoop<'lease'>({
      ...ports,
      name: 'election',
      run: () => this.#run(),
    });
  }

  isLeading(): boolean {
    return isHolder(this.#state);
  }

  mayWrite(): boolean {
    return !this.#isStopped && mayWrite(this.#state, this.#ports.clock.monotonicMs());
  }

  leaderAddress(): string | undefined {
    const { lease } = this.#state;
    const isOther = !this.isLeading() && lease !== undefined && lease.holder !== '';
    return isOther ? lease.address : undefined;
  }

  knownView(): number {
    return this.#state.lease?.viewRevision ?? 0;
  }

  removalsTold(): number | undefined {
    return this.#removalsTold;
  }

  transitions(): number {
    return this.#state.lease?.transitions ?? 0;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  trouble(): string | undefined {
    return this.#trouble;
  }

  noteSuperseded(): void {
    this.#become(yieldIfUnproven(this.#state, this.#ports.clock.monotonicMs()));
  }

  start(): void {
    const { name } = this.#options.lease;
    this.#watch = this.#ports.kube.watch(
      { ...leasesPath(this.#options.lease), name },
      {
        onList: (objects) => this.#see(objects.find(({ metadata }) => metadata.name === name)),
        onEvent: (type, object) => {
          if (object.metadata.name === name) this.#see(type === 'DELETED' ? undefined : object);
        },
        onError: (error) => this.#fail(error),
      },
    );
    this.#loop.mark('lease');
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#watch?.cancel();
    await this.#loop.stop();
    await this.#release();
  }

  async resign(): Promise<void> {
    this.#restUntilMs = this.#ports.clock.monotonicMs() + restMs;
    await this.#release();
  }

  async #release(): Promise<void> {
    const { kube, clock, log } = this.#ports;
    const { lease } = this.#state;
    if (!this.isLeading() || lease === undefined) return;
    this.#become({ ...this.#state, provenMs: undefined });
    const left = { nowMs: clock.now(), removals: this.#options.removals() };
    const patch = toReleasePatch(lease, left);
    try {
      await this.#withDeadline(kube.mergePatch(this.#path(), this.#name(), patch, fieldManager));
      log.info('lease released', { lease: this.#name() });
    } catch (error) {
      log.warn('the lease was not released; another replica waits until it ends', {
        error: describeError(error),
      });
    }
  }

  #see(object: KubeObject | undefined): void {
    this.#mend();
    const lease = object === undefined ? undefined : readLease(object);
    this.#become(seeLease(this.#state, lease, this.#ports.clock.monotonicMs()));
    this.#loop.mark('lease');
  }

  async #run(): Promise<{ readonly againAfterMs: number }> {
    const action = planElection(this.#state, this.#ports.clock.monotonicMs(), this.#handicapMs());
    if (action.kind === 'wait') {
      return { againAfterMs: Math.min(action.forMs, 2 ** 30) };
    }
    try {
      await this.#hold(action);
      return { againAfterMs: 0 }; // the plan says how long
    } catch (error) {
      this.#fail(error);
      return { againAfterMs: Math.round(retryMs * (0.5 + this.#ports.chance.fraction() / 2)) };
    }
  }

  /** It may go on for days: one line per outage is enough. */
  #fail(error: unknown): void {
    const { log } = this.#ports;
    const { namespace, name } = this.#options.lease;
    const lease = `${namespace}/${name}`;
    if (this.#trouble === undefined) {
      log.warn('the Lease cannot be reached', { lease, error: describeError(error) });
    }
    this.#trouble = `Lease ${lease}: ${describeError(error)}`;
  }

  #mend(): void {
    if (this.#trouble !== undefined) this.#ports.log.info('the Lease is reached again');
    this.#trouble = undefined;
  }

  #handicapMs(): number {
    const { lease } = this.#state;
    const restMsLeft = Math.max(0, this.#restUntilMs - this.#ports.clock.monotonicMs());
    // Nobody ever led: nobody knows more.
    const isFit = this.#options.isCurrent() || lease?.transitions === 0;
    return restMsLeft + (isFit ? 0 : handicapMs);
  }

  async #hold(action: Exclude<ElectionAction, { kind: 'wait' }>): Promise<void> {
    const { kube, clock, metrics, log } = this.#ports;
    const holding = {
      holder: holderText(this.#options.self),
      address: this.#options.address(),
      viewRevision: this.#viewOf(action),
      transitions: action.transitions,
      isTaking: action.kind === 'take',
      nowMs: clock.now(),
    };
    const begunMs = clock.monotonicMs();
    const before = this.#state.lease;
    try {
      const granted = await this.#withDeadline(
        action.kind === 'make'
          ? kube.create(this.#path(), toNewLease(this.#options.lease, holding))
          : kube.mergePatch(
              this.#path(),
              this.#name(),
              toHoldingPatch(action.over, holding),
              fieldManager,
            ),
      );
      this.#mend();
      const { lease } = this.#state;
      const isLate = lease !== before && lease !== undefined;
      if (action.kind === 'make') {
        if (!isLate) this.#see(granted);
        return;
      }
      // After a long pause the answer may be older than what the watch has brought since.
      if (isLate && lease.holder !== holding.holder) return;
      if (action.kind === 'take') {
        log.info('lease taken: this replica leads', { ...holding });
        this.#removalsTold = action.over.holder === '' ? action.over.removals : undefined;
      }
      this.#become(grantLease(this.#state, readLease(granted), begunMs));
    } catch (error) {
      metrics.count('mesh_leader_failures_total');
      const code = error instanceof MeshError ? error.code : '';
      const isOutdated = ['KUBE_CONFLICT', 'KUBE_EXISTS', 'KUBE_NOT_FOUND'].includes(code);
      if (!isOutdated) throw error;
      const read = kube.list({ ...this.#path(), name: this.#name() });
      this.#see(
        (await this.#withDeadline(read)).find(({ metadata }) => metadata.name === this.#name()),
      );
    }
  }

  /** One that takes over keeps what the former knew; one that leads knows by itself. */
  #viewOf({ kind, over }: Exclude<ElectionAction, { kind: 'wait' }>): number {
    const [own, known] = [this.#options.viewRevision(), over?.viewRevision ?? 0];
    return kind !== 'renew' || own === 0 ? Math.max(own, known) : own;
  }

  #become(next: ElectionState): void {
    const wasLeading = this.isLeading();
    this.#state = next;
    if (wasLeading && !this.isLeading()) {
      this.#ports.log.warn('another replica leads: this one stands by', {
        holder: next.lease?.holder ?? '',
      });
    }
    const told = `${this.isLeading()} ${this.leaderAddress() ?? ''}`;
    if (told === this.#told) return;
    this.#told = told;
    this.#ports.metrics.gauge('mesh_leader_is_leading', this.isLeading() ? 1 : 0);
    for (const listener of this.#listeners) listener();
  }

  #path() {
    return leasesPath(this.#options.lease);
  }

  #name(): string {
    return this.#options.lease.name;
  }

  #withDeadline<T>(asked: Promise<T>): Promise<T> {
    const { clock } = this.#ports;
    return new Promise((resolve, reject) => {
      const late = new MeshError('retryable', 'KUBE_TIMEOUT', `Lease: no answer in ${answerMs} ms`);
      const timer = clock.after(answerMs, () => reject(late));
      asked.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}

const fieldManager = 'isthmus-agent';
