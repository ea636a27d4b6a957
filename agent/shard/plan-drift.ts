// Does the Service differ from what we would apply? Looks only at fields that we apply, with the
// defaults that the API server fills in taken as equal, so that no default ever causes a loop.

import type { Json, JsonObject, Service, ServicePort } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';

export function differs(configuration: JsonObject, observed: Service): boolean {
  // We made it: a Service by construction.
  const { metadata, spec } = configuration as unknown as Pick<Service, 'metadata' | 'spec'>;
  return (
    !isCovered(metadata.labels, observed.metadata.labels) ||
    !isCovered(metadata.annotations, observed.metadata.annotations) ||
    Object.entries(spec).some(([field, wished]) => !isFieldEqual(field, wished as Json, observed))
  );
}

/** What a port is identified by in a Service (list map keys of the API). */
export function portKey({ port, protocol }: ServicePort): string {
  return `${protocol ?? 'TCP'}/${port}`;
}

function isFieldEqual(field: string, wished: Json | undefined, { spec }: Service): boolean {
  // Also fields that our model does not name.
  const observed = (spec as Readonly<Record<string, Json | undefined>>)[field];
  if (field === 'ports') return arePortsEqual(wished, spec.ports ?? []);
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
