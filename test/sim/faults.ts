// The faults of a run: the seed chooses which kinds there are and how often, so that they do not
// always drown each other. Each fault begins, lasts and ends; stop() ends all that still last.

import type { VirtualClock } from '../support/virtual-clock.ts';
import { sites } from './network.ts';
import { refuseWrites, startRival } from './rival.ts';
import type { SeededChance } from './seeded-chance.ts';
import { serviceNames } from './user.ts';
import type { World } from './world.ts';

export interface Faults {
  /** Heals everything, and begins nothing more. */
  stop(): void;
}

interface Fault {
  readonly name: string;
  /** Begins; returns what ends it. */
  readonly begin: (world: World, chance: SeededChance) => () => void;
  readonly lastsMs: readonly [number, number];
}

const anyCluster = (world: World, chance: SeededChance): string =>
  chance.pick([...world.clusters.keys()]);

const cutBetween =
  (others: (world: World, cluster: string, chance: SeededChance) => readonly string[]) =>
  (world: World, chance: SeededChance): (() => void) => {
    const cluster = anyCluster(world, chance);
    const way = chance.pick(['both', 'in', 'out']);
    const heals = others(world, cluster, chance).flatMap((site) => [
      ...(way === 'out' ? [] : [world.network.cut(site, cluster)]),
      ...(way === 'in' ? [] : [world.network.cut(cluster, site)]),
    ]);
    return () => heals.forEach((heal) => heal());
  };

const faults = [
  {
    name: 'agent crash',
    lastsMs: [10, 40_000],
    begin: ({ agents }, chance) => {
      const agent = chance.pick([...agents.values()]);
      agent.kill();
      return () => agent.start();
    },
  },
  {
    name: 'agent moved to another node',
    lastsMs: [10, 20_000],
    begin: ({ agents }, chance) => {
      const agent = chance.pick([...agents.values()]);
      agent.kill();
      return () => {
        agent.loseFolder();
        agent.start();
      };
    },
  },
  {
    name: 'agent stopped',
    lastsMs: [100, 45_000], // longer than a Lease
    begin: ({ agents }, chance) => {
      const agent = chance.pick([...agents.values()]);
      agent.pause();
      return () => agent.resume();
    },
  },
  {
    name: 'coordinator crash',
    lastsMs: [10, 15_000],
    begin: ({ coordinator }) => {
      coordinator.kill();
      return () => coordinator.start();
    },
  },
  {
    name: 'coordinator stopped',
    lastsMs: [50, 8_000],
    begin: ({ coordinator }) => {
      coordinator.pause();
      return () => coordinator.resume();
    },
  },
  {
    name: 'coordinator deposed',
    lastsMs: [1_000, 20_000],
    begin: ({ coordinator }) => coordinator.depose(),
  },
  {
    name: 'cluster cut off from coordinator and bus',
    lastsMs: [500, 60_000],
    begin: cutBetween(() => [sites.coordinator, sites.bus]),
  },
  {
    name: 'cluster cut off from bus',
    lastsMs: [500, 30_000],
    begin: cutBetween(() => [sites.bus]),
  },
  {
    name: 'cluster cut off from coordinator',
    lastsMs: [500, 30_000],
    begin: cutBetween(() => [sites.coordinator]),
  },
  {
    name: 'cluster cut off from another',
    lastsMs: [500, 60_000],
    begin: cutBetween((world, cluster, chance) => [
      chance.pick([...world.clusters.keys()].filter((name) => name !== cluster)),
    ]),
  },
  {
    name: 'cluster cut off from all',
    lastsMs: [500, 40_000],
    begin: cutBetween((world, cluster) => [
      sites.coordinator,
      sites.bus,
      ...[...world.clusters.keys()].filter((name) => name !== cluster),
    ]),
  },
  {
    name: 'bus down',
    lastsMs: [100, 20_000],
    begin: ({ bus }) => {
      bus.set(false);
      return () => bus.set(true);
    },
  },
  {
    name: 'cluster dead',
    lastsMs: [1_000, 60_000],
    begin: (world, chance) => {
      const name = anyCluster(world, chance);
      world.clusters.get(name)?.setPower(false);
      world.agents.get(name)?.killAll();
      return () => {
        world.clusters.get(name)?.setPower(true);
        world.agents.get(name)?.start();
      };
    },
  },
  {
    name: 'API server hangs',
    lastsMs: [500, 40_000],
    begin: (world, chance) => {
      const cluster = world.clusters.get(anyCluster(world, chance));
      if (cluster?.isUsable() !== true) return () => undefined;
      cluster.setApi('frozen');
      return () => cluster.setApi('up');
    },
  },
  {
    name: 'API server down',
    lastsMs: [100, 20_000],
    begin: (world, chance) => {
      const cluster = world.clusters.get(anyCluster(world, chance));
      if (cluster?.isUsable() !== true) return () => undefined;
      cluster.setApi('down');
      return () => cluster.setApi('up');
    },
  },
  {
    name: 'API server refuses writes',
    lastsMs: [500, 60_000],
    begin: (world, chance) => {
      const cluster = world.clusters.get(anyCluster(world, chance));
      if (cluster === undefined) return () => undefined;
      return refuseWrites(
        cluster,
        chance,
        chance.isTrue(0.5) ? chance.pick(serviceNames) : undefined,
      );
    },
  },
  {
    name: 'another manager fights for a shard',
    lastsMs: [2_000, 70_000],
    begin: (world, chance) => {
      const cluster = world.clusters.get(anyCluster(world, chance));
      if (cluster === undefined) return () => undefined;
      const { clock, trace, onWrittenBack } = world;
      const name = chance.pick(serviceNames);
      return startRival({ cluster, name, clock, chance, trace, onWrittenBack });
    },
  },
  {
    name: 'store in trouble',
    lastsMs: [100, 10_000],
    begin: ({ disk }, chance) => {
      disk.setFaults({
        unavailable: chance.pick([0, 0.2, 1]),
        lostAnswer: chance.pick([0, 0.2, 0.5]),
      });
      return () => disk.setFaults({ unavailable: 0, lostAnswer: 0 });
    },
  },
] as const satisfies readonly Fault[];

