// Agents' sessions: who is connected, what each shall have, and what became of it. Every stream
// says Hello, is checked against its live Cluster, gets the next session number, then differences.
//
//   L1. A certificate acts for its own, living Cluster only (I8).
//   L2. One stream per cluster: which of two goes on, ./plan-rival.ts decides; the other is told why.
//   L3. A batch is never computed from a view older than the agent has applied (I2).

import type { SessionsOptions, ClusterRecord, Stage } from './stage.ts';
import { isthmusGroup, type Cluster } from '../../common/model/isthmus-kinds.ts';
import { toLogPrefix, type ClusterName, type ServiceKey } from '../../common/model/ids.ts';
import type { AgentMessage } from '../../common/model/session.ts';
import type { SessionState, SessionView } from '../../common/model/views.ts';
import { isAdmitted } from '../../common/pure/cluster-approval.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { describeVersionSkew } from '../../common/pure/skew.ts';
import { ForeignSet } from '../../common/pure/foreign-services.ts';
import type { Timer } from '../../common/runtime/clock.ts';
import { describeError } from '../../common/runtime/log.ts';
import { Quota } from '../../common/runtime/quota.ts';
import { admitHello, admitJoin } from './admit.ts';
import { Admission, greetingBounds, joinBounds } from './admission.ts';
import { awaitView, checkPeer, claimSession, supersededRefusal } from './hello.ts';
import { AgentLink } from './link.ts';
import type { Refusal, SessionHandler, SessionStream } from './mesh-port.ts';
import { tellCluster } from './cluster-objects.ts';
import { onMessage, toNatsState } from './messages.ts';
import { PeerDigest } from './peer-digest.ts';
import { PeerJournal } from './peer-journal.ts';
import { startPeerTelling } from './peer-telling.ts';
import { digestOf } from './plan.ts';
import { Questions, type AskAgent } from './questions.ts';
import { checkReceipt } from './receipts.ts';
import { watchCertificateEnd } from './renewal.ts';
import { checkRival } from './rival.ts';
import { SharedMessages } from './shared-messages.ts';
import { createTrustRecorder } from './trust-record.ts';

export interface Sessions extends SessionView {
  /** Resolves with the port that agents dial. */
  start(): Promise<number>;
  stop(): Promise<void>;
  /** Removal orders that stand for a result are looked up by the placement stage's wake-ups. */
  connected(): readonly ClusterName[];
  /** What its resolver answers Pods; resolves within seconds. */
  readonly askAgent: AskAgent;
}

// Half of the silence after which a cluster is suspected, with room for a round trip.
const pingMs = 1_000;
// Hello is written with the opening of the stream.
const helloMs = 10_000;

// An agent that comes back waits longer each time that it is not let in.
const hellosOfCluster = { max: 30, windowMs: 10_000 };

type Hello = Extract<AgentMessage, { kind: 'hello' }>;

