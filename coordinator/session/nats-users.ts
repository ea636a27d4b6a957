// Who may report over NATS: a user JWT for the key that an agent made, and an end to it when the
// cluster goes. One record of the log per cluster says which key that is, so that a coordinator
// that starts anew revokes what its predecessor no longer could. Next file: ./nats-plan.ts.

import { timingSafeEqual } from 'node:crypto';
import { toLogKey, toLogPrefix, toRevision, type ClusterName } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import {
  natsKeyText,
  type HeldNatsLogin,
  type NatsKey,
  type NatsLogin,
  type NatsLoginAnswer,
  type NatsTrust,
} from '../../common/model/session.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { loginDigest } from '../../common/pure/held-login.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createLoop } from '../../common/runtime/loop.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { isSignedBy, publicKeyKind } from '../../common/runtime/nkeys.ts';
import { follow, type Desired, type StoredObject } from '../desired/store.ts';
import { checkPeer } from './hello.ts';
import type { PeerIdentity } from './mesh-port.ts';
import type { NatsAccount } from './nats-account.ts';
import { signUser, toUserPart, type Revocations, type UserClaim } from './nats-jwt.ts';
import { toAgentPermissions } from './nats-permissions.ts';
import {
  collectRevocations,
  isAsGoodAsNew,
  planRecord,
  planUser,
  userLifeSeconds,
  type NatsUserRecord,
  type UserPlan,
} from './nats-plan.ts';
import type { TelemetryUsers } from './stage.ts';

