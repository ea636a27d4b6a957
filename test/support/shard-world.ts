// A shard applier in a simulated member cluster: the real API machinery over a store in memory,
// an assignment that the test writes, a person with all rights, and time by hand.

import type { ServiceKey } from '../../common/model/ids.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import type { ShardResult } from '../../common/model/shard.ts';
import { createInformer, type Informer } from '../../common/runtime/informer.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { memberKinds } from '../../coordinator/api/kinds/member/member.ts';
import type { RecordEvent } from '../../agent/shard/assignment.ts';
import { createShardApplier } from '../../agent/shard/loop.ts';
import type { LocalGuard } from '../../agent/shard/plan-guard.ts';
import { createTestAssignment } from './agent-fixture.ts';
import { createManualClock } from './manual-clock.ts';
import { createSimKube } from './sim-kube.ts';

/** An applier over the real API machinery; `keys` of Services are the tests' own. */
export async function startShardWorld(
  seed: number,
  guard: LocalGuard = { allowedNamespaces: [], removalsPerMinute: 1_000 },
  /** Keys of Services that the watch has not told of yet. */
  unseen: ReadonlySet<string> = new Set(),
) {
  const clock = createManualClock();
  let turn = seed;
  const chance = {
    fraction: () => {
      turn = (turn * 1_103_515_245 + 12_345) % 2 ** 31;
      return turn / 2 ** 31;
    },
    uuid: () => {
      turn += 1;
      return `00000000-0000-4000-8000-${String(turn).padStart(12, '0')}`;
    },
    bytes: (count: number) => new Uint8Array(count),
  };
  const sim = await createSimKube({ kinds: memberKinds(), clock, chance });
  const kube = sim.client('isthmus-agent');
  const hand = sim.client('somebody');
  const asked = hand.create(
    { apiVersion: 'v1', plural: 'namespaces' },
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
    },
  );
  await clock.advance(1_000);
  await asked;
  const assignment = createTestAssignment();
  const watched = createInformer({
    kube,
    log: silentLog,
    path: { apiVersion: 'v1', plural: 'services' },
    pick: (object: KubeObject) => object as Service,
  });
  const services: Informer<Service> = {
    ...watched,
    get: (key) => (unseen.has(key) ? undefined : watched.get(key)),
  };
  const results = new Map<ServiceKey, ShardResult>();
  const told: ShardResult[] = [];
  const events: Parameters<RecordEvent>[0][] = [];
  const gateListeners = new Set<(isFresh: boolean) => void>();
  const open = () =>
    createShardApplier(
      {
        kube,
        services,
        assignment,
        gate: {
          isFresh: () => sim.state() === 'up',
          subscribe: (listener) => {
            gateListeners.add(listener);
            return () => void gateListeners.delete(listener);
          },
        },
        report: (result) => {
          told.push(result);
          results.set(result.key, result);
        },
        record: (event) => void events.push(event),
        clock,
        chance,
        log: silentLog,
        metrics: silentMetrics,
      },
      { federation: 'fed', guard },
    );
  let applier = open();
  await clock.advance(1_000);
  const setState = async (state: 'up' | 'down' | 'frozen'): Promise<void> => {
    sim.set(state);
    // What the active check does: it finds the server back and stirs the watches.
    if (state !== 'up') {
      const failing = kube.version().catch(() => undefined);
      await clock.advance(2_500);
      await failing;
    } else {
      const answering = kube.version().catch(() => undefined);
      await clock.advance(100);
      await answering;
    }
    for (const listener of gateListeners) listener(state === 'up');
  };
  /** Another life of the agent. */
  const restart = async (): Promise<void> => {
    await applier.stop();
    applier = open();
    await clock.advance(1_000);
  };
  const stop = async (): Promise<void> => {
    await applier.stop();
    services.stop();
    await sim.close();
  };
  return { clock, sim, hand, assignment, results, told, events, setState, restart, stop };
}
export type ShardWorld = Awaited<ReturnType<typeof startShardWorld>>;

/** A call of somebody else's, given the time that it needs; its refusal is no fault of ours. */
export async function byHand<T>(world: ShardWorld, call: Promise<T>): Promise<T | undefined> {
  const settled = call.catch(() => undefined);
  await world.clock.advance(50);
  return await settled;
}

/** The Service as it stands, managedFields included. */
export async function readService(
  world: ShardWorld,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<Service | undefined> {
  const path = { apiVersion: 'v1', plural: 'services', namespace };
  return (await byHand(world, world.hand.get(path, name))) as Service | undefined;
}
