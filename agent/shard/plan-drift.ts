// In what does the Service differ from what we would apply? Looks only at fields that we apply,
// with the defaults that the API server fills in taken as equal, so that no default ever causes a
// loop. What a server makes of our own write although we say otherwise (a field that its version
// drops, a webhook that writes its own value) is told as a difference once: the applier keeps it
// with the write, as its residue, and does not take it for a hand edit.

import type { Json, JsonObject, Service, ServicePort } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';

export interface Difference {
  /** Path such as `spec.ports` or `metadata.labels.app`. */
  readonly field: string;
  /** Field and the value found: equal differences have equal texts. */
  readonly text: string;
}

/** What the server is known to make of our write, as texts of differences. */
export type Residue = ReadonlySet<string>;

export const noResidue: Residue = new Set();

/** In the order of the configuration. */
export function findDifferences(
  configuration: JsonObject,
  observed: Service,
): readonly Difference[] {
  // We made it: a Service by construction.
  const { metadata, spec } = configuration as unknown as Pick<Service, 'metadata' | 'spec'>;
  return [
    ...findInMap('metadata.labels', metadata.labels, observed.metadata.labels),
    ...findInMap('metadata.annotations', metadata.annotations, observed.metadata.annotations),
    ...Object.entries(spec)
      .filter(([field, wished]) => !isFieldEqual(field, wished as Json, observed))
      .map(([field]) => toDifference(`spec.${field}`, specField(observed, field))),
  ];
}

/** Those that are not what the server is known to make of our write. */
export function withoutResidue(
  differences: readonly Difference[],
  residue: Residue,
): readonly Difference[] {
  return differences.filter(({ text }) => !residue.has(text));
}

/** What a port is identified by in a Service (list map keys of the API). */
export function portKey({ port, protocol }: ServicePort): string {
  return `${protocol ?? 'TCP'}/${port}`;
}

function findInMap(
  path: string,
  wished: Readonly<Record<string, string>> | undefined,
  observed: Readonly<Record<string, string>> | undefined,
): readonly Difference[] {
  return Object.entries(wished ?? {})
    .filter(([name, value]) => observed?.[name] !== value)
    .map(([name]) => toDifference(`${path}.${name}`, observed?.[name]));
}

function toDifference(field: string, observed: Json | undefined): Difference {
  return { field, text: `${field}=${toCanonicalJson(observed ?? null)}` };
}

/** Also fields that our model does not name. */
function specField({ spec }: Service, field: string): Json | undefined {
  return (spec as Readonly<Record<string, Json | undefined>>)[field];
}

function isFieldEqual(field: string, wished: Json | undefined, service: Service): boolean {
  const observed = specField(service, field);
  if (field === 'ports') return arePortsEqual(wished, service.spec.ports ?? []);
  // The whole map is ours: more is as wrong as less.
  if (field === 'selector')
    return toCanonicalJson(wished ?? {}) === toCanonicalJson(observed ?? {});
  return isCovered(wished, observed);
}

function arePortsEqual(wished: Json | undefined, observed: readonly ServicePort[]): boolean {
  // Checked against the schema when the user wrote it.
  const ports = Array.isArray(wished) ? (wished as unknown as readonly ServicePort[]) : [];
  if (ports.length !== observed.length) return false;
  const byKey = new Map(observed.map((port) => [portKey(port), port]));
  return ports.every((port) => {
    const other = byKey.get(portKey(port));
    return other !== undefined && isPortEqual(port, other);
  });
}

function isPortEqual(wished: ServicePort, observed: ServicePort): boolean {
  return (
    (wished.name ?? '') === (observed.name ?? '') &&
    (wished.targetPort ?? wished.port) === (observed.targetPort ?? observed.port) &&
    (wished.appProtocol === undefined || wished.appProtocol === observed.appProtocol) &&
    (wished.nodePort === undefined ||
      wished.nodePort === 0 ||
      wished.nodePort === observed.nodePort)
  );
}

/** True when each wished member is there; what else is there is not ours to judge. */
function isCovered(wished: unknown, observed: unknown): boolean {
  if (wished === undefined || wished === null) return true;
  if (Array.isArray(wished)) {
    if (!Array.isArray(observed)) return wished.length === 0;
    return (
      wished.length === observed.length &&
      wished.every((item, index) => isCovered(item, observed[index]))
    );
  }
  if (typeof wished === 'object') {
    const present: Readonly<Record<string, unknown>> =
      typeof observed === 'object' && observed !== null ? { ...observed } : {};
    return Object.entries(wished).every(([name, member]) => isCovered(member, present[name]));
  }
  // An absent field and its zero value are one in Kubernetes' JSON (omitempty).
  if (observed === undefined) return wished === '' || wished === 0 || wished === false;
  return wished === observed;
}
