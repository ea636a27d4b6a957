// Discovery documents, legacy and aggregated, made once from the served kinds. Pure.
//
// Aggregated: /api and /apis with `as=APIGroupDiscoveryList`. Legacy: /api, /api/v1, /apis,
// /apis/<group>, /apis/<group>/<version>. kubectl uses the first, older libraries the second.

import { createHash } from 'node:crypto';
import type { KindDefinition, Verb } from '../kind.ts';
import { parseAccept } from '../request/negotiate.ts';

export interface DiscoveryDocument {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Quoted; only aggregated documents carry one. */
  readonly etag: string | undefined;
}

export interface Discovery {
  /** Undefined when the path is no discovery path of ours. */
  find(path: string, accept: string | undefined): DiscoveryDocument | undefined;
  /** Every path that serves a discovery document. */
  readonly paths: readonly string[];
}

export function createDiscovery(kinds: readonly KindDefinition[]): Discovery {
  const legacy = toLegacyDocuments(kinds);
  const aggregated = new Map<string, DiscoveryDocument>();
  for (const version of ['v2', 'v2beta1']) {
    for (const root of ['/api', '/apis']) {
      aggregated.set(`${root} ${version}`, toAggregated(kinds, root, version));
    }
  }
  return {
    find: (path, accept) => {
      const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
      const version =
        trimmed === '/api' || trimmed === '/apis' ? aggregatedVersion(accept) : undefined;
      return version === undefined ? legacy.get(trimmed) : aggregated.get(`${trimmed} ${version}`);
    },
    paths: [...legacy.keys()].sort(),
  };
}

/** The aggregated version that the client likes better than plain JSON, if any. */
function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, params } of parseAccept(accept)) {
    if (type !== 'application/json' && type !== '*/*') continue;
    if (params['as'] === undefined) return undefined;
    const { as, g, v } = { as: params['as'], g: params['g'], v: params['v'] };
    if (as !== 'APIGroupDiscoveryList' || g !== 'apidiscovery.k8s.io') continue;
    if (v === 'v2' || v === 'v2beta1') return v;
  }
  return undefined;
}

interface GroupKinds {
  readonly group: string;
  /** Preferred first. */
  readonly versions: readonly {
    readonly version: string;
    readonly kinds: readonly KindDefinition[];
  }[];
}

/** In the order in which the kinds are given, the core group first. */
function byGroup(kinds: readonly KindDefinition[]): readonly GroupKinds[] {
  const groups = new Map<string, Map<string, KindDefinition[]>>();
  for (const kind of kinds) {
    const versions = groups.get(kind.group) ?? new Map<string, KindDefinition[]>();
    versions.set(kind.version, [...(versions.get(kind.version) ?? []), kind]);
    groups.set(kind.group, versions);
  }
  return [...groups].map(([group, versions]) => ({
    group,
    versions: [...versions].map(([version, members]) => ({ version, kinds: members })),
  }));
}

function toAggregated(
  kinds: readonly KindDefinition[],
  root: string,
  version: string,
): DiscoveryDocument {
  const groups = byGroup(kinds).filter(({ group }) => (group === '') === (root === '/api'));
  const bytes = encode({
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: group === '' ? {} : { name: group },
      versions: versions.map((each) => ({
        version: each.version,
        resources: each.kinds.map(toAggregatedResource),
        freshness: 'Current',
      })),
    })),
  });
  return {
    contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    bytes,
    etag: `"${createHash('sha256').update(bytes).digest('hex').toUpperCase()}"`,
  };
}

// Group and version are those of the list that it stands in, and kube-apiserver leaves them empty.
function toResponseKind({ kind }: KindDefinition): object {
  return { group: '', version: '', kind };
}

function toAggregatedResource(kind: KindDefinition): object {
  return {
    resource: kind.plural,
    responseKind: toResponseKind(kind),
    scope: kind.isNamespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: sortedVerbs(kind.verbs),
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
    ...withSubresources(kind),
  };
}

function withSubresources(kind: KindDefinition): object {
  const all = subresourcesOf(kind).map((each) => ({
    subresource: each.name,
    responseKind: toResponseKind(each.below),
    verbs: each.verbs,
  }));
  return all.length === 0 ? {} : { subresources: all };
}

function subresourcesOf(kind: KindDefinition) {
  return [
    ...(kind.approvalField === undefined ? [] : [{ name: 'approval', verbs: statusVerbs(kind) }]),
    ...Object.entries(kind.subresources ?? {}).map(([name, below]) => ({
      name,
      verbs: sortedVerbs(below.verbs),
      below,
    })),
    ...(kind.hasFinalize === true ? [{ name: 'finalize', verbs: ['update'] as const }] : []),
    ...(servesStatus(kind) ? [{ name: 'status', verbs: statusVerbs(kind) }] : []),
  ].map((each) => ({ below: kind, ...each }));
}

function toLegacyDocuments(
  kinds: readonly KindDefinition[],
): ReadonlyMap<string, DiscoveryDocument> {
  const documents = new Map<string, DiscoveryDocument>();
  const add = (path: string, value: object): void => {
    documents.set(path, { contentType: 'application/json', bytes: encode(value), etag: undefined });
  };
  const groups = byGroup(kinds);
  const core = groups.find(({ group }) => group === '');
  add('/api', {
    kind: 'APIVersions',
    versions: core?.versions.map(({ version }) => version) ?? [],
    serverAddressByClientCIDRs: [],
  });
  const named = groups.filter(({ group }) => group !== '');
  add('/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(toApiGroup) });
  for (const each of groups) {
    const base = each.group === '' ? '/api' : `/apis/${each.group}`;
    if (each.group !== '') {
      add(base, { kind: 'APIGroup', apiVersion: 'v1', ...toApiGroup(each) });
    }
    for (const { version, kinds: members } of each.versions) {
      add(`${base}/${version}`, {
        kind: 'APIResourceList',
        ...(each.group === '' ? {} : { apiVersion: 'v1' }),
        groupVersion: each.group === '' ? version : `${each.group}/${version}`,
        resources: members.flatMap(toLegacyResources),
      });
    }
  }
  return documents;
}

function toApiGroup({ group, versions }: GroupKinds): object {
  const all = versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: all, preferredVersion: all[0] };
}

function toLegacyResources(kind: KindDefinition): readonly object[] {
  const resource = {
    name: kind.plural,
    singularName: kind.singular,
    namespaced: kind.isNamespaced,
    kind: kind.kind,
    verbs: sortedVerbs(kind.verbs),
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories.length === 0 ? {} : { categories: kind.categories }),
    ...(kind.storage === 'virtual' ? {} : { storageVersionHash: toStorageHash(kind) }),
  };
  const subresources = subresourcesOf(kind).map(({ name, verbs, below }) => ({
    name: `${kind.plural}/${name}`,
    singularName: '',
    namespaced: kind.isNamespaced,
    kind: below.kind,
    verbs,
  }));
  return [resource, ...subresources];
}

function toStorageHash({ group, version, kind }: KindDefinition): string {
  const text = `${group}/${version}/${kind}`;
  return createHash('sha256').update(text).digest('base64').slice(0, 12);
}

function sortedVerbs(verbs: readonly Verb[]): readonly Verb[] {
  return [...verbs].sort();
}

export function servesStatus(kind: KindDefinition): boolean {
  return kind.hasStatus && kind.storage === 'logged';
}

function statusVerbs(kind: KindDefinition): readonly Verb[] {
  return (['get', 'patch', 'update'] as const).filter((verb) => kind.verbs.includes(verb));
}

function encode(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
