// What we apply: the manifest and our marks, nothing else (I4); and the patch that takes foreign
// values out of what is wholly ours. Server-side apply alone cannot do the latter: a port that
// another manager added to the list stays in it.

import type { JsonObject, Service, ServicePort } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';
import {
  adoptedMark,
  allMarks,
  federationOf,
  formerSpecMark,
  shardHashMark,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import type { Wish } from './plan.ts';
import { portKey } from './plan-drift.ts';

// An object's annotations are limited to 256 KiB together; a former shape needs a fraction.
const formerSpecBytesMax = 32 * 1024;

/** The apply configuration. Marks of adoption, once there, are carried on. */
export function toConfiguration(
  { manifest, hash }: Wish,
  federation: string,
  observed: Service | undefined,
): JsonObject {
  const { name, namespace, labels, annotations } = manifest.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      annotations: {
        ...withoutMarks(annotations ?? {}),
        ...adoptionMarks(federation, observed),
        [shardOfMark]: federation,
        [shardHashMark]: hash,
      },
    },
    spec: manifest.spec as unknown as JsonObject, // JSON by origin: decoded from the shard's bytes
  };
}

/** Users do not write our marks: a copied manifest may bring some along. */
function withoutMarks(annotations: Readonly<Record<string, string>>): Record<string, string> {
  const marks: readonly string[] = allMarks;
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => !marks.includes(name)));
}

function adoptionMarks(federation: string, observed: Service | undefined): Record<string, string> {
  if (observed === undefined) return {};
  if (federationOf(observed) !== federation) {
    return { [adoptedMark]: 'true', [formerSpecMark]: toFormerSpec(observed) };
  }
  const former = observed.metadata.annotations?.[formerSpecMark];
  if (observed.metadata.annotations?.[adoptedMark] !== 'true') return {};
  return { [adoptedMark]: 'true', ...(former === undefined ? {} : { [formerSpecMark]: former }) };
}

function toFormerSpec({ metadata, spec }: Service): string {
  const text = toCanonicalJson({
    labels: metadata.labels,
    spec: {
      type: spec.type,
      ports: spec.ports,
      selector: spec.selector,
      externalName: spec.externalName,
    },
  });
  return Buffer.byteLength(text) <= formerSpecBytesMax ? text : '{"tooLarge":true}';
}

/** JSON patch on exactly the observed version; empty when nothing foreign is there. */
export function planRepair(
  wish: Wish,
  federation: string,
  observed: Service,
): readonly JsonObject[] {
  const changes = [
    ...repairPorts(wish.manifest, observed),
    ...repairSelector(wish.manifest, observed),
  ];
  if (changes.length === 0) return [];
  return [
    {
      op: 'replace',
      path: '/metadata/resourceVersion',
      value: observed.metadata.resourceVersion ?? '',
    },
    ...markAdoption(federation, observed),
    ...changes,
  ];
}

function repairPorts({ spec }: ShardManifest, observed: Service): readonly JsonObject[] {
  const present = new Map((observed.spec.ports ?? []).map((port) => [portKey(port), port]));
  const wished = new Set((spec.ports ?? []).map(portKey));
  if ([...present.keys()].every((key) => wished.has(key))) return [];
  const ports = (spec.ports ?? []).map((port) => keepNodePort(port, present.get(portKey(port))));
  if (ports.length === 0) return [{ op: 'remove', path: '/spec/ports' }];
  return [{ op: 'replace', path: '/spec/ports', value: ports }];
}

// Node ports are the cluster's to give: what it gave stays, a wished one comes with the apply.
function keepNodePort(port: ServicePort, present: ServicePort | undefined): JsonObject {
  const { nodePort: _wished, ...rest } = port;
  return present?.nodePort === undefined ? rest : { ...rest, nodePort: present.nodePort };
}

function repairSelector({ spec }: ShardManifest, observed: Service): readonly JsonObject[] {
  const wished = spec.selector ?? {};
  const present = Object.keys(observed.spec.selector ?? {});
  if (present.every((name) => name in wished)) return [];
  return Object.keys(wished).length === 0
    ? [{ op: 'remove', path: '/spec/selector' }]
    : [{ op: 'replace', path: '/spec/selector', value: wished }];
}

// The former shape must be on record before the first change of it.
function markAdoption(federation: string, observed: Service): readonly JsonObject[] {
  if (federationOf(observed) === federation) return [];
  const marks = { ...adoptionMarks(federation, observed), [shardOfMark]: federation };
  if (observed.metadata.annotations === undefined) {
    return [{ op: 'add', path: '/metadata/annotations', value: marks }];
  }
  return Object.entries(marks).map(([name, value]) => ({
    op: 'add',
    path: annotationPath(name),
    value,
  }));
}

/** Gives up our fields and marks in one step and keeps every value: `live` with managedFields. */
export function planReleasePatch(live: Service, fieldManager: string): readonly JsonObject[] {
  const annotations = live.metadata.annotations ?? {};
  const managed = live.metadata.managedFields ?? [];
  const kept = managed.filter((entry) => entry['manager'] !== fieldManager);
  return [
    {
      op: 'replace',
      path: '/metadata/resourceVersion',
      value: live.metadata.resourceVersion ?? '',
    },
    ...allMarks
      .filter((mark) => mark in annotations)
      .map((mark) => ({ op: 'remove', path: annotationPath(mark) })),
    // An empty list would mean "unchanged"; one empty entry is how Kubernetes spells "none".
    ...(kept.length === managed.length
      ? []
      : [
          {
            op: 'replace',
            path: '/metadata/managedFields',
            value: kept.length === 0 ? [{}] : kept,
          },
        ]),
  ];
}

// RFC 6901 4: a slash in a name is written ~1.
function annotationPath(name: string): string {
  return `/metadata/annotations/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