export interface NatsUsersOptions {
  readonly desired: Desired;
  /** Closed with this. */
  readonly account: NatsAccount;
  readonly federation: string;
  readonly urls: () => readonly string[];
  readonly trust: () => NatsTrust | undefined;
  /** Default: userLifeSeconds. */
  readonly lifeSeconds?: number;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface NatsUsers extends TelemetryUsers {
  /** Servers know every revocation that stands in the log. */
  idle(): Promise<void>;
  /** Servers have started anew and may have forgotten. */
  tellAgain(): void;
  stop(): Promise<void>;
}

const attemptsMax = 5;
// An agent has three; each takes memory of every server (I10).
const subscriptionsMax = 32;
// Rounds up to the next second: what is over then is over.
const secondMs = 1000;
const clusters = toLogPrefix(isthmusGroup, 'clusters');
const records = toLogPrefix(isthmusGroup, 'natsusers');

export function createNatsUsers(options: NatsUsersOptions): NatsUsers {
  const { desired, account, clock, log } = options;
  const now = (): number => Math.floor(clock.now() / secondMs);
  let told: string | undefined;
  let forgotten = 0; // how often servers may have forgotten
  const publisher = createLoop<'account'>({
    ...options,
    name: 'nats-account',
    backoffMaxMs: 5_000,
    run: async () => {
      const revocations = collectRevocations(recordsOf(desired), now());
      const text = JSON.stringify([...revocations].sort());
      if (text !== told) {
        const before = forgotten;
        await account.publish(revocations);
        told = before === forgotten ? text : undefined;
      }
      if (account.refreshMs === undefined || revocations.size === 0) return undefined;
      told = undefined; // servers that are not ours may have started anew
      return { againAfterMs: account.refreshMs };
    },
  });
  const keeper = createLoop<ClusterName>({
    ...options,
    name: 'nats-users',
    run: (cluster) => keepRecord(options, cluster, now()),
  });
  const watches = [
    follow(desired, clusters, ({ current }) => keeper.mark(toName(current))),
    follow(desired, records, ({ current }) => {
      keeper.mark(toName(current));
      publisher.mark('account');
    }),
  ];
  publisher.mark('account'); // also to find out whether servers take it
  const late = account.lateRevocation();
  if (late !== undefined) {
    log.warn('removed clusters stay NATS users until their login ends', {
      why: late,
      lifeSeconds: options.lifeSeconds ?? userLifeSeconds,
    });
  }
  return {
    urls: options.urls,
    trust: options.trust,
    lateRevocation: () => {
      const why = account.lateRevocation();
      const minutes = Math.ceil((options.lifeSeconds ?? userLifeSeconds) / 60);
      return why === undefined
        ? undefined
        : `For up to ${minutes} minutes after this Cluster is removed its agent can report over NATS: ${why}.`;
    },
    login: async (peer, key) => {
      const user = await letIn(options, peer, key, now);
      return noteLogin(options, peer, user.kind === 'refused' ? user : sign(options, user));
    },
    loginUnlessHeld: async (peer, key, held) => {
      const user = await letIn(options, peer, key, now);
      if (user.kind === 'refused') return noteLogin(options, peer, user);
      const stands = held !== undefined && isSame(options, user, held, now());
      return noteLogin(options, peer, stands ? { kind: 'stands' } : sign(options, user));
    },
    idle: async () => {
      await keeper.idle();
      await publisher.idle();
    },
    tellAgain: () => {
      told = undefined;
      forgotten += 1; // also while they are being told
      publisher.mark('account');
    },
    stop: async () => {
      for (const watch of watches) watch.cancel();
      await keeper.stop();
      await publisher.stop();
      await account.close();
    },
  };
}

/** Agents that came before operator mode are let in to everything but NATS. */
export const noNatsKey = {
  kind: 'refused',
  reason: 'AgentTooOld',
  message:
    'the agent announces no NATS key: it is older than this coordinator, and its reports cannot be heard; update isthmus-agent',
} as const satisfies NatsLogin;

/** A key that may have a login now, whichever way it gets it. */
interface LetIn {
  readonly kind: 'letIn';
  readonly cluster: ClusterName;
  readonly userKey: string;
  readonly plan: Exclude<UserPlan, { readonly kind: 'refuse' }>;
}

async function letIn(
  options: NatsUsersOptions,
  peer: PeerIdentity,
  key: NatsKey | undefined,
  now: () => number,
): Promise<LetIn | Extract<NatsLogin, { readonly kind: 'refused' }>> {
  if (key === undefined) return noNatsKey;
  const { cluster, clusterUid, publicKeyHash } = peer;
  const text = Buffer.from(natsKeyText(cluster));
  if (publicKeyKind(key.publicKey) !== 'user' || !isSignedBy(key.publicKey, text, key.proof)) {
    return {
      kind: 'refused',
      reason: 'NatsKeyInvalid',
      message: 'the NATS key of the agent is none, or its proof is not by that key',
    };
  }
  const { desired } = options;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const stored = desired.get(recordKey(cluster));
    const asked = { clusterUid, publicKeyHash, userKey: key.publicKey };
    const plan = planUser(readRecord(stored), asked, now());
    if (plan.kind === 'refuse') {
      return { kind: 'refused', reason: plan.reason, message: plan.message };
    }
    if (plan.kind === 'write') {
      if (!(await write(desired, cluster, stored, plan.record))) continue;
      options.log.info('NATS user let in', { cluster, user: key.publicKey });
    }
    // A Cluster that went meanwhile has had its keys revoked up to that second, and no later one.
    const gone = checkPeer(desired, peer);
    if (gone !== undefined) return { kind: 'refused', reason: gone.reason, message: gone.message };
    return { kind: 'letIn', cluster, userKey: key.publicKey, plan };
  }
  throw new MeshError('retryable', 'NATS_USER_CONTENDED', `the NATS user of ${cluster}`);
}

function sign(options: NatsUsersOptions, user: LetIn): NatsLogin {
  const { lifeSeconds = userLifeSeconds, clock, account } = options;
  const { issuedAtSeconds } = user.plan;
  const expiresAtSeconds = Math.ceil(clock.now() / secondMs) + lifeSeconds;
  const claim = toClaim(options, user, { issuedAtSeconds, expiresAtSeconds });
  return { kind: 'granted', userJwt: signUser(account.signing, claim), lifeSeconds };
}

/**
 * N8: what the agent holds is, to the last byte, what would be signed for its times, and these are
 * as good as new ones. The agent is believed nothing else: it learns no more than that it need not
 * be sent what it has.
 */
