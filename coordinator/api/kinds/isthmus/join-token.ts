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
import { isthmusGroup } from '../../../../common/model/isthmus-kinds.ts';
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
});

const status = struct('JoinTokenStatus', 'What became of the token.', {
  token: text('The token itself. Only in the answer to its creation.'),
  tokenHash: text('SHA-256 (hex) of the secret part.'),
  expirationTimestamp: time('When the token stops working.'),
  usedBy: text('Cluster that joined with it.'),
  publicKeyHash: text('SHA-256 (hex) of the key that joined with it. Another key is refused.'),
  joinedAt: time('When its cluster had joined; the token does not make that cluster again.'),
});

/** `caHash`: lower-case hex SHA-256 of the CA certificate's DER; its first half is in the token. */
export function joinTokenKind(options: { readonly caHash: string }): KindDefinition {
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
      toKubeObject(withToken(toJsonObject(token), context, options.caHash)),
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
  for (const verb of verbs) {
    if (access.authorize({ ...at, ...fixed, user, verb }).allowed) continue;
    const which = cluster === '' ? 'clusters' : `the cluster ${JSON.stringify(cluster)}`;
    throw forbiddenBecause({
      group: isthmusGroup,
      resource: 'jointokens',
      name: token.metadata.name,
      why: `user ${JSON.stringify(user.name)} cannot ${verb} ${which}, which the token would let its holder do`,
    });
  }
}

function setTokenDefaults(token: JsonObject): JsonObject {
  const given = ownRecord(token, 'spec');
  const seconds = own(given, 'expirationSeconds') ?? expirationSecondsDefault;
  return { ...token, spec: { ...given, expirationSeconds: seconds } };
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
