// Replicas of an agent elect one among them, whatever the network, the API server and people do.

import test from 'ava';
import fc from 'fast-check';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { createElection, type Election } from '../../agent/leader/loop.ts';
import {
  leaseMs,
  mayWrite,
  planElection,
  seeLease,
  startElection,
  unknownHolder,
  writesEndMs,
  type LeaseView,
} from '../../agent/leader/step.ts';
import { LeaseServer, type LeaseClient } from '../support/lease-server.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';

const stepMs = 250;
const names = ['a', 'b', 'c'] as const;

interface Replica {
  readonly name: string;
  readonly election: Election;
  readonly client: LeaseClient;
}

class World {
  readonly clock: ManualClock = createManualClock();
  readonly server: LeaseServer;
  readonly replicas = new Map<string, Replica>();
  readonly faults: string[] = [];
  #lives = 0;
  #recreatedAtMs = -Infinity;
  #startedAtMs = -Infinity;
  #lastWriter = { name: '', atMs: -Infinity, isOver: true };

  constructor(delays: readonly number[]) {
    let at = 0;
    this.server = new LeaseServer(this.clock, () => delays[(at += 1) % delays.length] ?? 0);
  }

  /**
   * A Lease made anew under its holder: who first looks just then cannot know that there is one. It
   * looks as a new installation's does.
   */
  recreate(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.#startedAtMs + leaseMs) return;
    if ([...this.replicas.values()].some(({ client }) => !client.hasLooked())) return;
    this.server.recreate();
    this.#recreatedAtMs = nowMs;
  }

  delete(): void {
    this.server.delete();
  }

  start(name: string, isSamePod = false): void {
    const isTooSoon = this.clock.monotonicMs() < this.#recreatedAtMs + leaseMs;
    if (this.replicas.has(name) || isTooSoon) return;
    this.#startedAtMs = this.clock.monotonicMs();
    this.#lives += 1;
    const client = this.server.client();
    const life = this.#lives;
    const election = createElection(
      {
        kube: client.kube,
        // Every machine counts from an origin of its own.
        clock: shifted(this.clock, life * 1_000_000),
        chance: { fraction: () => 0.5, uuid: () => 'u', bytes: (count) => new Uint8Array(count) },
        log: silentLog,
        metrics: silentMetrics,
      },
      {
        lease: { namespace: 'x', name: 'agent' },
        self: { pod: isSamePod ? `pod-${name}` : `pod-${name}-${life}`, life: String(life) },
        address: () => `10.0.0.${life}:9081`,
        viewRevision: () => 0,
        removals: () => 0,
        isCurrent: () => name !== 'c',
      },
    );
    election.start();
    this.replicas.set(name, { name, election, client });
  }

  /** SIGTERM: the acting part has ended before the lease is given back. */
  stop(name: string): void {
    const replica = this.replicas.get(name);
    this.replicas.delete(name);
    if (this.#lastWriter.name === name) this.#lastWriter.isOver = true;
    void replica?.election.stop();
  }

  /** SIGKILL: nothing of it is heard again. */
  kill(name: string): void {
    const replica = this.replicas.get(name);
    this.replicas.delete(name);
    replica?.client.setCut(true);
  }

  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.clock.advance(stepMs);
      this.#check();
    }
  }

  #check(): void {
    const nowMs = this.clock.monotonicMs();
    const writers = [...this.replicas.values()].filter(({ election }) => election.mayWrite());
    if (writers.length > 1) {
      this.faults.push(`${nowMs}: ${writers.map(({ name }) => name).join(' and ')} may write`);
    }
    const [writer] = writers;
    if (writer === undefined) return;
    const last = this.#lastWriter;
    const isOther = last.name !== '' && last.name !== writer.name;
    // E2: its last call, of 10 s, has ended.
    if (isOther && !last.isOver && nowMs - last.atMs < writesEndMs - stepMs) {
      this.faults.push(
        `${nowMs}: ${writer.name} writes ${nowMs - last.atMs} ms after ${last.name}`,
      );
    }
    this.#lastWriter = { name: writer.name, atMs: nowMs, isOver: false };
  }
}