export function createSessions(options: SessionsOptions): Sessions {
  const listeners = new Set<(due: { cluster: ClusterName; key: ServiceKey | undefined }) => void>();
  const clusters = new Map<ClusterName, ClusterRecord>();
  const tell = (cluster: ClusterName, key?: ServiceKey): void => {
    for (const listener of listeners) listener({ cluster, key });
  };
  const shared = new SharedMessages(options.receiptKey);
  const journal = new PeerJournal(options.peers);
  const peerDigest = new PeerDigest(options.peers);
  const hellos = new Quota<ClusterName>(options.clock, hellosOfCluster);
  const greetings = new Admission(greetingBounds, options.clock);
  const joins = new Admission(joinBounds, options.clock);
  const admitted = { hellos, greetings, joins };
  const questions = new Questions(options.clock);
  const stateOf = (cluster: ClusterName): SessionState | undefined => {
    const record = clusters.get(cluster);
    return record?.link === undefined ? undefined : record.state;
  };
  const trust = createTrustRecorder({ ...options, stateOf });
  const told = { tell, shared, journal, peerDigest, questions, trust };
  const stage: Stage = { ...options, ...admitted, ...told, clusters };
  const stops: (() => void)[] = [];
  return {
    session: (cluster) => clusters.get(cluster)?.state,
    result: (cluster, key) => clusters.get(cluster)?.results.get(key),
    unclaimed: (cluster) => clusters.get(cluster)?.link?.unclaimed() ?? [],
    hasForeignService: (cluster, key) => clusters.get(cluster)?.foreign.has(key) ?? false,
    askAgent: (cluster, message) => questions.ask(clusters.get(cluster), message),
    connected: () =>
      [...clusters].filter(([, { link }]) => link !== undefined).map(([name]) => name),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    start: async () => {
      stops.push(...watchViews(stage), pingAll(stage));
      return options.listener.listen({
        onJoin: (request, asker) => admitJoin(stage, request, asker),
        onSession: (stream) => openSession(stage, stream),
      });
    },
    stop: async () => {
      for (const stop of stops.splice(0)) stop();
      for (const { link } of clusters.values())
        link?.sendNow({ kind: 'drain', reconnectAfterMs: 0 });
      await trust.stop();
      await options.listener.close();
    },
  };
}

function watchViews(stage: Stage): readonly (() => void)[] {
  const { desired, placement, clusters, authority } = stage;
  const prefix = toLogPrefix(isthmusGroup, 'clusters');
  const watch = desired.watch(prefix, desired.revision(), (events) => {
    for (const { kind, current, previous } of events) {
      const name = current.object.metadata.name as ClusterName; // its kind checks the name
      const isIn = kind !== 'deleted' && speaks(current.object);
      if (isIn === speaks(previous?.object) && !isOtherKey(current.object, previous?.object)) {
        continue;
      }
      const link = clusters.get(name)?.link;
      const refusal = link === undefined ? undefined : checkPeer(desired, link.stream.peer);
      if (refusal !== undefined) endLink(stage, name, refusal);
      if (kind === 'deleted') clusters.delete(name);
    }
  });
  if (watch === 'expired') throw new MeshError('retryable', 'WATCH_EXPIRED', `watching ${prefix}`);
  return [
    () => watch.cancel(),
    placement.subscribe(({ cluster, key }) => clusters.get(cluster)?.link?.mark(key)),
    followPeers(stage),
    startPeerTelling({ ...stage, links: () => linksOf(clusters) }),
    authority.subscribe(() => {
      for (const link of linksOf(clusters)) tellTrust(stage, link);
    }),
  ];
}

function followPeers({ peers, peerDigest, clock }: Stage): () => void {
  const unsubscribe = peers.subscribe((due) => peerDigest.note(due));
  peerDigest.start(clock);
  return () => {
    unsubscribe();
    peerDigest.stop();
  };
}

function* linksOf(clusters: Stage['clusters']): Iterable<AgentLink> {
  for (const { link } of clusters.values()) if (link !== undefined) yield link;
}

/** Whether the key that joined as this Cluster may speak for it. */
function speaks(object: object | undefined): boolean {
  const status = (object as Cluster | undefined)?.status;
  return status?.publicKeyHash !== undefined && isAdmitted(status, status.publicKeyHash);
}

function isOtherKey(next: object, previous: object | undefined): boolean {
  const [after, before] = [next as Cluster, previous as Cluster | undefined];
  return (
    after.metadata.uid !== before?.metadata.uid ||
    after.status?.publicKeyHash !== before?.status?.publicKeyHash
  );
}

function pingAll({ clusters, clock }: Stage): () => void {
  let timer: Timer;
  let nonce = 0;
  const ping = (): void => {
    nonce += 1;
    for (const { link } of clusters.values()) link?.ping(nonce);
    timer = clock.after(pingMs, ping);
  };
  timer = clock.after(pingMs, ping);
  return () => timer.cancel();
}

