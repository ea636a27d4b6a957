// A request in somebody else's name: what its headers ask for, whether the asker may, and who he
// is then. Each part (user, groups, uid, extras) is a right of its own.
//
// Source: kube-apiserver 1.34's impersonation filter, whose refusals and defaults these are.

import type { ApiRequest } from '../api.ts';
import type { Attributes, Authorize, UserInfo } from './access.ts';
import { toForbidden } from './authorizer.ts';

type Headers = Pick<ApiRequest, 'headers' | 'rawHeaders'>;

interface Part {
  readonly kind: 'User' | 'ServiceAccount' | 'Group' | 'UserExtra' | 'UID';
  readonly name: string;
  readonly namespace: string;
  readonly extraKey: string;
}

export type Impersonation =
  | { readonly kind: 'none' }
  /** What kube-apiserver answers as plain text, with 500. */
  | { readonly kind: 'fault'; readonly text: string }
  | { readonly kind: 'parts'; readonly parts: readonly Part[] };

const userHeader = 'impersonate-user';
const groupHeader = 'impersonate-group';
const uidHeader = 'impersonate-uid';
const extraPrefix = 'impersonate-extra-';

/** Which parts the headers name, in the order in which they are asked for. */
export function parseImpersonation(request: Headers): Impersonation {
  if (!isImpersonating(request.headers)) return { kind: 'none' };
  const lines = toLines(request);
  const valueOf = (name: string): string => lines.find(([key]) => key === name)?.[1] ?? '';
  const valuesOf = (name: string) => lines.flatMap(([key, value]) => (key === name ? [value] : []));
  const user = valueOf(userHeader);
  const uid = valueOf(uidHeader);
  const others = [
    ...valuesOf(groupHeader).map((name) => part('Group', name)),
    ...lines.flatMap(([key, value]) =>
      key.startsWith(extraPrefix) ? [part('UserExtra', value, toExtraKey(key))] : [],
    ),
    ...(uid === '' ? [] : [part('UID', uid)]),
  ];
  if (user !== '') return { kind: 'parts', parts: [toUserPart(user), ...others] };
  if (others.length === 0) return { kind: 'none' };
  const listed = others.map(toGoText).join(' ');
  return { kind: 'fault', text: `requested [${listed}] without impersonating a user` };
}

function isImpersonating(headers: Headers['headers']): boolean {
  for (const name of Object.keys(headers)) if (name.startsWith('impersonate-')) return true;
  return false;
}

/** Each header line by itself: a group's name may hold a comma. */
function toLines({ headers, rawHeaders }: Headers): readonly (readonly [string, string])[] {
  if (rawHeaders === undefined) {
    return Object.entries(headers).map(([name, value]) => [name, value ?? ''] as const);
  }
  const lines: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    lines.push([(rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '']);
  }
  return lines;
}

function part(kind: Part['kind'], name: string, extraKey = '', namespace = ''): Part {
  return { kind, name, extraKey, namespace };
}

function toExtraKey(header: string): string {
  const encoded = header.slice(extraPrefix.length);
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // as it came
  }
}

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const subdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function toUserPart(user: string): Part {
  const [system, account, namespace = '', name = '', ...more] = user.split(':');
  const isAccount =
    system === 'system' &&
    account === 'serviceaccount' &&
    more.length === 0 &&
    label.test(namespace) &&
    subdomain.test(name);
  return isAccount ? part('ServiceAccount', name, '', namespace) : part('User', user);
}

/** An ObjectReference as Go prints it. */
function toGoText({ kind, name, extraKey }: Part): string {
  const apiVersion = kind === 'Group' ? '' : 'authentication.k8s.io/v1';
  return `{${[kind, '', name, '', apiVersion, '', extraKey].join(' ')}}`;
}

/** The user that the parts describe. Throws 403 for the first part that is not allowed. */
export function impersonate(
  asker: UserInfo,
  parts: readonly Part[],
  authorize: Authorize,
): UserInfo {
  for (const each of parts) {
    const attributes = toAttributes(asker, each);
    const decision = authorize(attributes);
    if (!decision.allowed) throw toForbidden(attributes, decision.reason);
  }
  const [first] = parts;
  const name =
    first?.kind === 'ServiceAccount'
      ? `system:serviceaccount:${first.namespace}:${first.name}`
      : (first?.name ?? '');
  const uid = parts.find(({ kind }) => kind === 'UID')?.name;
  return {
    name,
    groups: toGroups(name, parts),
    extra: toExtra(parts),
    ...(uid === undefined ? {} : { uid }),
  };
}

function toAttributes(user: UserInfo, { kind, name, namespace, extraKey }: Part): Attributes {
  const resources = {
    User: 'users',
    ServiceAccount: 'serviceaccounts',
    Group: 'groups',
    UserExtra: 'userextras',
    UID: 'uids',
  } as const;
  const isOfAuthentication = kind === 'UserExtra' || kind === 'UID';
  return {
    user,
    verb: 'impersonate',
    isResource: true,
    group: isOfAuthentication ? 'authentication.k8s.io' : '',
    version: isOfAuthentication ? 'v1' : '',
    resource: resources[kind],
    subresource: extraKey,
    namespace,
    name,
    path: '',
  };
}

const authenticated = 'system:authenticated';
const unauthenticated = 'system:unauthenticated';

/** Named groups are all there are, but for the one that says whether the user is known. */
function toGroups(user: string, parts: readonly Part[]): readonly string[] {
  const named = parts.flatMap(({ kind, name }) => (kind === 'Group' ? [name] : []));
  const [first] = parts;
  const groups =
    named.length === 0 && first?.kind === 'ServiceAccount'
      ? ['system:serviceaccounts', `system:serviceaccounts:${first.namespace}`]
      : named;
  if (user === 'system:anonymous') {
    return groups.includes(unauthenticated) ? groups : [...groups, unauthenticated];
  }
  const isSaid = groups.includes(authenticated) || groups.includes(unauthenticated);
  return isSaid ? groups : [...groups, authenticated];
}

function toExtra(parts: readonly Part[]): Readonly<Record<string, readonly string[]>> {
  const extra = new Map<string, readonly string[]>();
  for (const { kind, extraKey, name } of parts) {
    if (kind === 'UserExtra') extra.set(extraKey, [...(extra.get(extraKey) ?? []), name]);
  }
  return Object.fromEntries(extra);
}
