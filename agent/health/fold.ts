// A shard's readiness, folded from its EndpointSlices.
//   input    what is kept of each EndpointSlice (pick-slice.ts), the names of the Service's ports
//   output   one ShardReadiness
//
//   H1. An endpoint counts once, however many slices list it: dual-stack Services have one slice
//       per family, and an endpoint moves between slices by standing in both for a while.
//   H2. Order does not matter: equal sets of slices give equal reports.
// Next: step-zero.ts (when a zero is believed), step.ts (what is sent when).

import type { ServiceKey } from '../../common/model/ids.ts';
import type { PortReadiness, ShardReadiness } from '../../common/model/telemetry.ts';
import type { PickedEndpoint, PickedSlice } from './pick-slice.ts';

export function foldReadiness(
  key: ServiceKey,
  slices: Iterable<PickedSlice>,
  portNames: readonly string[] = [],
): ShardReadiness {
  const known = [...slices];
  const all = [...joinAll(known).values()];
  const ready = countReady(all);
  const ports = foldPorts(known, portNames, ready);
  return {
    key,
    ready,
    serving: all.filter(({ isServing }) => isServing).length,
    terminating: all.filter(({ isTerminating }) => isTerminating).length,
    total: all.length,
    ...(ports.length === 0 ? {} : { ports }),
  };
}

/** Names of the Nodes with an endpoint that takes traffic: see countUsable. */
export function usableNodes(slices: Iterable<PickedSlice>): ReadonlySet<string> {
  const all = [...joinAll(slices).values()];
  const ready = all.filter(({ isReady }) => isReady);
  const usable = ready.length > 0 ? ready : all.filter((one) => one.isServing && one.isTerminating);
  return new Set(usable.flatMap(({ node }) => node ?? []));
}

/** Ports with fewer ready endpoints than the Service has. Rare, so told only then. */
function foldPorts(
  slices: readonly PickedSlice[],
  portNames: readonly string[],
  ready: number,
): readonly PortReadiness[] {
  if (ready === 0 || slices.every(({ ports }) => hasAll(ports, portNames))) return [];
  return [...new Set(portNames)].sort().flatMap((name) => {
    const those = slices.filter(({ ports }) => ports.includes(name));
    const ofPort = countReady([...joinAll(those).values()]);
    return ofPort < ready ? [{ name, ready: ofPort }] : [];
  });
}

function hasAll(ports: readonly string[], names: readonly string[]): boolean {
  return names.every((name) => ports.includes(name));
}

function countReady(endpoints: readonly PickedEndpoint[]): number {
  return endpoints.filter(({ isReady }) => isReady).length;
}

function joinAll(slices: Iterable<PickedSlice>): ReadonlyMap<string, PickedEndpoint> {
  const endpoints = new Map<string, PickedEndpoint>();
  for (const slice of slices) {
    for (const endpoint of slice.endpoints) {
      const known = endpoints.get(endpoint.id);
      endpoints.set(endpoint.id, known === undefined ? endpoint : join(known, endpoint));
    }
  }
  return endpoints;
}

// Two slices about one endpoint may be of different age: the better news stands for both.
function join(a: PickedEndpoint, b: PickedEndpoint): PickedEndpoint {
  return {
    id: a.id,
    node: a.node ?? b.node,
    isReady: a.isReady || b.isReady,
    isServing: a.isServing || b.isServing,
    isTerminating: a.isTerminating && b.isTerminating,
  };
}