function endLink(stage: Stage, cluster: ClusterName, refusal: Refusal): void {
  const link = stage.clusters.get(cluster)?.link;
  if (link === undefined) return;
  closeLink(stage, cluster, link); // before the stream: its end is told synchronously
  link.stream.end(refusal);
}

function countAgents({ clusters, metrics }: Stage): void {
  const connected = [...clusters.values()].filter((one) => one.link !== undefined);
  metrics.gauge('mesh_session_agents', connected.length);
}

function closeLink(stage: Stage, cluster: ClusterName, link: AgentLink): void {
  const { clusters, tell, log } = stage;
  link.close();
  stage.questions.forget(link);
  const record = clusters.get(cluster);
  if (record?.link !== link) return; // superseded already
  record.link = undefined;
  if (record.state !== undefined) record.state = { ...record.state, isConnected: false };
  countAgents(stage);
  log.info('session closed', { cluster });
  tell(cluster);
}

function openSession(stage: Stage, stream: SessionStream): SessionHandler {
  const { cluster } = stream.peer;
  const refusal = checkPeer(stage.desired, stream.peer);
  if (refusal !== undefined) {
    stage.log.info('session refused', { cluster, reason: refusal.reason });
    stage.metrics.count('mesh_session_refusals_total', { reason: refusal.reason });
    stream.end(refusal);
    return { onMessage: () => undefined, onDrain: () => undefined, onEnd: () => undefined };
  }
  const link = new AgentLink({ ...stage, cluster, stream });
  let isGreeted = false;
  const helloMissing = (): void =>
    stream.end({ reason: 'HelloMissing', message: 'Hello comes first', retry: true });
  const helloDue = stage.clock.after(helloMs, helloMissing);
  const unwatch = watchCertificateEnd(stage, link);
  return {
    onMessage: (message) => {
      if (message.kind === 'hello' && !isGreeted) {
        isGreeted = true;
        helloDue.cancel();
        void admitHello(stage, link, () => greet(stage, link, message)).catch((error: unknown) => {
          stage.log.warn('session failed', { cluster, error: describeError(error) });
          stream.end({
            reason: 'Unavailable',
            message: 'the coordinator is not ready',
            retry: true,
          });
        });
        return;
      }
      const record = stage.clusters.get(cluster);
      if (record?.link === link) onMessage(stage, record, link, message);
      else if (!isGreeted) helloMissing();
    },
    onDrain: () => link.onDrain(),
    onEnd: () => {
      helloDue.cancel();
      unwatch();
      closeLink(stage, cluster, link);
    },
  };
}

