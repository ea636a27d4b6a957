// Grants or refuses a join: reads token and Cluster, plans, writes by compare-and-set, signs.

import { createHash, timingSafeEqual } from 'node:crypto';
import {
  isthmusApiVersion,
  isthmusGroup,
  type Cluster,
  type JoinToken,
} from '../../common/model/isthmus-kinds.ts';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { EventRecorder } from '../../common/model/views.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { parseTimestamp, toTimestamp, type Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { JoinRequest, JoinResponse } from '../../common/wire/mesh-codec.ts';
import type { Desired, StoredObject } from '../desired/store.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { parseToken, planJoin, type JoinPlan } from './join-plan.ts';
import type { Refusal } from './mesh-port.ts';

export interface JoinOptions {
  readonly desired: Desired;
  readonly authority: CertificateAuthority;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
}

const attemptsMax = 5;

/** Never throws for a bad request; the caller sends the refusal to the agent as it is. */
export async function join(
  options: JoinOptions,
  request: JoinRequest,
  remoteAddress: string,
): Promise<JoinResponse | Refusal> {
  const { log, metrics } = options;
  const outcome = await tryJoin(options, request);
  const reason = 'reason' in outcome ? outcome.reason : 'Joined';
  metrics.count('mesh_session_joins_total', { reason });
  log.info('join', { cluster: request.cluster.slice(0, 64), remoteAddress, reason });
  if ('reason' in outcome) tellRefusal(options, request, outcome, remoteAddress);
  return outcome;
}

async function tryJoin(
  options: JoinOptions,
  request: JoinRequest,
): Promise<JoinResponse | Refusal> {
  const { authority } = options;
  let publicKeyHash: string;
  try {
    publicKeyHash = await authority.hashOfRequest(request.csrDer);
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    return { reason: 'InvalidRequest', message: error.message, retry: false };
  }
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const found = read(options, request, publicKeyHash);
    if (found.plan.kind === 'refuse') return found.plan;
    const uid = await write(options, request, { ...found, plan: found.plan }, publicKeyHash);
    if (uid === undefined) continue; // somebody else was faster: read again
    return {
      certificateChainPem: await authority.sign({
        csrDer: request.csrDer,
        cluster: request.cluster,
        clusterUid: uid,
      }),
      caPem: authority.caPem,
      clusterUid: uid,
    };
  }
  return { reason: 'Busy', message: 'many joins at once; try again', retry: true };
}

interface Found {
  readonly token: StoredObject | undefined;
  readonly cluster: StoredObject | undefined;
  readonly plan: JoinPlan;
}

function read({ desired, clock }: JoinOptions, request: JoinRequest, publicKeyHash: string): Found {
  const parts = parseToken(request.token);
  const token = parts === undefined ? undefined : desired.get(tokenKey(parts.name));
  const cluster = desired.get(clusterKey(request.cluster));
  const joinToken = token?.object as JoinToken | undefined;
  const plan = planJoin({
    clusterName: request.cluster,
    token: joinToken,
    isSecretRight: isHashOf(joinToken?.status?.tokenHash, parts?.secret),
    cluster: cluster?.object as Cluster | undefined,
    publicKeyHash,
    nowMs: clock.now(),
    expiresAtMs: parseTimestamp(joinToken?.status?.expirationTimestamp),
  });
  return { token, cluster, plan };
}

function tokenKey(name: string) {
  return toLogKey({ group: isthmusGroup, resource: 'jointokens', name });
}

function clusterKey(name: string) {
  return toLogKey({ group: isthmusGroup, resource: 'clusters', name });
}

function isHashOf(hash: string | undefined, secret: string | undefined): boolean {
  const wanted = Buffer.from(hash ?? '', 'hex');
  const given = createHash('sha256')
    .update(secret ?? '')
    .digest();
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

/** The Cluster's uid once token and Cluster are written; undefined when a write was overtaken. */
async function write(
  options: JoinOptions,
  request: JoinRequest,
  found: Found & { readonly plan: Extract<JoinPlan, { kind: 'grant' }> },
  publicKeyHash: string,
): Promise<string | undefined> {
  const { desired, clock } = options;
  const { cluster, plan } = found;
  let token = found.token;
  if (plan.bindsToken) {
    token = await mark(desired, token, { usedBy: request.cluster, publicKeyHash });
    if (token === undefined) return undefined;
  }
  let uid = cluster?.object.metadata.uid;
  if (cluster === undefined || plan.changesKey) {
    const object = toCluster(options, request, cluster?.object, publicKeyHash);
    const expected = cluster?.revision ?? toRevision(0);
    const outcome = await desired.write({ key: clusterKey(request.cluster), object, expected });
    if (outcome.kind !== 'written') return undefined;
    uid = object.metadata.uid;
  }
  // Last, so that a join cut short by a crash can be asked for again (J2, J4).
  const status = token?.object.status as JoinToken['status'];
  if (status?.joinedAt === undefined) {
    token = await mark(desired, token, { joinedAt: toTimestamp(clock.now()) });
  }
  return token === undefined ? undefined : uid;
}

/** The token with this in its status, or undefined when another write was faster. */
async function mark(
  desired: Desired,
  token: StoredObject | undefined,
  status: JoinToken['status'],
): Promise<StoredObject | undefined> {
  if (token === undefined) return undefined;
  const object = withStatus(token.object, status ?? {});
  const outcome = await desired.write({ key: token.key, object, expected: token.revision });
  return outcome.kind === 'written' ? outcome.stored : undefined;
}

function toCluster(
  { clock, chance }: JoinOptions,
  request: JoinRequest,
  known: KubeObject | undefined,
  publicKeyHash: string,
): KubeObject {
  const joinedAt = toTimestamp(clock.now());
  const base = known ?? {
    apiVersion: isthmusApiVersion,
    kind: 'Cluster',
    metadata: {
      name: request.cluster,
      uid: chance.uuid(),
      creationTimestamp: joinedAt,
      generation: 1,
    },
    spec: {},
  };
  return withStatus(base, { publicKeyHash, joinedAt, agentVersion: request.agentVersion });
}

function withStatus(object: KubeObject, status: object): KubeObject {
  return { ...object, status: { ...object.status, ...status } };
}

/** On our side too, where the person who made the token looks. */
function tellRefusal(
  { recorder, desired }: JoinOptions,
  request: JoinRequest,
  refusal: Refusal,
  remoteAddress: string,
): void {
  const name = parseToken(request.token)?.name;
  const token = name === undefined ? undefined : desired.get(tokenKey(name));
  if (token === undefined) return; // a stranger's noise makes no objects
  recorder.record({
    regarding: {
      apiVersion: isthmusApiVersion,
      kind: 'JoinToken',
      name: token.object.metadata.name,
      uid: token.object.metadata.uid,
    },
    type: 'Warning',
    reason: refusal.reason,
    message: `${refusal.message} (asked by ${remoteAddress} for cluster ${request.cluster.slice(0, 64)})`,
  });
}
