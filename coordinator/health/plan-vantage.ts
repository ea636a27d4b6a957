// From where to probe: vantage points, which of them are independent, and which to ask about one
// cluster.
// Input: the agents that can be asked, with their topology and egress; the coordinator itself.
// Output: a stable choice for each probed cluster.
//
//   V1. Two vantage points are independent only when they share neither cluster nor egress.
//   V2. The choice for a cluster changes only when the vantage points do (rendezvous hashing), so
//       that those which probe in trouble are those which probed in peace.
// Next: plan-baseline.ts, step-suspicion.ts.

import ipaddr from 'ipaddr.js';
import type { ClusterName } from '../../common/model/ids.ts';
import type { Topology } from '../../common/model/topology.ts';

export const coordinatorVantage = 'coordinator';

export interface Vantage {
  /** The agent's cluster, or `coordinator`; no cluster's probe order goes by that name. */
  readonly id: string;
  /** undefined for the coordinator itself. */
  readonly cluster: ClusterName | undefined;
  /** Where its packets leave to the world. */
  readonly egress: string;
  /** Zone and region, or the cluster when they are unknown. */
  readonly domain: string;
}

export const ownVantage: Vantage = {
  id: coordinatorVantage,
  cluster: undefined,
  egress: coordinatorVantage,
  domain: coordinatorVantage,
};

export function toVantage(agent: {
  readonly cluster: ClusterName;
  readonly remoteAddress: string;
  readonly topology: Topology;
  /** The demo and tests: every cluster comes from a loopback address, which then says nothing. */
  readonly allowLoopback: boolean;
}): Vantage {
  const { cluster, topology } = agent;
  const zone = topology.zones.length === 0 ? undefined : topology.zones.join('+');
  const domain =
    zone === undefined ? `cluster:${cluster}` : `zone:${topology.region ?? ''}/${zone}`;
  return { id: `agent:${cluster}`, cluster, egress: toEgress(agent), domain };
}

function toEgress(agent: {
  readonly cluster: ClusterName;
  readonly remoteAddress: string;
  readonly allowLoopback: boolean;
}): string {
  const host = agent.remoteAddress.replace(/^(ipv4|ipv6):/, '').replace(/^\[|\](:\d+)?$/g, '');
  const text = /^\d+\.\d+\.\d+\.\d+:\d+$/.test(host) ? host.slice(0, host.indexOf(':')) : host;
  if (!ipaddr.isValid(text)) return `cluster:${agent.cluster}`;
  const address = ipaddr.process(text);
  if (address.range() !== 'loopback') return `address:${address.toString()}`;
  // An agent that comes over loopback runs beside the coordinator and leaves by the same door.
  return agent.allowLoopback ? `cluster:${agent.cluster}` : coordinatorVantage;
}

/** How many of these are pairwise independent (V1). */
export function countIndependent(vantages: Iterable<Vantage>): number {
  const egresses = new Set<string>();
  for (const vantage of vantages) egresses.add(vantage.egress);
  return egresses.size;
}

/** Agents only, and each failure domain once: what still counts when we suspect ourselves. */
export function countSurvivingDomains(vantages: Iterable<Vantage>): number {
  const agents = [...vantages].filter(
    ({ cluster, egress }) => cluster !== undefined && egress !== coordinatorVantage,
  );
  return Math.min(new Set(agents.map(({ domain }) => domain)).size, countIndependent(agents));
}

/**
 * At most `agentsMax` agents to probe `cluster`, best first: new failure domains and egresses
 * before known ones, then by a stable hash.
 */
export function chooseVantages(
  cluster: ClusterName,
  agents: readonly Vantage[],
  agentsMax: number,
): readonly Vantage[] {
  const ranked = agents
    .filter((agent) => agent.cluster !== cluster)
    .map((agent) => ({ agent, rank: rankOf(cluster, agent) }))
    .sort((a, b) => a.rank - b.rank || (a.agent.id < b.agent.id ? -1 : 1))
    .map(({ agent }) => agent);
  const seen = new Set<string>();
  const fresh: Vantage[] = [];
  const rest: Vantage[] = [];
  for (const agent of ranked) {
    const isNew = !seen.has(agent.egress) && !seen.has(agent.domain);
    seen.add(agent.egress).add(agent.domain);
    (isNew ? fresh : rest).push(agent);
  }
  return [...fresh, ...rest].slice(0, agentsMax);
}

function rankOf(cluster: ClusterName, { id }: Vantage): number {
  return hash32(id, hash32(cluster, hashSeed));
}

const hashSeed = 0x811c9dc5;

/**
 * FNV-1a with the finalizer of MurmurHash3, so that names that differ in their last digit are far
 * apart. No secret is in it: of a thousand clusters each asks for a thousand of them.
 */
function hash32(text: string, seed: number): number {
  let hash = seed;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
