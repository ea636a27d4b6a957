// Grants a join, has it wait for a person, or refuses it: reads token and Cluster, plans, writes by
// compare-and-set, signs.

import { createHash, timingSafeEqual } from 'node:crypto';
import {
  isthmusApiVersion,
  type ApprovalMode,
  type Cluster,
  type ClusterApproval,
  type JoinToken,
} from '../../common/model/isthmus-kinds.ts';
import { toRevision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { EventRecorder } from '../../common/model/views.ts';
import {
  byToken,
  formatFingerprint,
  withApproval,
  type ClusterStatus,
} from '../../common/pure/cluster-approval.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { describeClockSkew } from '../../common/pure/skew.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { JoinRequest, JoinResponse } from '../../common/wire/mesh-codec.ts';
import type { Desired, StoredObject } from '../desired/store.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { clusterKey, tellCluster, tokenKey, withStatus } from './cluster-objects.ts';
import { parseToken, planJoin, type JoinPlan } from './join-plan.ts';
import type { Refusal } from './mesh-port.ts';

export interface JoinOptions {
  readonly desired: Desired;
  readonly authority: CertificateAuthority;
  readonly recorder: EventRecorder;
  /** Of tokens that do not say. */
  readonly joinApproval?: ApprovalMode | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface Asked {
  readonly request: JoinRequest;
  readonly publicKeyHash: string;
  readonly remoteAddress: string;
}

const attemptsMax = 5;

/** Never throws for a bad request; the caller sends the refusal to the agent as it is. */
export async function join(
  options: JoinOptions,
  request: JoinRequest,
  remoteAddress: string,
): Promise<JoinResponse | Refusal> {
  const { log, metrics, clock } = options;
  const outcome = await tryJoin(options, request, remoteAddress);
  const reason = 'reason' in outcome ? outcome.reason : 'Joined';
  const { clockUnixMs: agentMs } = request;
  const skew =
    agentMs === undefined ? undefined : describeClockSkew({ agentMs, coordinatorMs: clock.now() });
  metrics.count('mesh_session_joins_total', { reason });
  const cluster = request.cluster.slice(0, 64);
  log.info('join', { cluster, remoteAddress, reason, ...(skew === undefined ? {} : { skew }) });
  if (!('reason' in outcome)) return outcome;
  const refusal = skew === undefined ? outcome : withSkew(outcome, skew);
  tellRefusal(options, request, refusal, remoteAddress);
  return refusal;
}

/** An expiry is judged by our clock: who reads it by another one should know. */
function withSkew(refusal: Refusal, skew: string): Refusal {
  return { ...refusal, message: `${refusal.message} (${skew})` };
}

async function tryJoin(
  options: JoinOptions,
  request: JoinRequest,
  remoteAddress: string,
): Promise<JoinResponse | Refusal> {
  const { authority } = options;
  let publicKeyHash: string;
  try {
    publicKeyHash = await authority.hashOfRequest(request.csrDer);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return { reason: 'InvalidRequest', message: error.message, retry: false };
  }
  const asked = { request, publicKeyHash, remoteAddress };
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const found = read(options, asked);
    const { plan } = found;
    if (plan.kind === 'refuse') return plan;
    const outcome =
      plan.kind === 'wait'
        ? await wait(options, asked, found, plan)
        : await grant(options, asked, found, plan);
    if (outcome !== undefined) return outcome;
    await options.desired.barrier(); // somebody else was faster: read again
  }
  return { reason: 'Busy', message: 'many joins at once; try again', retry: true };
}

interface Found {
  readonly token: StoredObject | undefined;
  readonly cluster: StoredObject | undefined;
  readonly plan: JoinPlan;
}

function read(options: JoinOptions, { request, publicKeyHash }: Asked): Found {
  const { desired, clock } = options;
  const parts = parseToken(request.token);
  const token = parts === undefined ? undefined : desired.get(tokenKey(parts.name));
  const cluster = desired.get(clusterKey(request.cluster));
  const joinToken = token?.object as JoinToken | undefined;
  const plan = planJoin({
    clusterName: request.cluster,
    hasToken: request.token !== '',
    token: joinToken,
    isSecretRight: isHashOf(joinToken?.status?.tokenHash, parts?.secret),
    cluster: cluster?.object as Cluster | undefined,
    publicKeyHash,
    nowText: toTimestamp(clock.now()),
    joinApproval: options.joinApproval ?? 'Automatic',
  });
  return { token, cluster, plan };
}

function isHashOf(hash: string | undefined, secret: string | undefined): boolean {
  const wanted = Buffer.from(hash ?? '', 'hex');
  const given = createHash('sha256')
    .update(secret ?? '')
    .digest();
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

/** Undefined when a write was overtaken. */
async function grant(
  options: JoinOptions,
  asked: Asked,
  found: Found,
  plan: Extract<JoinPlan, { kind: 'grant' }>,
): Promise<JoinResponse | undefined> {
  const { desired, clock, authority } = options;
  const { request } = asked;
  const nowText = toTimestamp(clock.now());
  const token = await bind(options, asked, found, plan);
  if (token === 'overtaken') return undefined;
  const { status: before = {} } = (found.cluster?.object ?? {}) as Partial<Cluster>;
  const joined: ClusterStatus = {
    ...before,
    publicKeyHash: asked.publicKeyHash,
    joinedAt: plan.changesKey ? nowText : (before.joinedAt ?? nowText),
    agentVersion: request.agentVersion,
    certificateExpirationTimestamp: toTimestamp(clock.now() + authority.lifetimeMs),
  };
  const known = before.approval;
  const isApproved = known?.decision === 'Approved' && known.publicKeyHash === asked.publicKeyHash;
  const approval = isApproved || !plan.byToken ? known : toApproval(asked, token, nowText);
  const at = { cluster: request.cluster, nowText };
  const status = approval === undefined ? joined : withApproval(joined, approval, at);
  const uid = await put(options, request, found.cluster, status);
  if (uid === undefined) return undefined;
  // Last, so that a join cut short by a crash can be asked for again (J2, J4).
  if (token !== undefined && plan.byToken && token.object.status?.joinedAt === undefined) {
    const marked = await mark(desired, token, { joinedAt: nowText });
    if (marked === undefined) return undefined;
  }
  return {
    certificateChainPem: await authority.sign({
      csrDer: request.csrDer,
      cluster: request.cluster,
      clusterUid: uid,
    }),
    caPem: authority.trustedPem(),
    clusterUid: uid,
  };
}

type TokenObject = StoredObject & { readonly object: JoinToken };

/** The token as it is used by this key, when it is used at all. */
async function bind(
  { desired, clock }: JoinOptions,
  { request, publicKeyHash }: Asked,
  { token }: Found,
  plan: { readonly bindsToken: boolean },
): Promise<TokenObject | undefined | 'overtaken'> {
  if (!plan.bindsToken || token === undefined) return token as TokenObject | undefined;
  const usedAt = toTimestamp(clock.now());
  const bound = { usedBy: request.cluster, publicKeyHash, usedAt };
  return (await mark(desired, token, bound)) ?? 'overtaken';
}

/** The token with this in its status, or undefined when another write was faster. */
async function mark(
  desired: Desired,
  token: StoredObject,
  status: JoinToken['status'] & {},
): Promise<TokenObject | undefined> {
  const object = withStatus(token.object, status);
  const outcome = await desired.write({ key: token.key, object, expected: token.revision });
  return outcome.kind === 'written' ? (outcome.stored as TokenObject) : undefined; // a JoinToken
}

function toApproval(
  { publicKeyHash, remoteAddress, request }: Asked,
  token: TokenObject | undefined,
  nowText: string,
): ClusterApproval {
  const joinToken = token?.object.metadata.name ?? '';
  return {
    decision: 'Approved',
    publicKeyHash,
    requestedAt: nowText,
    remoteAddress,
    agentVersion: request.agentVersion,
    joinToken,
    decidedAt: nowText,
    decidedBy: byToken(joinToken),
  };
}

/** The Cluster shows who waits; the agent asks again by itself. */
async function wait(
  options: JoinOptions,
  asked: Asked,
  found: Found,
  plan: Extract<JoinPlan, { kind: 'wait' }>,
): Promise<Refusal | undefined> {
  const { request, publicKeyHash, remoteAddress } = asked;
  const { status: before = {} } = (found.cluster?.object ?? {}) as Partial<Cluster>;
  const known = before.approval;
  const isShown = known?.decision === 'Pending' && known.publicKeyHash === publicKeyHash;
  const token = await bind(options, asked, found, plan);
  if (token === 'overtaken') return undefined;
  if (!isShown) {
    const nowText = toTimestamp(options.clock.now());
    const joinToken =
      plan.reason === 'CertificateExpired' ? undefined : token?.object.metadata.name;
    const approval: ClusterApproval = {
      decision: 'Pending',
      publicKeyHash,
      reason: plan.reason,
      requestedAt: nowText,
      remoteAddress,
      agentVersion: request.agentVersion,
      ...(joinToken === undefined ? {} : { joinToken }),
    };
    const status = withApproval(before, approval, { cluster: request.cluster, nowText });
    if ((await put(options, request, found.cluster, status)) === undefined) return undefined;
    const message = status.conditions?.find(({ type }) => type === 'Approved')?.message ?? '';
    const event = { type: 'Normal', reason: 'WaitingForApproval', message } as const;
    tellCluster(options, request.cluster, event);
  }
  const why =
    plan.reason === 'CertificateExpired'
      ? `the certificate of cluster ${request.cluster} has ended; `
      : '';
  return {
    reason: 'WaitingForApproval',
    message:
      `${why}key ${formatFingerprint(publicKeyHash)} of cluster ${request.cluster} waits until ` +
      `somebody approves it: kubectl isthmus approve ${request.cluster}`,
    retry: true,
  };
}

/** The uid of the Cluster, written with this status; undefined when another write was faster. */
async function put(
  { desired, clock, chance }: JoinOptions,
  { cluster: name }: JoinRequest,
  known: StoredObject | undefined,
  status: ClusterStatus,
): Promise<string | undefined> {
  const base: KubeObject = known?.object ?? {
    apiVersion: isthmusApiVersion,
    kind: 'Cluster',
    metadata: {
      name,
      uid: chance.uuid(),
      creationTimestamp: toTimestamp(clock.now()),
      generation: 1,
    },
    spec: {},
  };
  const expected = known?.revision ?? toRevision(0);
  const object = { ...base, status };
  const outcome = await desired.write({ key: clusterKey(name), object, expected });
  return outcome.kind === 'written' ? base.metadata.uid : undefined;
}

// Whose names or keys are in dispute with a Cluster that is there: its owner should hear of it.
const disputes = new Set(['NameTaken', 'KeyReplaced', 'Denied', 'Revoked']);

/** On our side too, where the person who made the token looks, and at the Cluster in dispute. */
function tellRefusal(
  options: JoinOptions,
  request: JoinRequest,
  refusal: Refusal,
  remoteAddress: string,
): void {
  const { recorder, desired } = options;
  const { reason } = refusal;
  if (reason === 'WaitingForApproval') return; // told once, when it was written
  const type = 'Warning';
  const message = `${refusal.message} (asked by ${remoteAddress} for cluster ${request.cluster.slice(0, 64)})`;
  const name = parseToken(request.token)?.name;
  const token = name === undefined ? undefined : desired.get(tokenKey(name));
  // A stranger's noise makes no objects; a known key or token is no stranger.
  const isKnown = token !== undefined || reason === 'Denied' || reason === 'Revoked';
  if (isKnown && disputes.has(reason))
    tellCluster(options, request.cluster, { type, reason, message });
  if (token === undefined) return;
  recorder.record({
    regarding: {
      apiVersion: isthmusApiVersion,
      kind: 'JoinToken',
      name: token.object.metadata.name,
      uid: token.object.metadata.uid,
    },
    type,
    reason,
    message,
  });
}