function shifted(clock: Clock, byMs: number): Clock {
  return { ...clock, monotonicMs: () => clock.monotonicMs() + byMs };
}

const nameOf = fc.constantFrom(...names);
const eventOf = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), name: nameOf }),
  fc.record({ kind: fc.constant('heal' as const), name: nameOf }),
  fc.record({ kind: fc.constant('kill' as const), name: nameOf }),
  fc.record({ kind: fc.constant('stop' as const), name: nameOf }),
  fc.record({ kind: fc.constant('start' as const), name: nameOf }),
  fc.record({ kind: fc.constant('delete' as const), name: nameOf }),
  fc.record({ kind: fc.constant('recreate' as const), name: nameOf }),
);

test('I12: never do two replicas write at once, nor one while a call of the other may last', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 1_400 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 30_000 }), eventOf), { maxLength: 14 }),
      async (delays, events) => {
        const world = new World(delays);
        for (const name of names) world.start(name);
        for (const [waitMs, { kind, name }] of events) {
          await world.run(waitMs);
          if (kind === 'cut' || kind === 'heal') {
            world.replicas.get(name)?.client.setCut(kind === 'cut');
          } else if (kind === 'delete') world.delete();
          else if (kind === 'recreate') world.recreate();
          else world[kind](name);
        }
        for (const { client } of world.replicas.values()) client.setCut(false);
        await world.run(leaseMs);
        world.start('a');
        await world.run(4 * leaseMs);
        const leading = [...world.replicas.values()].filter(({ election }) => election.isLeading());
        return world.faults.length === 0 && leading.length === 1
          ? true
          : Promise.reject(new Error(`${leading.length} lead; ${world.faults.join('; ')}`));
      },
    ),
    { numRuns: 100 },
  );
  t.pass();
});

test('a lease that is given back is taken at once; one whose holder died, after 20 s', async (t) => {
  const world = new World([20]);
  world.start('a');
  await world.run(1_000);
  t.true(world.replicas.get('a')?.election.isLeading());
  world.start('b');
  await world.run(5_000);
  t.false(world.replicas.get('b')?.election.isLeading());
  t.regex(world.replicas.get('b')?.election.leaderAddress() ?? '', /^10\.0\.0\.1:9081$/);
  world.stop('a');
  await world.run(500);
  t.true(world.replicas.get('b')?.election.isLeading());
  world.start('a');
  await world.run(1_000);
  world.kill('b');
  await world.run(14_000);
  t.false(world.replicas.get('a')?.election.isLeading());
  await world.run(8_000);
  t.true(world.replicas.get('a')?.election.isLeading());
  t.deepEqual(world.faults, []);
});

test('a container that starts again in its Pod takes its lease back at once', async (t) => {
  const world = new World([20]);
  world.start('a', true);
  await world.run(1_000);
  world.kill('a');
  world.start('a', true);
  await world.run(1_000);
  t.true(world.replicas.get('a')?.election.mayWrite());
});

test('a holder that no API server answers goes on speaking, writes nothing, and yields to a newer one', async (t) => {
  const world = new World([20]);
  world.start('a');
  await world.run(1_000);
  world.start('b');
  await world.run(1_000);
  const [a, b] = [world.replicas.get('a'), world.replicas.get('b')];
  a?.client.setCut(true);
  b?.client.setCut(true);
  await world.run(60_000);
  t.true(a?.election.isLeading());
  t.false(a?.election.mayWrite());
  t.false(b?.election.isLeading());
  b?.client.setCut(false);
  await world.run(25_000);
  t.true(b?.election.mayWrite());
  t.true(a?.election.isLeading()); // it cannot know yet; it does not write
  a?.election.noteSuperseded(); // the coordinator knows
  t.false(a?.election.isLeading());
  a?.client.setCut(false);
  await world.run(2_000);
  t.false(a?.election.isLeading());
  t.true(b?.election.mayWrite());
  t.deepEqual(world.faults, []);
});