export type FaultName = (typeof faults)[number]['name'];

/** `only`: just these kinds, and often. */
export function startFaults(world: World, only?: readonly FaultName[]): Faults {
  const { clock, trace, bus, network } = world;
  const chance = world.chance.fork('faults');
  const lasting = new Set<() => void>();
  let isOver = false;
  if (only === undefined) {
    Object.assign(bus.faults, {
      loss: chance.pick([0, 0.02, 0.2]),
      duplication: chance.pick([0, 0.05, 0.3]),
      delay: chance.pick([0, 0.05, 0.3]),
    });
  }
  network.slowPart = only === undefined ? chance.pick([0, 0.05, 0.2]) : 0;

  const strike = (fault: Fault): void => {
    trace.note(`FAULT ${fault.name}`);
    const end = fault.begin(world, chance);
    const endOnce = (): void => {
      if (!lasting.delete(endOnce)) return;
      trace.note(`over: ${fault.name}`);
      end();
    };
    lasting.add(endOnce);
    const [min, max] = fault.lastsMs;
    // Short ones are as likely as long ones.
    clock.after(min * (max / min) ** chance.fraction(), endOnce);
  };

  for (const fault of faults) {
    const isChosen = only === undefined ? chance.isTrue(0.5) : only.includes(fault.name);
    if (!isChosen) continue;
    const everyMs = only === undefined ? chance.between(8_000, 80_000) : 20_000;
    repeat(
      clock,
      () => everyMs * 2 * chance.fraction(),
      () => {
        if (!isOver) strike(fault);
        return !isOver;
      },
    );
  }
  return {
    stop: () => {
      isOver = true;
      trace.note('FAULTS OVER');
      Object.assign(bus.faults, { loss: 0, duplication: 0, delay: 0 });
      network.slowPart = 0;
      for (const end of lasting) end();
    },
  };
}

function repeat(clock: VirtualClock, delayMs: () => number, act: () => boolean): void {
  clock.after(delayMs(), () => {
    if (act()) repeat(clock, delayMs, act);
  });
}