async function greet(stage: Stage, link: AgentLink, hello: Hello): Promise<void> {
  const { clusters, clock, placement, telemetryUsers, config, desired, receiptKey, log } = stage;
  const { cluster, stream } = link;
  const unwelcome = checkHello(stage, link, hello);
  if (unwelcome !== undefined) return stream.end(unwelcome);
  const receipt = checkReceipt(receiptKey, hello.receipt, desired.revision());
  if (receipt.kind === 'regressed') {
    desired.refuseWrites(receipt.message);
    log.error('the store went backwards: no write is accepted', { why: receipt.message });
    return stream.end({ reason: 'StoreRegressed', message: receipt.message, retry: true });
  }
  if (receipt.kind === 'fine') await awaitView(stage, receipt.revision); // L3
  const unfit = checkVersion(stage, link, hello) ?? (await checkRival(stage, link, hello));
  if (unfit !== undefined) return stream.end(unfit);
  const session = await claimSession(desired, cluster);
  const { natsKey, heldNatsLogin } = hello;
  const natsLogin = await telemetryUsers.loginUnlessHeld(stream.peer, natsKey, heldNatsLogin);
  // Much may have happened meanwhile.
  if (link.isClosed) return;
  const refusal = checkPeer(desired, stream.peer) ?? findNewer(stage, cluster, session);
  if (refusal !== undefined) return stream.end(refusal);
  endLink(stage, cluster, supersededRefusal(cluster, stream.remoteAddress)); // L2
  const record = clusters.get(cluster) ?? newRecord();
  clusters.set(cluster, record);
  record.link = link;
  record.state = {
    isConnected: true,
    incarnation: { session, boot: hello.incarnation.boot },
    topology: hello.topology,
    kubernetesVersion: hello.kubernetesVersion,
    agentVersion: hello.agentVersion,
    lastMessageMonotonicMs: clock.monotonicMs(),
    remoteAddress: stream.remoteAddress,
    instance: hello.instance,
    trustDigest: hello.trustDigest,
    answersDns: hello.answersDns,
    clockSkewMs: hello.clockUnixMs === undefined ? undefined : hello.clockUnixMs - clock.now(),
    nats: toNatsState(stage, natsLogin),
  };
  const { coordinatorVersion, ...welcome } = config;
  const wanted = [...placement.shardsOf(cluster)];
  if (hello.peersDigest !== undefined && hello.peersDigest === stage.peerDigest.value())
    link.hasPeers();
  const wantsInventory = hello.digest !== digestOf(wanted);
  link.sendNow({
    kind: 'welcome',
    session,
    ...welcome,
    ...(coordinatorVersion === undefined ? {} : { coordinatorVersion }),
    natsUrls: telemetryUsers.urls(),
    ...(natsLogin.kind === 'stands' ? { natsLoginStands: true } : { natsLogin }),
    natsTrust: telemetryUsers.trust(),
    wantsInventory,
    clockUnixMs: clock.now(),
    takesRestApplied: true,
    foreignDigest: record.foreign.digest(),
  });
  tellTrust(stage, link);
  const { remoteAddress } = stream;
  log.info('session open', { cluster, session, remoteAddress, wantsInventory });
  countAgents(stage);
  if (!wantsInventory) {
    link.hold(wanted);
    link.open();
  }
  stage.tell(cluster);
}

function checkHello({ hellos }: Stage, { cluster }: AgentLink, hello: Hello): Refusal | undefined {
  if (hello.cluster !== cluster) {
    const message = `the certificate is for cluster ${cluster}, Hello for ${hello.cluster}`;
    return { reason: 'WrongCluster', message, retry: false };
  }
  if (hellos.take(cluster)) return undefined;
  const message = `agents of cluster ${cluster} come too often; try again`;
  return { reason: 'TooManySessions', message, retry: true };
}

function newRecord(): ClusterRecord {
  return { link: undefined, state: undefined, results: new Map(), foreign: new ForeignSet() };
}

/** Another major version has other messages, perhaps. */
function checkVersion(stage: Stage, { cluster }: AgentLink, hello: Hello): Refusal | undefined {
  const { coordinatorVersion } = stage.config;
  if (coordinatorVersion === undefined) return undefined;
  const skew = describeVersionSkew({ agentVersion: hello.agentVersion, coordinatorVersion });
  if (skew?.isRefused !== true) return undefined;
  const { reason, message } = skew;
  tellCluster(stage, cluster, { type: 'Warning', reason, message });
  return { reason, message, retry: false };
}

/** The CAs to trust, when the agent trusts others and understands the message. */
function tellTrust(stage: Stage, link: AgentLink): void {
  const { clusters, authority } = stage;
  const trusted = clusters.get(link.cluster)?.state?.trustDigest;
  if (trusted !== undefined) stage.trust.mark(link.cluster);
  if (trusted === undefined || trusted === authority.trustDigest()) return;
  link.sendNow({ kind: 'trust', caPem: authority.trustedPem() });
}

/** L2: of two that greet at once, the one with the higher number is the newer. */
function findNewer(
  { clusters }: Stage,
  cluster: ClusterName,
  session: number,
): Refusal | undefined {
  const record = clusters.get(cluster);
  if (record?.link === undefined || record.state === undefined) return undefined;
  const { incarnation, remoteAddress } = record.state;
  return incarnation.session > session ? supersededRefusal(cluster, remoteAddress) : undefined;
}
