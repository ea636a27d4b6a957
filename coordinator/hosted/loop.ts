// Hosted agents: for each Cluster with credentials, an agent as a child of this process.
//
//   read log and children -> plan -> audit -> start, replace, stop, forget
//
//   L1. What a child says or how it ends only marks the loop; the next run reads all of it.
//   L2. Credentials leave the log for the child's stdin and nothing else (I9).
//   L3. A refreshed refresh token is written over the credentials that it came from, never over
//       newer ones, and is not told to the child that has it: also not by a run that reads it in the log
//       before who wrote it hears that it is there.

import { toClusterName, toLogPrefix, type ClusterName } from '../../common/model/ids.ts';
import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import type { EventRecorder, TermGuard } from '../../common/model/views.ts';
import { assertNever } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import { createLoop, type Loop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { FromHosted } from '../../common/wire/hosted-lines.ts';
import { followNew, type Desired, type StoredObject } from '../desired/store.ts';
import { doubtHosted } from './audit.ts';
import type { Children } from './children.ts';
import { createConditions, type HostedConditions } from './conditions.ts';
import {
  credentialsKey,
  credentialsPrefix,
  ownerUid,
  refreshed,
  textOf,
  toMessage,
} from './credentials.ts';
import { planHosted, type HostedAct, type HostedFacts } from './plan.ts';
import { hasCondition, type HostedState } from './plan-condition.ts';
import type { MadeToken, Running } from './running.ts';
import { stepEnd } from './step.ts';

export interface HostedPorts {
  readonly desired: Desired;
  readonly children: Children;
  /** A join token for this cluster alone. */
  readonly makeToken: (cluster: ClusterName) => Promise<MadeToken>;
  readonly term: TermGuard;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface HostedAgents {
  start(): void;
  idle(): Promise<void>;
  /** Ends every child, and waits for that. */
  stop(): Promise<void>;
}

const clustersPrefix = toLogPrefix(isthmusGroup, 'clusters');

export function createHostedAgents(
  ports: HostedPorts,
  options: { readonly agentsMax: number },
): HostedAgents {
  return new Hosted(ports, options.agentsMax);
}

const all = 'all';
// A full disk is freed by a person.
const keepAgainMs = 5_000;

class Hosted implements HostedAgents {
  readonly #ports: HostedPorts;
  readonly #agentsMax: number;
  readonly #running = new Map<string, Running>();
  readonly #refused = new Set<string>();
  readonly #loop: Loop<typeof all>;
  readonly #conditions: HostedConditions;
  readonly #unsubscribes: (() => void)[] = [];
  #isStopped = false;

  constructor(ports: HostedPorts, agentsMax: number) {
    this.#ports = ports;
    this.#agentsMax = agentsMax;
    this.#loop = createLoop<typeof all>({
      ...ports,
      name: 'hosted',
      run: () => this.#run(),
    });
    this.#conditions = createConditions(ports, (name, uid) => {
      if (this.#refused.has(name)) return { kind: 'refused', agentsMax };
      return this.#running.get(uid)?.told ?? { kind: 'starting' };
    });
  }

  start(): void {
    const { desired } = this.#ports;
    for (const prefix of [clustersPrefix, credentialsPrefix]) {
      const handle = followNew(desired, prefix, ({ kind, current }) => {
        const name = toClusterName(current.object.metadata.name);
        // Whatever else changes on a Cluster starts and ends no agent, and most have none.
        if (prefix === clustersPrefix && kind === 'modified') return;
        if (kind === 'added' && this.#credentialsOf(name) === undefined) return;
        this.#loop.mark(all);
        this.#conditions.mark(name);
      });
      this.#unsubscribes.push(() => handle.cancel());
    }
    for (const { object } of desired.list(clustersPrefix)) {
      const name = toClusterName(object.metadata.name);
      if (hasCondition(object) || this.#credentialsOf(name) !== undefined)
        this.#conditions.mark(name);
    }
    this.#loop.mark(all);
  }

  async idle(): Promise<void> {
    await this.#loop.idle();
    await this.#conditions.idle();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    await this.#loop.stop();
    await Promise.all([...this.#running.values()].map(({ child }) => child?.stop()));
    await this.#conditions.stop();
  }

  async #run(): Promise<{ readonly againAfterMs: number } | undefined> {
    if (this.#isStopped) return undefined;
    const { log, metrics } = this.#ports;
    const facts = await this.#read();
    const acts = planHosted(facts);
    const doubt = doubtHosted(facts, acts);
    if (doubt !== undefined) {
      log.error('plan of hosted agents refused by audit', { doubt });
      metrics.count('mesh_hosted_audit_refusals_total');
      return undefined;
    }
    this.#noteRefused(acts);
    for (const act of acts) await this.#perform(act);
    metrics.gauge('mesh_hosted_agents', this.#running.size);
    const waits = acts.flatMap((act) => (act.kind === 'wait' ? [act.delayMs] : []));
    return waits.length === 0 ? undefined : { againAfterMs: Math.min(...waits) };
  }

  async #read(): Promise<HostedFacts> {
    const { desired, children, clock } = this.#ports;
    return {
      clusters: [...desired.list(clustersPrefix)].map(({ object: { metadata } }) => ({
        name: metadata.name,
        uid: metadata.uid ?? '',
        createdAt: metadata.creationTimestamp ?? '',
      })),
      credentials: [...desired.list(credentialsPrefix)].map(({ object, revision }) => ({
        name: object.metadata.name,
        uid: ownerUid(object),
        revision,
      })),
      children: [...this.#running.values()].map(({ name, uid, state, revision, dueMs }) => ({
        name,
        uid,
        state,
        revision,
        dueMs,
      })),
      folders: await children.folders(),
      agentsMax: this.#agentsMax,
      nowMs: clock.monotonicMs(),
    };
  }

  #noteRefused(acts: readonly HostedAct[]): void {
    const refused = new Set(acts.flatMap((act) => (act.kind === 'refuse' ? [act.name] : [])));
    for (const name of [...refused, ...this.#refused]) {
      if (refused.has(name) !== this.#refused.has(name)) this.#conditions.mark(toClusterName(name));
    }
    this.#refused.clear();
    for (const name of refused) this.#refused.add(name);
  }

  async #perform(act: HostedAct): Promise<void> {
    switch (act.kind) {
      case 'start':
        return this.#start(toClusterName(act.name), act.uid);
      case 'replace':
        return this.#replace(act.uid);
      case 'stop':
        return this.#stop(act.uid);
      case 'forget':
        return this.#forget(toClusterName(act.name));
      case 'removeFolder':
        return this.#ports.children.removeFolder(act.uid);
      case 'wait':
      case 'refuse':
        return undefined;
      default:
        return assertNever(act);
    }
  }

  #credentialsOf(name: ClusterName): StoredObject | undefined {
    return this.#ports.desired.get(credentialsKey(name));
  }

  async #start(name: ClusterName, uid: string): Promise<void> {
    const { children, clock, log, metrics } = this.#ports;
    const stored = this.#credentialsOf(name);
    if (stored === undefined) return;
    const before = this.#running.get(uid);
    const running: Running = {
      name,
      uid,
      child: undefined,
      state: 'running',
      given: stored.revision,
      revision: stored.revision,
      startedMs: clock.monotonicMs(),
      dueMs: 0,
      failures: before?.revision === stored.revision ? before.failures : 0,
      told: before?.told ?? { kind: 'starting' },
      failure: '',
      keeping: undefined,
      tokens: before?.tokens ?? [],
    };
    this.#running.set(uid, running);
    this.#conditions.mark(name);
    metrics.count('mesh_hosted_starts_total');
    try {
      running.child = await children.start({
        cluster: name,
        uid,
        credentials: toMessage(stored),
        onMessage: (message) => this.#onMessage(running, message),
        onEnd: (how) => this.#onEnd(running, how),
      });
      log.info('hosted agent started', { cluster: name });
    } catch (error) {
      running.failure = describeError(error);
      this.#onEnd(running, 'a failed start');
    }
  }

  #replace(uid: string): void {
    const running = this.#running.get(uid);
    const stored = running && this.#credentialsOf(running.name);
    if (running === undefined || stored === undefined) return;
    // L3. Either may have come between what was read and now.
    if (running.revision === stored.revision || running.keeping === textOf(stored.object)) return;
    running.given = running.revision = stored.revision;
    this.#tell(running, { kind: 'started' });
    running.child?.send(toMessage(stored));
    this.#ports.log.info('hosted agent given other credentials', { cluster: running.name });
  }

  /** Not waited for: one that hangs delays no other (I10). */
  #stop(uid: string): void {
    const running = this.#running.get(uid);
    if (running === undefined) return;
    if (running.child === undefined || running.state === 'waiting') {
      this.#running.delete(uid);
      this.#loop.mark(all);
      return;
    }
    running.state = 'stopping';
    void running.child.stop();
  }

  async #forget(name: ClusterName): Promise<void> {
    const { desired, term, log } = this.#ports;
    const stored = this.#credentialsOf(name);
    if (stored === undefined) return;
    const { key, revision } = stored;
    await desired.write({ key, object: undefined, expected: revision, guard: term.guard() });
    log.info('credentials of a hosted cluster forgotten', { cluster: name });
  }

  #onMessage(running: Running, message: FromHosted): void {
    switch (message.kind) {
      case 'wantsToken':
        void this.#giveToken(running);
        return;
      case 'api': {
        if (message.revision < running.given) return; // of former credentials
        const { fault } = message;
        this.#tell(running, fault === undefined ? { kind: 'good' } : { kind: 'fault', fault });
        return;
      }
      case 'refreshed':
        void this.#keepTokens(running, message);
        return;
      case 'ready':
        void this.#removeTokens(running);
        return;
      case 'pong':
        return; // the adapter's
      case 'failed':
        running.failure = message.message;
        return;
      default:
        assertNever(message);
    }
  }

  async #giveToken(running: Running): Promise<void> {
    try {
      await this.#removeTokens(running); // who asks again has not used the last one
      const made = await this.#ports.makeToken(running.name);
      running.tokens = [...running.tokens, made];
      running.child?.send({ kind: 'token', token: made.token });
    } catch (error) {
      this.#ports.log.warn('no join token for a hosted agent; it asks again', {
        cluster: running.name,
        error: describeError(error),
      });
    }
  }

  async #removeTokens(running: Running): Promise<void> {
    const { tokens } = running;
    running.tokens = [];
    for (const { remove } of tokens) {
      await remove().catch((error: unknown) => {
        const fields = { cluster: running.name, error: describeError(error) };
        this.#ports.log.warn('a used join token stays until it expires', fields);
      });
    }
  }

  async #keepTokens(
    running: Running,
    message: Extract<FromHosted, { readonly kind: 'refreshed' }>,
  ): Promise<void> {
    const { desired, term, clock, log, metrics } = this.#ports;
    const stored = this.#credentialsOf(running.name);
    if (stored === undefined || stored.revision !== message.revision) return; // L3
    const object = refreshed(stored.object, message);
    const { key, revision } = stored;
    running.keeping = textOf(object);
    try {
      const outcome = await desired.write({ key, object, expected: revision, guard: term.guard() });
      metrics.count('mesh_hosted_refreshes_total', { outcome: outcome.kind });
      if (outcome.kind === 'written' && running.revision === revision) {
        running.revision = outcome.stored.revision;
        running.child?.send({ kind: 'revision', from: revision, revision: running.revision });
      }
    } catch (error) {
      log.error('the new refresh token of a hosted cluster is not stored; tried again', {
        cluster: running.name,
        error: describeError(error),
      });
      // The one that stands in the log may be dead already: while the agent lives, ours is the last.
      clock.after(keepAgainMs, () => {
        const isHere = this.#running.get(running.uid) === running && !this.#isStopped;
        if (isHere) void this.#keepTokens(running, message);
      });
    } finally {
      running.keeping = undefined;
      this.#loop.mark(all); // what it passed over meanwhile may have been others
    }
  }

  #onEnd(running: Running, how: string): void {
    if (this.#running.get(running.uid) !== running) return;
    const { clock, chance, log } = this.#ports;
    if (running.state === 'stopping' || this.#isStopped) {
      this.#running.delete(running.uid);
      log.info('hosted agent stopped', { cluster: running.name });
      this.#loop.mark(all);
      return;
    }
    const ranMs = clock.monotonicMs() - running.startedMs;
    const { failures } = running;
    const next = stepEnd({ failures, ranMs, fraction: chance.fraction() });
    running.failures = next.failures;
    running.dueMs = clock.monotonicMs() + next.delayMs;
    running.state = 'waiting';
    running.child = undefined;
    log.warn('hosted agent ended', { cluster: running.name, how, delayMs: next.delayMs });
    this.#tell(running, { kind: 'ended', how, message: running.failure });
    this.#loop.mark(all);
  }

  #tell(running: Running, state: HostedState): void {
    running.told = state;
    this.#conditions.mark(running.name);
  }
}
