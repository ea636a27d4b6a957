// isthmus.dev/v1alpha1 JoinToken: lets one cluster's agent join. The token is shown once, in the
// answer to its creation; stored is only the hash of its secret.
//
//   I9. The secret part never reaches the store.

import { createHash } from 'node:crypto';
import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { parseTimestamp, toTimestamp } from '../../../../common/runtime/clock.ts';
import {
  own,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
  withMember,
} from '../../machinery/schema/json-value.ts';
import { isthmusGroup, type ApprovalMode } from '../../../../common/model/isthmus-kinds.ts';
import { forbiddenBecause } from '../../machinery/answer/status-error.ts';
import type { AccessContext, KindDefinition, WriteContext } from '../../machinery/kind.ts';
import { refuseChange } from '../../machinery/rules/object-rules.ts';
import { objectSchema } from '../common-schema.ts';
import { ageColumn, column, formatAge, nameColumn } from '../columns.ts';
import { isthmusKind, labelName } from '../definition.ts';
import { int64, labelText, struct, text, time } from '../schema-parts.ts';

const secretBytes = 32;
const caHashCharacters = 32;
const expirationSecondsDefault = 3600;
// A minute is the least that a person can use; a year is as long as a certificate lives.
const expirationSecondsMin = 60;
const expirationSecondsMax = 31536000;

const description = 'Lets the agent of one cluster join the federation, once and for a while.';

const spec = struct('JoinTokenSpec', 'Who may use the token.', {
  cluster: labelText(
    'Only this cluster may join with the token, which may then also replace its lost key. ' +
      'Default: any cluster whose name is free.',
  ),
  expirationSeconds: int64('Seconds that the token is good for. Default: 3600.', {
    minimum: expirationSecondsMin,
    maximum: expirationSecondsMax,
  }),
  approval: text(
    'Automatic lets the cluster in; Manual makes it wait until somebody approves it ' +
      "(kubectl isthmus approve). Default: as the coordinator's --join-approval says.",
    ['Automatic', 'Manual'],
  ),
});

const status = struct('JoinTokenStatus', 'What became of the token.', {
  token: text('The token itself. Only in the answer to its creation.'),
  tokenHash: text('SHA-256 (hex) of the secret part.'),
  expirationTimestamp: time('When the token stops working.'),
  usedBy: text('Cluster that joined with it.'),
  usedAt: time('When it was first used.'),
  publicKeyHash: text('SHA-256 (hex) of the key that joined with it. Another key is refused.'),
  joinedAt: time('When its cluster had joined; the token does not make that cluster again.'),
  coordinator: text('Where the agent dials the coordinator, host:port, as the coordinator knows.'),
});

export interface JoinTokenOptions {
  /** Lower-case hex SHA-256 of the CA certificate's DER; its first half is in the token. */
  readonly caHash: string | (() => string);
  /** Of tokens that do not say. Default: Automatic. */
  readonly joinApproval?: ApprovalMode | undefined;
  /** host:port that agents dial; undefined while it is not known. */
  readonly coordinator?: (() => string | undefined) | undefined;
}

export function joinTokenKind(options: JoinTokenOptions): KindDefinition {
  const approval = options.joinApproval ?? 'Automatic';
  const caHash = (): string =>
    typeof options.caHash === 'string' ? options.caHash : options.caHash();
  return isthmusKind({
    kind: 'JoinToken',
    plural: 'jointokens',
    isConfidential: true,
    shortNames: ['jt'],
    isNamespaced: false,
    hasStatus: true,
    description,
    schema: objectSchema('JoinToken', description, { spec, status }),
    columns: [
      nameColumn,
      column('Cluster', 'Cluster that may use the token.', (token) =>
        ownText(ownRecord(token, 'spec'), 'cluster'),
      ),
      column('Expires', 'Time until it stops working.', formatExpiry),
      column('Used-By', 'Cluster that joined with it.', (token) =>
        ownText(ownRecord(token, 'status'), 'usedBy'),
      ),
      ageColumn,
    ],
    setDefaults: (token) => toKubeObject(setTokenDefaults(toJsonObject(token))),
    prepareForCreate: (token, context) =>
      toKubeObject(
        withAddress(
          withToken(withMode(toJsonObject(token), approval), context, caHash()),
          options.coordinator?.(),
        ),
      ),
    prepareForUpdate: (next, old) => {
      const mode = ownText(ownRecord(toJsonObject(old), 'spec'), 'approval');
      return mode === 'Manual' || mode === 'Automatic'
        ? toKubeObject(withMode(toJsonObject(next), mode))
        : next;
    },
    toStored: (token) => toKubeObject(withoutToken(toJsonObject(token))),
    toCreateAnswer: withTokenOf,
    refuseWrite: (token, _old, context) => refuseWiderToken(token, context),
    // The name is a part of the token, whose parts are divided by dots.
    nameRule: labelName,
    validateUpdate: (next, old) =>
      refuseChange(
        'spec',
        ownRecord(toJsonObject(next), 'spec'),
        ownRecord(toJsonObject(old), 'spec'),
      ),
  });
}

