// Kinds that clients define themselves, for an API that does not serve CustomResourceDefinitions, as
// simulated members: there are none, and this says so.
//
// kubectl that finds a kind in no OpenAPI document lists the CustomResourceDefinitions before it
// says `no matches for kind`; without the list it reports a broken server instead. The group is
// not in discovery, so nothing is promised that could be created.

import { commonHeaders } from '../answer/answers.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import type { ResourceRoute } from '../request/routes.ts';

const apiVersion = 'apiextensions.k8s.io/v1';
const noDefinitions = Buffer.from(
  JSON.stringify({
    kind: 'CustomResourceDefinitionList',
    apiVersion,
    metadata: { resourceVersion: '1' },
    items: [],
  }),
);

/** The empty list when that is what is asked for, else undefined. */
export function answerCustomKinds(
  { method }: ApiRequest,
  { group, version, resource, verb }: ResourceRoute,
): ApiResponse | undefined {
  const isAsked =
    method === 'GET' &&
    verb === 'list' &&
    `${group}/${version}` === apiVersion &&
    resource === 'customresourcedefinitions';
  if (!isAsked) return undefined;
  const headers = { ...commonHeaders, 'content-type': 'application/json' };
  return { status: 200, headers, body: noDefinitions };
}
