// The public names of a federated Service, exactly as Federation v1's code wrote them.

import type { ServiceKey } from '../model/ids.ts';
import { splitServiceKey } from '../model/ids.ts';

export interface NameScope {
  readonly federation: string;
  /** Apex without the trailing dot. */
  readonly domain: string;
}

/** `<service>.<namespace>.<federation>.svc`, the part that every level shares. */
export function toNamePrefix(key: ServiceKey, federation: string): string {
  const { namespace, name } = splitServiceKey(key);
  return `${name}.${namespace}.${federation}.svc`;
}

export function toGlobalName(key: ServiceKey, scope: NameScope): string {
  return `${toNamePrefix(key, scope.federation)}.${scope.domain}`;
}

export function toRegionName(key: ServiceKey, region: string, scope: NameScope): string {
  return `${toNamePrefix(key, scope.federation)}.${region}.${scope.domain}`;
}

export function toZoneName(
  key: ServiceKey,
  at: { readonly zone: string; readonly region: string },
  scope: NameScope,
): string {
  return `${toNamePrefix(key, scope.federation)}.${at.zone}.${at.region}.${scope.domain}`;
}

/**
 * Whether a name within the domain has the form of the federation's own: `<federation>.svc` in it,
 * or a label with an underscore, as marks, fences and ports have. Nobody else's name may.
 */
export function isOwnForm(name: string, { federation, domain }: NameScope): boolean {
  const inner = `.${name.slice(0, -domain.length)}`;
  return inner.includes(`.${federation}.svc.`) || inner.includes('._');
}

/** A zone or region as a DNS label: lower case, anything else a hyphen; undefined when empty. */
export function toTopologyLabel(text: string | undefined): string | undefined {
  const label = (text ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return label === '' ? undefined : label;
}