function isSame(
  options: NatsUsersOptions,
  user: LetIn,
  held: HeldNatsLogin,
  nowSeconds: number,
): boolean {
  const { lifeSeconds = userLifeSeconds, account } = options;
  if (!isAsGoodAsNew(held, user.plan, { seconds: nowSeconds, lifeSeconds })) return false;
  const ours = loginDigest(toUserPart(account.signing.publicKey, toClaim(options, user, held)));
  return held.digest.length === ours.length && timingSafeEqual(held.digest, ours);
}

function toClaim(
  { account, federation }: NatsUsersOptions,
  { cluster, userKey }: LetIn,
  times: Pick<HeldNatsLogin, 'issuedAtSeconds' | 'expiresAtSeconds'>,
): UserClaim {
  return {
    subject: userKey,
    name: `${federation}/${cluster}`,
    issuedAtSeconds: times.issuedAtSeconds,
    expiresAtSeconds: times.expiresAtSeconds,
    account: account.publicKey,
    permissions: toAgentPermissions(federation, cluster),
    subscriptionsMax,
  };
}

function noteLogin<L extends NatsLoginAnswer>(
  { metrics, log }: NatsUsersOptions,
  { cluster }: PeerIdentity,
  login: L,
): L {
  const reasons = { granted: 'Granted', stands: 'Stands' } as const;
  const reason = login.kind === 'refused' ? login.reason : reasons[login.kind];
  metrics.count('mesh_nats_logins_total', { reason });
  if (login.kind === 'refused') {
    const { message: detail } = login;
    log.warn('no NATS login: the agent’s reports are not heard', { cluster, reason, detail });
  }
  return login;
}

/** Revokes what a cluster leaves behind, forgets what is over. */
async function keepRecord(
  { desired, account, log, metrics }: NatsUsersOptions,
  cluster: ClusterName,
  nowSeconds: number,
): Promise<{ readonly againAfterMs: number } | undefined> {
  const stored = desired.get(recordKey(cluster));
  const known = readRecord(stored);
  if (known === undefined) return undefined;
  const plan = planRecord(
    known,
    checkPeer(desired, { ...known, cluster }) === undefined,
    nowSeconds,
  );
  if (plan.kind === 'keep') {
    const { againAfterSeconds: seconds } = plan;
    return seconds === undefined ? undefined : { againAfterMs: Math.max(1, seconds) * secondMs };
  }
  const record = plan.kind === 'write' ? plan.record : undefined;
  const isWritten = await write(desired, cluster, stored, record);
  if (isWritten && known.userKey !== undefined && record?.userKey === undefined) {
    const why = account.lateRevocation();
    metrics.count('mesh_nats_revocations_total', {
      effect: why === undefined ? 'now' : 'atExpiry',
    });
    if (why === undefined) log.info('NATS user revoked', { cluster });
    else log.warn('NATS user lives until its login ends', { cluster, why });
  }
  return isWritten ? undefined : { againAfterMs: 1 }; // somebody else was faster: read again
}

function recordKey(cluster: ClusterName) {
  return toLogKey({ group: isthmusGroup, resource: 'natsusers', name: cluster });
}

function toName({ object }: StoredObject): ClusterName {
  return object.metadata.name as ClusterName; // the kind of Clusters checks it
}

function readRecord(stored: StoredObject | undefined): NatsUserRecord | undefined {
  return stored?.object.spec as NatsUserRecord | undefined; // nobody else writes it
}

/** For a server that starts: what is void from the first connection on. */
export function revocationsIn(desired: Desired, nowSeconds: number): Revocations {
  return collectRevocations(recordsOf(desired), nowSeconds);
}

function* recordsOf(desired: Desired): Iterable<NatsUserRecord> {
  for (const stored of desired.list(records)) {
    const record = readRecord(stored);
    if (record !== undefined) yield record;
  }
}

/** False when another write was faster. */
async function write(
  desired: Desired,
  cluster: ClusterName,
  stored: StoredObject | undefined,
  record: NatsUserRecord | undefined,
): Promise<boolean> {
  const object = record && {
    apiVersion: isthmusApiVersion,
    kind: 'NatsUser',
    metadata: { name: cluster },
    spec: record,
  };
  const expected = stored?.revision ?? toRevision(0);
  const outcome = await desired.write({ key: recordKey(cluster), object, expected });
  return outcome.kind === 'written';
}