/**
 * A token lets its holder register a cluster, or take the place of one: who may not do that himself
 * may not make a token for it.
 */
function refuseWiderToken(token: KubeObject, { user, access, read }: AccessContext): void {
  const cluster = ownText(ownRecord(toJsonObject(token), 'spec'), 'cluster');
  const at = { group: isthmusGroup, resource: 'clusters', name: cluster };
  const isThere = cluster !== '' && read(at) !== undefined;
  const verbs = isThere ? ['create', 'update'] : ['create'];
  const fixed = { version: '*', subresource: '', namespace: '', path: '', isResource: true };
  const refuse = (why: string): Error =>
    forbiddenBecause({
      group: isthmusGroup,
      resource: 'jointokens',
      name: token.metadata.name,
      why: `user ${JSON.stringify(user.name)} cannot ${why}`,
    });
  const which = cluster === '' ? 'clusters' : `the cluster ${JSON.stringify(cluster)}`;
  for (const verb of verbs) {
    if (access.authorize({ ...at, ...fixed, user, verb }).allowed) continue;
    throw refuse(`${verb} ${which}, which the token would let its holder do`);
  }
  if (ownText(ownRecord(toJsonObject(token), 'spec'), 'approval') === 'Manual') return;
  const approve = { ...at, ...fixed, subresource: 'approval', verb: 'update' };
  if (access.authorize({ ...approve, user }).allowed) return;
  throw refuse(`approve ${which}, as the token would; make it with spec.approval: Manual`);
}

function setTokenDefaults(token: JsonObject): JsonObject {
  const given = ownRecord(token, 'spec');
  const seconds = own(given, 'expirationSeconds') ?? expirationSecondsDefault;
  return { ...token, spec: { ...given, expirationSeconds: seconds } };
}

/** Only when it is made: the setting may change later, a token's promise may not. */
function withMode(token: JsonObject, approval: ApprovalMode): JsonObject {
  const given = ownRecord(token, 'spec');
  return { ...token, spec: { ...given, approval: own(given, 'approval') ?? approval } };
}

/** Whoever may make a token need not know where its agent has to dial. */
function withAddress(token: JsonObject, coordinator: string | undefined): JsonObject {
  if (coordinator === undefined) return token;
  return { ...token, status: { ...ownRecord(token, 'status'), coordinator } };
}

function withToken(token: JsonObject, context: WriteContext, caHash: string): JsonObject {
  const secret = Buffer.from(context.secretBytes(secretBytes)).toString('base64url');
  const name = ownText(ownRecord(token, 'metadata'), 'name');
  const seconds = Number(own(ownRecord(token, 'spec'), 'expirationSeconds'));
  const isLegal = seconds >= expirationSecondsMin && seconds <= expirationSecondsMax;
  const lifetimeMs = (isLegal ? seconds : expirationSecondsDefault) * 1000;
  return {
    ...token,
    status: {
      token: `isthmus.v1.${name}.${secret}.${caHash.slice(0, caHashCharacters)}`,
      tokenHash: createHash('sha256').update(secret).digest('hex'),
      expirationTimestamp: toTimestamp(context.nowMs + lifetimeMs),
    },
  };
}

function withoutToken(token: JsonObject): JsonObject {
  return { ...token, status: withMember(ownRecord(token, 'status'), 'token', undefined) };
}

function withTokenOf(stored: KubeObject, prepared: KubeObject): KubeObject {
  const token = ownText(ownRecord(toJsonObject(prepared), 'status'), 'token');
  const kept = ownRecord(toJsonObject(stored), 'status');
  return toKubeObject({ ...toJsonObject(stored), status: { token, ...kept } });
}

function formatExpiry(token: JsonObject, nowMs: number): string {
  const at = parseTimestamp(ownText(ownRecord(token, 'status'), 'expirationTimestamp'));
  if (at === undefined) return '<unknown>';
  return at <= nowMs ? 'expired' : `in ${formatAge(at - nowMs)}`;
}
