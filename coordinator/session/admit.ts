// Lets a join or a Hello through the admission of its kind (./admission.ts), and tells who waits that
// he is not forgotten.

import type { JoinRequest, JoinResponse } from '../../common/wire/mesh-codec.ts';
import type { Timer } from '../../common/runtime/clock.ts';
import { join } from './join.ts';
import type { AgentLink } from './link.ts';
import type { Asker, Refusal } from './mesh-port.ts';
import type { Stage } from './stage.ts';

// An agent gives a stream up that is silent for eight seconds.
const pingMs = 2_000;
/** Beside the nonces of the regular pings, which count from 1. */
const waitingNonce = 0;

export async function admitJoin(
  stage: Stage,
  request: JoinRequest,
  { remoteAddress, isGone }: Asker,
): Promise<JoinResponse | Refusal> {
  const { joins, metrics, log } = stage;
  const visitor = { origin: remoteAddress, isGone };
  const answer = joins.pass(visitor, () => join(stage, request, remoteAddress));
  tellWaiting(stage);
  const outcome = (await answer) ?? goneRefusal;
  tellWaiting(stage);
  if ('reason' in outcome && (outcome.retryAfterMs !== undefined || outcome === goneRefusal)) {
    metrics.count('mesh_session_joins_total', { reason: outcome.reason });
    log.debug('a join was not worked off', { reason: outcome.reason, remoteAddress });
  }
  return outcome;
}

/** Nobody reads it. */
const goneRefusal: Refusal = { reason: 'Gone', message: 'the agent asks no more', retry: true };

/** Rejects as `greet` does. */
export async function admitHello(
  stage: Stage,
  link: AgentLink,
  greet: () => Promise<void>,
): Promise<void> {
  const { greetings, metrics, log } = stage;
  const { cluster } = link;
  const waiting = pingOften(stage, link);
  const visitor = { origin: cluster, isGone: () => link.isClosed };
  const passed = greetings.pass(visitor, async () => {
    waiting.cancel();
    tellWaiting(stage);
    await greet();
    return undefined;
  });
  tellWaiting(stage);
  const refusal = await passed.finally(() => waiting.cancel());
  if (refusal === undefined) return;
  metrics.count('mesh_session_refusals_total', { reason: refusal.reason });
  log.debug('an agent was told to come again', { cluster, afterMs: refusal.retryAfterMs });
  link.stream.end(refusal);
}

function tellWaiting({ metrics, greetings, joins }: Stage): void {
  metrics.gauge('mesh_session_waiting', greetings.waiting, { what: 'session' });
  metrics.gauge('mesh_session_waiting', joins.waiting, { what: 'join' });
}

function pingOften({ clock }: Stage, link: AgentLink): Timer {
  let timer: Timer;
  const wait = (): void => {
    timer = clock.after(pingMs, () => {
      if (link.isClosed) return;
      link.ping(waitingNonce);
      wait();
    });
  };
  wait();
  return { cancel: () => timer.cancel() };
}
