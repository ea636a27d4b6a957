// Doubts a plan of hosted agents before it is carried out. Pure.
//
//   D4. Never two agents for one Cluster, never one for a Cluster that is not there.
//   I11. Never more than may be.

import type { HostedAct, HostedFacts } from './plan.ts';

/** Why the acts must not be carried out, or undefined. */
export function doubtHosted(facts: HostedFacts, acts: readonly HostedAct[]): string | undefined {
  const uids = new Set(facts.clusters.map(({ uid }) => uid));
  const running = new Set(
    facts.children.filter(({ state }) => state !== 'waiting').map(({ uid }) => uid),
  );
  const stopped = acts.filter(({ kind }) => kind === 'stop').length;
  let count = running.size;
  for (const act of acts) {
    if (act.kind === 'removeFolder' && (uids.has(act.uid) || running.has(act.uid))) {
      return `the folder of ${act.uid} is in use`;
    }
    if (act.kind !== 'start') continue;
    if (!uids.has(act.uid)) return `an agent would start for ${act.name}, which is not there`;
    if (running.has(act.uid)) return `a second agent would start for ${act.name}`;
    count += 1;
  }
  if (count > facts.agentsMax + stopped) return `${count} agents would run, beyond the bound`;
  return undefined;
}
