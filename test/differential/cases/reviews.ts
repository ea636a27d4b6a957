// The reviews' refusals in depth, and acting as others.

import { get, post, type Area, type HttpOptions } from '../step.ts';

type Fields = Readonly<Record<string, unknown>>;

const as = (user: string, more: Readonly<Record<string, string>> = {}): HttpOptions => ({
  headers: { 'impersonate-user': user, ...more },
});
const ann = as('ann', { 'impersonate-group': 'writers' });
const reviews = '/apis/authorization.k8s.io/v1';
const review = (kind: string, spec: unknown, more: Fields = {}): Fields => ({
  apiVersion: 'authorization.k8s.io/v1',
  kind,
  spec,
  ...more,
});
const ask = (spec: Fields, more: Fields = {}): Fields => review('SubjectAccessReview', spec, more);

export const reviewsAndImpersonation: Area = {
  name: 'reviews',
  steps: [
    post(
      'a field selector that is none [k8s 119]',
      `${reviews}/selfsubjectaccessreviews`,
      review('SelfSubjectAccessReview', {
        resourceAttributes: { verb: 'list', resource: 'services', fieldSelector: {} },
      }),
    ),
    post(
      'a label selector twice [k8s 119]',
      `${reviews}/selfsubjectaccessreviews`,
      review('SelfSubjectAccessReview', {
        resourceAttributes: {
          verb: 'list',
          resource: 'services',
          labelSelector: { rawSelector: 'a=b', requirements: [{ key: 'a', operator: 'In' }] },
        },
      }),
    ),
    post(
      'selectors of unknown operators [k8s 119]',
      `${reviews}/selfsubjectaccessreviews`,
      review('SelfSubjectAccessReview', {
        resourceAttributes: {
          verb: 'list',
          resource: 'services',
          fieldSelector: {
            requirements: [
              { key: 'a', operator: 'Is', values: ['b'] },
              { key: 'c', operator: 'In', values: ['d'] },
            ],
          },
          labelSelector: { requirements: [{ key: 'a', operator: 'Is' }] },
        },
      }),
    ),
    post(
      'a raw selector that cannot be read [k8s 119]',
      `${reviews}/selfsubjectaccessreviews`,
      review('SelfSubjectAccessReview', {
        resourceAttributes: {
          verb: 'list',
          resource: 'services',
          labelSelector: { rawSelector: 'a in (' },
          fieldSelector: { rawSelector: 'a' },
        },
      }),
    ),
    post(
      'a review with an unknown field [k8s 119]',
      `${reviews}/selfsubjectaccessreviews?fieldValidation=Strict`,
      review('SelfSubjectAccessReview', { resourceAttributes: { verb: 'get', bogus: 1 } }),
    ),
    post('a review without a spec [k8s 119]', `${reviews}/subjectaccessreviews`, {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
    }),
    post(
      'a review of paths with a group [k8s 119]',
      `${reviews}/subjectaccessreviews`,
      ask({
        groups: ['system:unauthenticated'],
        nonResourceAttributes: { path: '/healthz', verb: 'get' },
      }),
    ),
    post(
      'a review with extra and uid [k8s 119]',
      `${reviews}/subjectaccessreviews`,
      ask({
        user: 'ann',
        uid: 'u',
        extra: { k: ['v', 'w'] },
        resourceAttributes: {
          namespace: '{ns}',
          verb: 'list',
          resource: 'services',
          version: 'v9',
        },
      }),
    ),
    post(
      'a local review of a path [k8s 119]',
      `${reviews}/namespaces/{ns}/localsubjectaccessreviews`,
      review(
        'LocalSubjectAccessReview',
        { user: 'ann', nonResourceAttributes: { path: '/x', verb: 'get' } },
        { metadata: { namespace: '{ns}' } },
      ),
    ),
    post(
      'a local review without its namespace [k8s 119]',
      `${reviews}/namespaces/{ns}/localsubjectaccessreviews`,
      review('LocalSubjectAccessReview', {
        user: 'ann',
        resourceAttributes: { namespace: '{ns}', verb: 'get', resource: 'services' },
      }),
    ),
    post(
      'a local review with a name [k8s 119]',
      `${reviews}/namespaces/{ns}/localsubjectaccessreviews`,
      review(
        'LocalSubjectAccessReview',
        {
          user: 'ann',
          resourceAttributes: { namespace: '{ns}', verb: 'get', resource: 'services' },
        },
        { metadata: { name: 'x', namespace: '{ns}' } },
      ),
    ),
    post(
      'forbidden: a review of others [k8s 119]',
      `${reviews}/subjectaccessreviews`,
      ask({ user: 'root', resourceAttributes: { verb: 'get' } }),
      ann,
    ),
    post(
      'a token review of another audience [k8s 119]',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token: '{token}', audiences: ['nobody'] },
      },
      { pick: (body) => (body as { readonly status?: Fields }).status }, // the tokens differ
    ),
    post(
      'a token review of a wrong token [k8s 119]',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: 'wrong' } },
    ),
    get(
      'an extra that is not allowed [k8s 120]',
      'services',
      as('ann', { 'impersonate-extra-scopes': 'x' }),
    ),
    post(
      'who, with an escaped extra [k8s 120]',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      as('ann', {
        'impersonate-extra-example.com%2fa': 'x',
        'impersonate-group': 'system:unauthenticated',
      }),
    ),
    post(
      'who, as anonymous [k8s 120]',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      as('system:anonymous'),
    ),
    post(
      'who, as a broken service account [k8s 120]',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      as('system:serviceaccount:A_B:x'),
    ),
    get('an extra alone [k8s 120]', 'services', { headers: { 'impersonate-extra-a': 'b' } }),
    post(
      'ann impersonates [k8s 120]',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      as('ann', { 'impersonate-uid': '' }),
    ),
  ],
};