test('I12: who was cut off while the Lease went twice makes it, and takes it from nobody', async (t) => {
  const world = new World([20]);
  world.start('a');
  await world.run(1_000);
  world.start('b');
  world.start('c');
  await world.run(1_000);
  world.replicas.get('a')?.client.setCut(true);
  world.delete();
  await world.run(1_000);
  t.is(world.server.holder, unknownHolder);
  world.replicas.get('b')?.client.setCut(true); // it last heard that nobody holds it
  await world.run(30_000);
  t.true(world.replicas.get('c')?.election.mayWrite());
  world.kill('a');
  await world.run(200_000);
  world.delete();
  world.replicas.get('b')?.client.setCut(false);
  await world.run(1_000);
  t.true(world.replicas.get('c')?.election.mayWrite());
  t.false(world.replicas.get('b')?.election.isLeading());
  t.deepEqual(world.faults, []);
});

test('a Lease deleted under its holder leaves it the lead without a gap, others or none', async (t) => {
  const world = new World([20]);
  world.start('a');
  await world.run(1_000);
  const turns: boolean[] = [];
  world.replicas.get('a')?.election.subscribe(() => turns.push(false));
  for (const other of ['', 'b']) {
    if (other !== '') world.start(other);
    await world.run(1_000);
    world.delete();
    for (let step = 0; step < 40; step += 1) {
      await world.run(stepMs);
      t.true(world.replicas.get('a')?.election.mayWrite());
    }
    t.regex(world.server.holder, /^pod-a-/);
  }
  t.deepEqual(turns, []);
  t.deepEqual(world.faults, []);
});

test('I13: the count of holders outlives a Lease that is deleted', async (t) => {
  const world = new World([20]);
  world.start('a');
  await world.run(1_000);
  world.stop('a');
  world.start('b');
  await world.run(1_000);
  t.is(world.replicas.get('b')?.election.transitions(), 2);
  world.delete();
  await world.run(1_000);
  t.is(world.replicas.get('b')?.election.transitions(), 2);
  world.start('a');
  await world.run(1_000);
  world.kill('b');
  world.delete();
  await world.run(leaseMs + 1_000);
  t.is(world.replicas.get('a')?.election.transitions(), 3);
});

const held: LeaseView = {
  uid: 'u1',
  resourceVersion: '1',
  holder: 'pod-a_1',
  durationMs: leaseMs,
  transitions: 1,
  address: undefined,
  viewRevision: 0,
  removals: undefined,
};

test('a Lease that came back empty is left alone for a whole lease, whoever labels it meanwhile', (t) => {
  const anew = { ...held, uid: 'u2', resourceVersion: '2', holder: '', transitions: 0 };
  let state = startElection({ pod: 'pod-b', life: '1' }, 0);
  state = seeLease(state, held, 0);
  state = seeLease(state, anew, 1_000);
  state = seeLease(state, { ...anew, resourceVersion: '3' }, 2_000);
  t.deepEqual(planElection(state, 2_000, 0), { kind: 'wait', forMs: leaseMs - 1_000 });
  const over = { ...anew, resourceVersion: '3' };
  t.deepEqual(planElection(state, leaseMs + 1_000, 0), { kind: 'take', over, transitions: 1 });
  // Released by who took it meanwhile: at once.
  state = seeLease(state, { ...anew, holder: 'pod-c_1', resourceVersion: '4' }, 3_000);
  state = seeLease(state, { ...anew, resourceVersion: '5' }, 4_000);
  t.is(planElection(state, 4_000, 0).kind, 'take');
});

test('who is emptied by hand gives up; who finds another empty one goes on', (t) => {
  const started = startElection({ pod: 'pod-a', life: '1' }, 0);
  const holding = { ...seeLease(started, held, 0), provenMs: 0 };
  t.true(mayWrite(holding, 1_000));
  t.false(mayWrite(seeLease(holding, { ...held, resourceVersion: '2', holder: '' }, 1_000), 1_000));
  const anew = { ...held, uid: 'u2', resourceVersion: '2', holder: '' };
  t.true(mayWrite(seeLease(holding, anew, 1_000), 1_000));
  t.is(planElection(seeLease(holding, anew, 1_000), 1_000, 0).kind, 'take');
  // Too late to be sure: as anybody else.
  t.false(mayWrite(seeLease(holding, anew, writesEndMs), writesEndMs));
  t.is(planElection(seeLease(holding, anew, writesEndMs), writesEndMs, 0).kind, 'wait');
});
