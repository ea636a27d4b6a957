// The stored credentials of a hosted cluster, as the API keeps them: one kubeconfig, in JSON. Pure.

import { toLogKey, toLogPrefix, type ClusterName, type LogKey } from '../../common/model/ids.ts';
import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { StoredObject } from '../desired/store.ts';

const resource = 'clustercredentials';

export const credentialsPrefix = toLogPrefix(isthmusGroup, resource);

export function credentialsKey(name: ClusterName): LogKey {
  return toLogKey({ group: isthmusGroup, resource, name });
}

/** Of the Cluster that they were written for. */
export function ownerUid({ metadata }: KubeObject): string {
  return metadata.ownerReferences?.[0]?.uid ?? '';
}

export function textOf({ spec }: KubeObject): string {
  return String((spec as { readonly kubeconfig?: unknown } | undefined)?.kubeconfig ?? '');
}

/** For messages: it holds no secret. */
export function serverOf(object: KubeObject): string {
  return String(parse(object).clusters?.[0]?.cluster?.server ?? 'the API server');
}

interface Kept {
  readonly clusters?: readonly { readonly cluster?: { readonly server?: string } }[];
  readonly users?: readonly {
    readonly user?: {
      readonly 'auth-provider'?: { readonly config?: Readonly<Record<string, string>> };
    };
  }[];
}

function parse(object: KubeObject): Kept {
  try {
    return JSON.parse(textOf(object)) as Kept; // written by the API, checked there
  } catch {
    return {};
  }
}

/** The same with other tokens of its OIDC user; the object itself when it has none. */
export function refreshed(
  object: KubeObject,
  tokens: { readonly idToken: string; readonly refreshToken: string | undefined },
): KubeObject {
  const config = parse(object);
  const [first, ...others] = config.users ?? [];
  const provider = first?.user?.['auth-provider'];
  if (provider === undefined) return object;
  const next = {
    ...provider.config,
    'id-token': tokens.idToken,
    ...(tokens.refreshToken === undefined ? {} : { 'refresh-token': tokens.refreshToken }),
  };
  const user = { ...first?.user, 'auth-provider': { ...provider, config: next } };
  const users = [{ ...first, user }, ...others];
  return { ...object, spec: { kubeconfig: JSON.stringify({ ...config, users }) } };
}

/** For the child. */
export function toMessage({ object, revision }: StoredObject) {
  return { kind: 'kubeconfig', revision, text: textOf(object) } as const;
}
