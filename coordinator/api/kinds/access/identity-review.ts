// authentication.k8s.io/v1 TokenReview and SelfSubjectReview: whose token is this, and who am I?

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { toTimestamp } from '../../../../common/runtime/clock.ts';
import type { UserInfo } from '../../machinery/access/access.ts';
import type { KindDefinition } from '../../machinery/kind.ts';
import { badRequest } from '../../machinery/answer/status-error.ts';
import {
  ownList,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import { selfStatus, tokenSpec, tokenStatus } from './access-schema.ts';
import { reviewKind } from './review-kind.ts';

const group = 'authentication.k8s.io';

export const tokenReviewKind: KindDefinition = reviewKind({
  group,
  kind: 'TokenReview',
  isConfidential: true,
  isNamespaced: false,
  description: 'Asks whose bearer token this is.',
  spec: tokenSpec,
  status: tokenStatus,
  answerCreate: async (review, { access }) => {
    const spec = ownRecord(toJsonObject(review), 'spec');
    const token = ownText(spec, 'token');
    if (token === '') throw badRequest('token is required for TokenReview in authentication');
    const verdict = await access.reviewToken(token, ownList(spec, 'audiences').map(String));
    const { user, audiences, error } = verdict;
    const status = {
      ...(user === undefined ? {} : { authenticated: true }),
      user: user === undefined ? {} : toInfo(user),
      ...(audiences.length === 0 ? {} : { audiences }),
      ...(error === undefined ? {} : { error }),
    };
    return { ...review, status };
  },
});

export const selfSubjectReviewKind: KindDefinition = reviewKind({
  group,
  kind: 'SelfSubjectReview',
  isNamespaced: false,
  description: 'Asks who oneself is.',
  status: selfStatus,
  answerCreate: ({ kind, apiVersion }, { user, nowMs }) =>
    toKubeObject({
      kind,
      apiVersion,
      metadata: { creationTimestamp: toTimestamp(nowMs) },
      status: { userInfo: toInfo(user) },
    }),
});

/** authentication.k8s.io/v1 UserInfo, without empty members. */
export function toInfo({ name, uid = '', groups, extra = {} }: UserInfo): JsonObject {
  return {
    ...(name === '' ? {} : { username: name }),
    ...(uid === '' ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}
