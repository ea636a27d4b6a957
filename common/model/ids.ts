// Identifiers that cross a stage border. Each is a branded string or number, so that one can
// never stand in for another. No imports: this is the bottom of the model.

type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Name of a member cluster: a DNS label (RFC 1123), at most 63 characters. */
export type ClusterName = Brand<string, 'ClusterName'>;

/** `<namespace>/<name>` of a federated Service and of each of its shards. */
export type ServiceKey = Brand<string, 'ServiceKey'>;

/** The store's counter: `epoch * 2^40 + counter`, below 2^53. As text it is a resourceVersion. */
export type Revision = Brand<number, 'Revision'>;

/** Lower-case hex SHA-256, first 32 characters, over the bytes of a shard. */
export type ContentHash = Brand<string, 'ContentHash'>;

/** Where an object stands in the log: `<group>/<resource>/<namespace>/<name>`, core group `core`. */
export type LogKey = Brand<string, 'LogKey'>;

export function toRevision(value: number): Revision {
  return value as Revision;
}

export function toContentHash(hex: string): ContentHash {
  return hex as ContentHash;
}

export function toClusterName(name: string): ClusterName {
  return name as ClusterName;
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** True for an RFC 1123 DNS label, the form of cluster, federation and namespace names. */
export function isDnsLabel(text: string): boolean {
  return dnsLabel.test(text);
}

/** The cluster name in `text`, or undefined when it is not a DNS label. */
export function parseClusterName(text: string): ClusterName | undefined {
  return isDnsLabel(text) ? (text as ClusterName) : undefined;
}

export function toServiceKey(object: {
  readonly namespace: string;
  readonly name: string;
}): ServiceKey {
  return `${object.namespace}/${object.name}` as ServiceKey;
}

export function splitServiceKey(key: ServiceKey): {
  readonly namespace: string;
  readonly name: string;
} {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The Service by which clients find the API that they talk to: each API has its own. */
export const apiServiceKey = toServiceKey({ namespace: 'default', name: 'kubernetes' });

/** False for the one Service that never leaves the federation's own API. */
export function isFederated(key: ServiceKey): boolean {
  return key !== apiServiceKey;
}

/** The log key of an object; `namespace` is empty for cluster-scoped kinds. */
export function toLogKey(at: {
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}): LogKey {
  const group = at.group === '' ? 'core' : at.group;
  return `${group}/${at.resource}/${at.namespace ?? ''}/${at.name}` as LogKey;
}

/** Prefix of all keys of one resource, or of one namespace of it. Ends in a slash. */
export function toLogPrefix(group: string, resource: string, namespace?: string): string {
  const base = `${group === '' ? 'core' : group}/${resource}/`;
  return namespace === undefined || namespace === '' ? base : `${base}${namespace}/`;
}

export function splitLogKey(key: LogKey): {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
} {
  const [group = '', resource = '', namespace = '', ...name] = key.split('/');
  return { group: group === 'core' ? '' : group, resource, namespace, name: name.join('/') };
}
