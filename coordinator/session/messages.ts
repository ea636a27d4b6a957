// What a connected agent says after its Hello, and what follows from it. Next file: ./loop.ts.

import type { Revision, ServiceKey } from '../../common/model/ids.ts';
import type { AgentMessage, NatsKey, NatsLoginAnswer } from '../../common/model/session.ts';
import type { RemovalOrder, ShardResult } from '../../common/model/shard.ts';
import type { SessionState } from '../../common/model/views.ts';
import { assertNever } from '../../common/pure/errors.ts';
import { describeError } from '../../common/runtime/log.ts';
import type { AgentLink } from './link.ts';
import { renew } from './renewal.ts';
import type { ClusterRecord, Stage } from './stage.ts';

export function onMessage(
  stage: Stage,
  record: ClusterRecord,
  link: AgentLink,
  message: AgentMessage,
): void {
  const { state } = record;
  if (state === undefined) return;
  record.state = { ...state, lastMessageMonotonicMs: stage.clock.monotonicMs() };
  switch (message.kind) {
    case 'hello':
      return link.stream.end({ reason: 'HelloTwice', message: 'Hello comes once', retry: true });
    case 'pong':
      return noteClock(stage, record, link, message.clockUnixMs);
    case 'trusted':
      record.state = { ...record.state, trustDigest: message.digest };
      // Others say nothing that the record does not: it is behind.
      if (message.digest !== stage.authority.trustDigest()) return;
      return stage.trust.mark(link.cluster);
    case 'inventory':
      // Asked for once: another one would have everything sent anew to an agent that need not read.
      if (link.isLive) {
        const text = 'the agent says twice what it holds';
        return link.stream.end({ reason: 'InventoryTwice', message: text, retry: true });
      }
      if (!link.hold(message.entries)) {
        const text = 'the agent says it holds more shards than a cluster can have';
        return link.stream.end({ reason: 'InventoryTooLarge', message: text, retry: false });
      }
      if (message.isLast) {
        link.open();
        stage.tell(link.cluster); // what is unclaimed is known now
      }
      return;
    case 'ack':
      for (const result of message.results)
        noteResult(stage, record, link, message.revision, result);
      if (message.isRestApplied === true) noteRest(stage, record, link, message.results);
      return;
    case 'dnsAnswer':
      return stage.questions.answer(link, message);
    case 'foreign':
      record.foreign.apply(message);
      return;
    case 'topology':
      record.state = {
        ...record.state,
        topology: message.topology,
        kubernetesVersion: message.kubernetesVersion,
      };
      return stage.tell(link.cluster);
    case 'natsRenewal':
      if (link.mayAsk('natsLogin')) void renewNatsLogin(stage, record, link, message.natsKey);
      return;
    case 'renew':
      if (link.mayAsk('certificate')) void renew(stage, link, message.csrDer);
      return;
    default:
      return assertNever(message);
  }
}

// The store was away when an agent said that it had obeyed: the order still stands, so it is sent
// again, and obeyed again, which costs nothing.
const unacknowledgedMs = 1_000;

function noteResult(
  { placement, acknowledgeRemoval, tell, clock, log }: Stage,
  record: ClusterRecord,
  link: AgentLink,
  revision: Revision,
  result: ShardResult,
): void {
  const { cluster } = link;
  const order = findOrder(placement.removalsOf(cluster), result.key);
  if (result.outcome === 'removed' || result.outcome === 'released') {
    record.results.delete(result.key);
    if (order !== undefined && link.isAnswerTo(order, revision)) {
      acknowledgeRemoval(order).then(
        () => link.forget(order),
        (error: unknown) => {
          log.warn('a removal could not be acknowledged', { cluster, error: describeError(error) });
          clock.after(unacknowledgedMs, () => link.mark(result.key));
        },
      );
    }
  } else if (order !== undefined || placement.shard(cluster, result.key) !== undefined) {
    record.results.set(result.key, result); // nobody asked for others: they would have no bound
  }
  tell(cluster, result.key);
}

/** A reconnect on which nothing has changed says so in a word. */
function noteRest(
  { tell }: Stage,
  record: ClusterRecord,
  link: AgentLink,
  named: readonly ShardResult[],
): void {
  const keys = new Set(named.map(({ key }) => key));
  for (const { key, hash } of link.heldAtHello()) {
    const known = record.results.get(key);
    if (keys.has(key)) continue;
    if (known?.outcome === 'applied' && known.hash === hash && known.reason === 'Applied') continue;
    const message = 'the Service is as wished';
    record.results.set(key, { key, hash, outcome: 'applied', reason: 'Applied', message });
    tell(link.cluster, key);
  }
}

function findOrder(orders: Iterable<RemovalOrder>, key: ServiceKey): RemovalOrder | undefined {
  for (const order of orders) if (order.key === key) return order;
  return undefined;
}

// Below this a clock is only a little late, or a message was.
const clockStepMs = 10_000;

/** Told on a step only: pongs come every second. */
function noteClock(
  stage: Stage,
  record: ClusterRecord,
  link: AgentLink,
  agentMs: number | undefined,
): void {
  if (agentMs === undefined || record.state === undefined) return;
  const clockSkewMs = agentMs - stage.clock.now();
  if (Math.abs(clockSkewMs - (record.state.clockSkewMs ?? 0)) < clockStepMs) return;
  record.state = { ...record.state, clockSkewMs };
  stage.tell(link.cluster);
}

async function renewNatsLogin(
  stage: Stage,
  record: ClusterRecord,
  link: AgentLink,
  natsKey: NatsKey,
): Promise<void> {
  const { telemetryUsers, log, tell } = stage;
  const { cluster, stream } = link;
  try {
    const login = await telemetryUsers.login(stream.peer, natsKey);
    if (link.isClosed || record.state === undefined) return;
    link.sendNow({ kind: 'natsLogin', login });
    record.state = { ...record.state, nats: toNatsState(stage, login) };
    tell(cluster);
  } catch (error) {
    log.warn('NATS login not renewed', { cluster, error: describeError(error) }); // asked again
  }
}

/** What the Cluster's conditions say of its agent's login. */
export function toNatsState(
  { telemetryUsers }: Pick<Stage, 'telemetryUsers'>,
  login: NatsLoginAnswer,
): SessionState['nats'] {
  return {
    refusal:
      login.kind === 'refused' ? { reason: login.reason, message: login.message } : undefined,
    lateRevocation: telemetryUsers.lateRevocation(),
  };
}
