// The fold of reports converges to what the agent has, whatever the bus loses, repeats or
// reorders, as long as it goes on asking.

import test from 'ava';
import fc from 'fast-check';
import {
  toClusterName,
  toRevision,
  toServiceKey,
  type ServiceKey,
} from '../../common/model/ids.ts';
import type { ShardReadiness, TelemetryMessage } from '../../common/model/telemetry.ts';
import { SumDigest } from '../../common/pure/digest.ts';
import { toReportItem } from '../../common/pure/report-digest.ts';
import { ClusterReports } from '../../coordinator/health/fold.ts';

const cluster = toClusterName('aws');
const keyAt = (index: number): ServiceKey =>
  toServiceKey({ namespace: 'default', name: `s${index}` });
const keys = [0, 1, 2, 3, 4, 5].map(keyAt);
const emptyDigest = new SumDigest().value();

/** An agent of few lines: the truth that the fold must reach. */
class Agent {
  readonly items = new Map<ServiceKey, ShardReadiness>();
  boot = 1;
  sequence = 0;
  beats = 0;

  change(key: ServiceKey, ready: number): TelemetryMessage {
    const item = { key, ready, serving: ready, terminating: 0, total: 9 };
    const isRemoval = ready === 0;
    if (isRemoval) this.items.delete(key);
    else this.items.set(key, item);
    this.sequence += 1;
    return {
      ...this.#sender(),
      kind: 'delta',
      report: 'health',
      sequence: this.sequence,
      previousSequence: this.sequence - 1,
      changed: isRemoval ? [] : [item],
      removed: isRemoval ? [key] : [],
    };
  }

  full(parts: number): readonly TelemetryMessage[] {
    if (this.sequence === 0) this.sequence = 1;
    const all = [...this.items.values()];
    return Array.from({ length: parts }, (_, index) => ({
      ...this.#sender(),
      kind: 'full',
      report: 'health',
      sequence: this.sequence,
      part: index + 1,
      parts,
      items: all.filter((_item, at) => at % parts === index),
    }));
  }

  heartbeat(): TelemetryMessage {
    this.beats += 1;
    const digest = new SumDigest();
    for (const item of this.items.values()) digest.add(toReportItem('health', item));
    return {
      ...this.#sender(),
      kind: 'heartbeat',
      sequence: this.beats,
      viewRevision: toRevision(1),
      healthDigest: digest.value(),
      ingressDigest: emptyDigest,
      healthSequence: this.sequence,
      ingressSequence: 1,
      apiFresh: true,
      apiAgeMs: 0,
    };
  }

  restart(): void {
    this.boot += 1;
    this.sequence = 0;
    this.beats = 0;
  }

  #sender() {
    return { cluster, incarnation: { session: 1, boot: this.boot } };
  }
}

type Step =
  | { readonly kind: 'change'; readonly key: number; readonly ready: number }
  | { readonly kind: 'full'; readonly parts: number }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'restart' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('change' as const),
        key: fc.nat(5),
        ready: fc.nat(3),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('full' as const),
        parts: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('heartbeat' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  ),
  { maxLength: 40 },
);
/** For each message: lost, once or twice, and how late. */
const fates = fc.array(fc.record({ copies: fc.nat(2), delay: fc.nat(6) }), {
  minLength: 1,
  maxLength: 50,
});

function messagesOf(agent: Agent, step: Step): readonly TelemetryMessage[] {
  switch (step.kind) {
    case 'change':
      return [agent.change(keyAt(step.key), step.ready)];
    case 'full':
      return agent.full(step.parts);
    case 'heartbeat':
      return [agent.heartbeat()];
    case 'restart':
      agent.restart();
      return [];
  }
}

/** What the bus makes of the messages: losses, copies, other orders. */
function distort(
  messages: readonly TelemetryMessage[],
  fate: readonly { readonly copies: number; readonly delay: number }[],
): readonly TelemetryMessage[] {
  return messages
    .flatMap((message, at) => {
      const { copies, delay } = fate[at % fate.length] ?? { copies: 1, delay: 0 };
      return Array.from({ length: copies }, (_, copy) => ({
        message,
        due: at + delay * (copy + 1),
      }));
    })
    .map((one, order) => ({ ...one, order }))
    .sort((a, b) => a.due - b.due || a.order - b.order)
    .map(({ message }) => message);
}

function held(reports: ClusterReports): Readonly<Record<string, number>> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const item = reports.readiness(key);
      return item === undefined ? [] : [[key, item.ready]];
    }),
  );
}

function truth(agent: Agent): Readonly<Record<string, number>> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const item = agent.items.get(key);
      return item === undefined ? [] : [[key, item.ready]];
    }),
  );
}

test('the fold converges under loss, copies and reordering once the last words arrive', (t) => {
  fc.assert(
    fc.property(steps, fates, (all, fate) => {
      const agent = new Agent();
      const reports = new ClusterReports();
      const sent = all.flatMap((step) => messagesOf(agent, step));
      for (const message of distort(sent, fate)) reports.fold(message);
      // Quiet: one heartbeat arrives; what it makes the coordinator ask for arrives too.
      reports.fold(agent.heartbeat());
      if (reports.wantsSync('health')) for (const page of agent.full(2)) reports.fold(page);
      t.deepEqual(held(reports), truth(agent));
      t.false(reports.wantsSync('health'));
    }),
    { numRuns: 500 },
  );
});

test('whenever the fold says that it is complete at the newest sequence, it is', (t) => {
  fc.assert(
    fc.property(steps, fates, (all, fate) => {
      const agent = new Agent();
      const reports = new ClusterReports();
      const sent = all.flatMap((step) => messagesOf(agent, step));
      for (const message of distort(sent, fate)) reports.fold(message);
      const before = reports.wantsSync('health');
      reports.fold(agent.heartbeat());
      const isComplete =
        !before && !reports.wantsSync('health') && reports.incarnation()?.boot === agent.boot;
      if (isComplete && agent.sequence > 0) t.deepEqual(held(reports), truth(agent));
      else t.pass();
    }),
    { numRuns: 500 },
  );
});

test('telling everything twice, in any order, changes nothing', (t) => {
  fc.assert(
    fc.property(steps, (all) => {
      const agent = new Agent();
      const once = new ClusterReports();
      const sent = all.flatMap((step) => messagesOf(agent, step));
      for (const message of sent) once.fold(message);
      const before = held(once);
      for (const message of [...sent].reverse()) once.fold(message);
      for (const message of sent) once.fold(message);
      t.deepEqual(held(once), before);
    }),
    { numRuns: 300 },
  );
});

test('F5: a message of an earlier life changes nothing and proves nothing', (t) => {
  const agent = new Agent();
  const reports = new ClusterReports();
  const old = [agent.change(keyAt(0), 1), agent.heartbeat()];
  agent.restart();
  for (const page of agent.full(1)) reports.fold(page);
  const before = held(reports);
  for (const message of old) {
    const outcome = reports.fold(message);
    t.like(outcome, { kind: 'older', isProofOfLife: false });
  }
  t.deepEqual(held(reports), before);
});

test('F6: a heartbeat is proof of life once', (t) => {
  const agent = new Agent();
  const reports = new ClusterReports();
  const [first, second] = [agent.heartbeat(), agent.heartbeat()];
  t.true(reports.fold(second).isProofOfLife);
  t.false(reports.fold(first).isProofOfLife);
  t.false(reports.fold(second).isProofOfLife);
});
