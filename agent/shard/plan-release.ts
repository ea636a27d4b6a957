// How a Service is given up and stays: one patch on exactly the version that was read. Pure.
//
//   L1. A Service that we made keeps every value; our marks and our managed fields go.
//   L2. One that we adopted gets back what we changed: type, ports, selector, and every other
//       field, label and annotation of ours as it was before. What others own or wrote since, and
//       what the cluster allocated, stays.

import type { Json, JsonObject, Service, ServicePort } from '../../common/model/kube-object.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';
import { formerSpecMark, isAdopted, markPrefix } from '../../common/pure/shard-marks.ts';
import { parseFormerShape, type FormerShape } from './former-shape.ts';
import { onVersion, removeMarks } from './plan-configuration.ts';
import { portKey } from './plan-drift.ts';

export interface ReleasePlan {
  readonly patch: readonly JsonObject[];
  /** False: it keeps its present values. */
  readonly isRestored: boolean;
}

/** `live` with managedFields. `withNodePorts`: the former numbers may be somebody else's by now. */
export function planRelease(
  live: Service,
  fieldManager: string,
  options: { readonly withNodePorts: boolean } = { withNodePorts: true },
): ReleasePlan {
  const former = isAdopted(live)
    ? parseFormerShape(live.metadata.annotations?.[formerSpecMark])
    : undefined;
  const ours = ownedBy(live, fieldManager);
  return {
    patch: [
      onVersion(live),
      ...(former === undefined ? [] : restore(live, former, { ours, ...options })),
      ...removeMarks(live, marksOf(live)),
      ...dropOwnership(live, fieldManager),
    ],
    isRestored: former !== undefined,
  };
}

function marksOf({ metadata }: Service): readonly string[] {
  return Object.keys(metadata.annotations ?? {}).filter((name) => name.startsWith(markPrefix));
}

/**
 * Afterwards: what was put back counts as ours again, by the very patch. Empty when nothing does.
 */
export function planDisowning(released: Service, fieldManager: string): readonly JsonObject[] {
  const changes = dropOwnership(released, fieldManager);
  return changes.length === 0 ? [] : [onVersion(released), ...changes];
}

function dropOwnership({ metadata }: Service, fieldManager: string): readonly JsonObject[] {
  const managed = metadata.managedFields ?? [];
  const kept = managed.filter((entry) => entry['manager'] !== fieldManager);
  if (kept.length === managed.length) return [];
  // An empty list would mean "unchanged"; one empty entry is how Kubernetes spells "none".
  const value = kept.length === 0 ? [{}] : kept;
  return [{ op: 'replace', path: '/metadata/managedFields', value }];
}

interface Owned {
  readonly labels: ReadonlySet<string>;
  readonly annotations: ReadonlySet<string>;
  readonly spec: ReadonlySet<string>;
}

/** Names directly under each map that our entries of managedFields hold. */
function ownedBy({ metadata }: Service, fieldManager: string): Owned {
  const entries = (metadata.managedFields ?? []).filter(
    (entry) => entry['manager'] === fieldManager,
  );
  const namesAt = (...path: readonly string[]): ReadonlySet<string> =>
    new Set(
      entries.flatMap((entry) => {
        const at = path.reduce<Json | undefined>(
          (fields, name) => memberOf(fields, `f:${name}`),
          entry['fieldsV1'],
        );
        return Object.keys(toRecord(at))
          .filter((name) => name.startsWith('f:'))
          .map((name) => name.slice(2));
      }),
    );
  return {
    labels: namesAt('metadata', 'labels'),
    annotations: namesAt('metadata', 'annotations'),
    spec: namesAt('spec'),
  };
}

function memberOf(fields: Json | undefined, name: string): Json | undefined {
  return toRecord(fields)[name];
}

function toRecord(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}

function restore(
  live: Service,
  former: FormerShape,
  by: { readonly ours: Owned; readonly withNodePorts: boolean },
): readonly JsonObject[] {
  const { labels, annotations = {} } = live.metadata;
  const spec = live.spec as unknown as JsonObject; // JSON by origin
  const formerSpec = {
    ...former.spec,
    ...(former.spec['ports'] === undefined
      ? {}
      : { ports: toPorts(former.spec['ports'], live, by.withNodePorts) }),
  } as JsonObject;
  const wholly = new Set([...by.ours.spec, 'type', 'ports', 'selector']);
  return [
    ...restoreMap('/metadata/labels', {
      live: labels,
      former: former.labels,
      ours: by.ours.labels,
    }),
    ...(former.annotations === undefined
      ? []
      : restoreMap('/metadata/annotations', {
          live: withoutMarks(annotations),
          former: former.annotations,
          ours: by.ours.annotations,
        })),
    ...restoreMap('/spec', { live: spec, former: formerSpec, ours: wholly }),
  ];
}

/** L2: only names that we own are touched. */
function restoreMap(
  path: string,
  of: {
    /** Undefined: there is no such map. */
    readonly live: JsonObject | undefined;
    readonly former: JsonObject;
    readonly ours: ReadonlySet<string>;
  },
): readonly JsonObject[] {
  const changes = [...of.ours].sort().flatMap((name): readonly JsonObject[] => {
    const at = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const [before, now] = [of.former[name], of.live?.[name]];
    if (before === undefined) return now === undefined ? [] : [{ op: 'remove', path: at }];
    if (now !== undefined && isSameJson(before, now)) return [];
    return [{ op: 'add', path: at, value: before }];
  });
  const isMissing = of.live === undefined && changes.length > 0;
  return isMissing ? [{ op: 'add', path, value: {} }, ...changes] : changes;
}

function withoutMarks(annotations: Readonly<Record<string, string>>): JsonObject {
  return Object.fromEntries(
    Object.entries(annotations).filter(([name]) => !name.startsWith(markPrefix)),
  );
}

function toPorts(ports: unknown, live: Service, withNodePorts: boolean): readonly JsonObject[] {
  const present = new Map((live.spec.ports ?? []).map((port) => [portKey(port), port.nodePort]));
  const former = Array.isArray(ports) ? (ports as readonly ServicePort[]) : []; // our own record
  return former.map((port) => {
    const { nodePort, ...rest } = port;
    const kept = withNodePorts ? nodePort : present.get(portKey(port));
    return kept === undefined ? { ...rest } : { ...rest, nodePort: kept };
  });
}
