// One run of one seed. Safety: people work, faults strike, checkers look after each step.
// Liveness: faults end, everything heals, people go home; within a stated time shards, names and
// statuses must equal the wish, and after that nothing writes any more.

import type { Log } from '../../common/runtime/log.ts';
import { driftRoundMs } from '../../coordinator/dns/apply/zone-drift.ts';
import { findDifference } from './convergence.ts';
import { startFaults, type FaultName } from './faults.ts';
import { createWorld, type Bug, type World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  readonly bug?: Bug;
  readonly onLine?: (line: string) => void;
  readonly log?: Log;
  /** Virtual time with faults. */
  readonly safetyMs?: number;
  /** Just these faults, and often; else the seed chooses. */
  readonly only?: readonly FaultName[];
  /** Hands edit the zone at the provider, whatever the seed says. */
  readonly isEdited?: boolean;
}

export interface Outcome {
  readonly seed: number;
  /** Undefined: all is well. */
  readonly failure: string | undefined;
  readonly digest: string;
  readonly tail: readonly string[];
  readonly virtualMs: number;
  /** Virtual time from the end of the faults until everything had converged. */
  readonly convergedMs: number;
}

const safetyDefaultMs = 120_000;
const stepMs = 250;
/**
 * Hold-downs last up to 60 s, a watch that hangs is given up after 100 s; a cluster that leaves waits
 * for a TTL and for its guard before it may come back.
 */
const convergenceMs = 420_000;
const quietMs = 30_000;

export async function runSeed(options: RunOptions): Promise<Outcome> {
  const world = await createWorld(options);
  const { clock, trace, user } = world;
  const chance = world.chance.fork('run');
  user.start(chance.between(300, 2_500));
  const faults = startFaults(world, options.only);
  const safetyMs = options.safetyMs ?? safetyDefaultMs;
  await stepUntil(world, () => false, safetyMs);
  let failure = violationOf(world);
  const fromMs = clock.monotonicMs();
  let toMs = fromMs;
  if (failure === undefined) {
    user.stop();
    world.operator.settle();
    world.placer.settle();
    world.weigher.settle();
    world.registrar.settle();
    world.provider.settle();
    faults.stop();
    const withinMs = convergenceMs + (world.provider.isEdited ? driftRoundMs : 0);
    const isConverged = await stepUntil(world, () => findDifference(world) === undefined, withinMs);
    toMs = clock.monotonicMs();
    failure =
      violationOf(world) ??
      (isConverged
        ? await findUnrest(world)
        : `not converged ${withinMs} ms after the faults: ${findDifference(world)}`);
  }
  if (failure === undefined) {
    for (const checker of world.checkers) checker.onConverged?.();
    failure = violationOf(world);
  }
  trace.note(failure === undefined ? 'END all is well' : `END ${failure}`);
  return {
    seed: options.seed,
    failure,
    digest: trace.digest(),
    tail: trace.tail(),
    virtualMs: clock.monotonicMs(),
    convergedMs: toMs - fromMs,
  };
}

function violationOf(world: World): string | undefined {
  return world.violations[0];
}

/** Steps until it is true or a checker objects; false when neither came in time. */
async function stepUntil(world: World, isTrue: () => boolean, withinMs: number): Promise<boolean> {
  const endMs = world.clock.monotonicMs() + withinMs;
  while (world.clock.monotonicMs() < endMs) {
    await world.clock.advance(stepMs);
    for (const checker of world.checkers) checker.onStep?.();
    if (violationOf(world) !== undefined) return false;
    if (isTrue()) return true;
  }
  return false;
}

/** Loops go quiet: what keeps writing has not converged. */
async function findUnrest(world: World): Promise<string | undefined> {
  await stepUntil(world, () => false, quietMs / 3); // events and last statuses
  // A renewal is no unrest: the log has one write for each certificate, which replicas keep in a
  // Secret, and a Lease is nothing else.
  const logs = (): string =>
    [
      world.disk.memory.log.filter(({ key }) => !key.includes('/events/')).length -
        world.cas.signed,
      ...[...world.clusters.values()].map(
        ({ kube }) => kube.writes.filter((write) => !/\/(leases|secrets)\//.test(write)).length,
      ),
    ].join();
  const before = logs();
  await stepUntil(world, () => false, quietMs);
  if (violationOf(world) !== undefined) return undefined;
  const difference = findDifference(world);
  if (difference !== undefined) return `it did not last: ${difference}`;
  return logs() === before ? undefined : `something still writes: ${before} became ${logs()}`;
}
