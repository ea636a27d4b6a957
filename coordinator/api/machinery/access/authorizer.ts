// Who may do what: the authorization of a route, its refusal in Kubernetes' words, and a plain
// authorizer for servers without roles. Pure.
//
//   Z1. Nobody learns whether something exists before being allowed to ask.

import type { Attributes, Authorize, Decision, UserInfo } from './access.ts';
import type { ResourceRoute, Route } from '../request/routes.ts';
import { nameOfFieldSelector } from '../request/selectors.ts';
import { forbidden, forbiddenPath, type ApiError } from '../answer/status-error.ts';

export const anonymous: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** Whose credentials were refused; only the audit log speaks of him. */
export const nobody: UserInfo = { name: '', groups: [] };

/** Throws 403 when `user` may not take the route. `onDecision` hears it before. */
export function authorizeRoute(
  route: Route,
  user: UserInfo,
  authorize: Authorize,
  onDecision?: (decision: Decision) => void,
): void {
  const attributes = toAttributes(route, user);
  const decision = authorize(attributes);
  onDecision?.(decision);
  if (!decision.allowed) throw toForbidden(attributes, decision.reason);
}

export function toAttributes(route: Route, user: UserInfo): Attributes {
  if (route.kind === 'path') {
    const none = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '' };
    return { user, verb: route.verb, isResource: false, path: route.path, ...none };
  }
  const { verb, group, version, resource, subresource, namespace, path } = route;
  const name = route.name === '' ? toSelectedName(route) : route.name;
  return {
    user,
    verb,
    isResource: true,
    group,
    version,
    resource,
    subresource,
    namespace,
    name,
    path,
  };
}

/** A list or watch of one object by its name may be granted by that name. */
function toSelectedName({ verb, query }: ResourceRoute): string {
  if (verb !== 'list' && verb !== 'watch') return '';
  // Read as the list itself reads it: an escaped comma divides nothing.
  const name = nameOfFieldSelector(query.get('fieldSelector') ?? '');
  if (name === undefined || /[/%]/.test(name) || name === '.' || name === '..') return '';
  return name;
}

export function toForbidden(attributes: Attributes, reason: string | undefined): ApiError {
  const { user, verb, path } = attributes;
  if (!attributes.isResource) {
    return forbiddenPath({
      user: user.name,
      verb,
      path,
      ...(reason === undefined ? {} : { reason }),
    });
  }
  const { group, resource, subresource, name, namespace } = attributes;
  return forbidden({
    group,
    resource,
    subresource,
    name,
    namespace,
    user: user.name,
    verb,
    ...(reason === undefined ? {} : { reason }),
  });
}

/**
 * Without roles: members of system:masters may do everything, others only look at what describes
 * the server. For servers that serve no roles, such as simulated member clusters.
 */
export const authorizeMasters: Authorize = ({ user, verb, isResource, path }) => {
  if (user.groups.includes('system:masters')) return { allowed: true };
  if (isResource || verb !== 'get') return { allowed: false };
  if (isUnder(path, publicPaths)) return { allowed: true };
  const isKnown = user.groups.includes('system:authenticated');
  return { allowed: isKnown && isUnder(path, describingPaths) };
};

// The defaults of kube-apiserver: ClusterRoles system:public-info-viewer and system:discovery.
const publicPaths = ['/healthz', '/livez', '/readyz', '/version'];
const describingPaths = ['/api', '/apis', '/openapi'];

function isUnder(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(`${root}/`));
}
