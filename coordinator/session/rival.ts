// Lets a newcomer pass or refuses it, when its cluster has an agent that is connected: asks that
// one for a sign of life where the plan wants to know.

import type { AgentMessage } from '../../common/model/session.ts';
import { sleep } from '../../common/runtime/clock.ts';
import { tellCluster } from './cluster-objects.ts';
import type { AgentLink } from './link.ts';
import type { Refusal } from './mesh-port.ts';
import { planRival } from './plan-rival.ts';
import type { ClusterRecord, Stage } from './stage.ts';

type Hello = Extract<AgentMessage, { kind: 'hello' }>;

// A ping and its answer, over a slow line.
const answerMs = 3_000;
const lookMs = 20;
/** Beside the nonces of the regular pings, which count from 1. */
const askNonce = 0;

/** Undefined: it may go on. */
export async function checkRival(
  stage: Stage,
  link: AgentLink,
  hello: Hello,
): Promise<Refusal | undefined> {
  const { cluster, stream } = link;
  const record = stage.clusters.get(cluster);
  if (record === undefined) return undefined;
  const comer = { boot: hello.incarnation.boot, instance: hello.instance };
  const judge = (hasAnswered: boolean | undefined) => {
    if (record.link === undefined || record.state === undefined) return 'replace';
    const { incarnation, instance } = record.state;
    const connected = { boot: incarnation.boot, instance };
    return planRival({ connected, comer, hasAnswered });
  };
  const first = judge(undefined);
  const plan = first === 'ask' ? judge(await answers(stage, record)) : first;
  if (plan === 'replace') return undefined;
  const from = record.state?.remoteAddress ?? 'elsewhere';
  tellSecond(stage, cluster, { second: stream.remoteAddress, first: from });
  return {
    reason: 'AlreadyConnected',
    message:
      `an agent of cluster ${cluster} is connected from ${from} and answers; one cluster has one ` +
      'agent. Stop one of the two; a copy of its folder must not run beside it',
    retry: false,
  };
}

/** The one that is connected, in time. */
async function answers({ clock }: Stage, record: ClusterRecord): Promise<boolean> {
  const { link } = record;
  const since = clock.monotonicMs();
  link?.ping(askNonce);
  while (clock.monotonicMs() - since < answerMs) {
    if (record.link !== link || record.state === undefined) return false;
    if (record.state.lastMessageMonotonicMs > since) return true;
    await sleep(clock, lookMs);
  }
  return false;
}

function tellSecond(
  stage: Stage,
  cluster: AgentLink['cluster'],
  from: { readonly second: string; readonly first: string },
): void {
  stage.log.warn('a second agent was refused', { cluster, ...from });
  tellCluster(stage, cluster, {
    type: 'Warning',
    reason: 'SecondAgent',
    message: `a second agent of this cluster, at ${from.second}, was refused: the one at ${from.first} is connected`,
  });
}
