// What we apply: the manifest and our marks, nothing else (I4); and the patch that takes foreign
// values out of what is wholly ours. Server-side apply alone cannot do the latter: a port that
// another manager added to the list stays in it.

import type { JsonObject, Service, ServicePort } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import {
  adoptedMark,
  confirmRemovalMark,
  federationOf,
  formerSpecMark,
  isAdopted,
  markPrefix,
  removalOrderMark,
  shardContentMark,
  shardHashMark,
  shardOfMark,
} from '../../common/pure/shard-marks.ts';
import { toFormerShape } from './former-shape.ts';
import { portKey, type Difference } from './plan-drift.ts';
import type { Wish } from './plan.ts';

// An object's annotations are limited to 256 KiB together, and a shard's own stand there already.
const contentBytesMax = 64 * 1024;

/** The apply configuration. Marks of adoption, once there, are carried on. */
export function toConfiguration(
  wish: Wish,
  federation: string,
  observed: Service | undefined,
): JsonObject {
  const { manifest, hash, text } = wish;
  const plain = toPlainConfiguration(manifest);
  return {
    ...plain,
    metadata: {
      ...plain.metadata,
      annotations: {
        ...plain.metadata.annotations,
        ...adoptionMarks(federation, observed),
        [shardOfMark]: federation,
        [shardHashMark]: hash,
        ...(keepsContent(wish) ? { [shardContentMark]: text } : {}),
      },
    },
    spec: manifest.spec as unknown as JsonObject, // JSON by origin: decoded from the shard's bytes
  };
}

/** Small enough to stand on the shard itself. */
export function keepsContent({ text }: Wish): boolean {
  return Buffer.byteLength(text) <= contentBytesMax;
}

/** What the user wrote, without any mark. */
export function toPlainConfiguration({ metadata, spec }: ShardManifest) {
  const { name, namespace, labels, annotations } = metadata;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      annotations: withoutMarks(annotations ?? {}),
    },
    spec: spec as unknown as JsonObject, // as above
  };
}

/** Nobody writes our marks for us: a copied manifest brings some along, a bad one would (I13). */
function withoutMarks(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter(([name]) => !name.startsWith(markPrefix)),
  );
}

function adoptionMarks(federation: string, observed: Service | undefined): Record<string, string> {
  if (observed === undefined) return {};
  if (federationOf(observed) !== federation) {
    return { [adoptedMark]: 'true', [formerSpecMark]: toFormerShape(observed) };
  }
  const former = observed.metadata.annotations?.[formerSpecMark];
  if (!isAdopted(observed)) return {};
  return { [adoptedMark]: 'true', ...(former === undefined ? {} : { [formerSpecMark]: former }) };
}

/**
 * What is created first where nothing may be adopted: an apply would take over what somebody made
 * in the meantime. Of no use to a cloud's controllers yet; the apply that follows completes it.
 */
export function toFirstShape({ manifest }: Wish, federation: string): JsonObject {
  const { name, namespace } = manifest.metadata;
  const { type, ports, selector, clusterIP, externalName } = manifest.spec;
  const isExternal = type === 'ExternalName';
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, annotations: { [shardOfMark]: federation } },
    spec: {
      type: isExternal ? type : 'ClusterIP',
      ...(isExternal ? { externalName: String(externalName) } : {}),
      ...(clusterIP === 'None' ? { clusterIP } : {}),
      ...(ports === undefined ? {} : { ports: ports.map((port) => keepNodePort(port, undefined)) }),
      ...(selector === undefined ? {} : { selector }),
    },
  };
}

/** JSON patch on exactly the observed version; empty when nothing foreign is there. */
export function planRepair(
  { manifest }: Wish,
  federation: string,
  of: {
    readonly observed: Service;
    readonly differences: readonly Difference[];
    /** What an apply could put right is right. */
    readonly hasApplied: boolean;
  },
): readonly JsonObject[] {
  const { observed, differences, hasApplied } = of;
  const isDue = (field: string): boolean => differences.some((one) => one.field === field);
  const changes = [
    ...(isDue('spec.ports') ? repairPorts(manifest, observed, hasApplied) : []),
    ...(isDue('spec.selector') ? repairSelector(manifest, observed) : []),
    ...removeMarks(observed, [removalOrderMark, confirmRemovalMark]),
  ];
  if (changes.length === 0) return [];
  return [onVersion(observed), ...markAdoption(federation, observed), ...changes];
}

/** Says on the Service that an order to remove it waits: seen by people, and after a restart. */
export function planOrderMark(observed: Service, text: string): readonly JsonObject[] {
  return [
    onVersion(observed),
    { op: 'add', path: annotationPath(removalOrderMark), value: text }, // a shard has annotations
  ];
}

/** It was there, unseen, when we meant to create it: what it was before is not known. */
export function planAdoptedMark(applied: Service): readonly JsonObject[] {
  return [onVersion(applied), { op: 'add', path: annotationPath(adoptedMark), value: 'true' }];
}

/** The write is refused unless it meets the very version that it was made for. */
export function onVersion({ metadata }: Service): JsonObject {
  return {
    op: 'replace',
    path: '/metadata/resourceVersion',
    value: metadata.resourceVersion ?? '',
  };
}

export function removeMarks(observed: Service, marks: readonly string[]): readonly JsonObject[] {
  const annotations = observed.metadata.annotations ?? {};
  return marks
    .filter((mark) => mark in annotations)
    .map((mark) => ({ op: 'remove', path: annotationPath(mark) }));
}

// RFC 6901 4: a slash in a name is written ~1.
function annotationPath(name: string): string {
  return `/metadata/annotations/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Others' ports; after an apply also what they wrote into ports of ours, such as a name. */
function repairPorts(
  { spec }: ShardManifest,
  observed: Service,
  hasApplied: boolean,
): readonly JsonObject[] {
  const present = new Map((observed.spec.ports ?? []).map((port) => [portKey(port), port]));
  const wished = new Set((spec.ports ?? []).map(portKey));
  if (!hasApplied && [...present.keys()].every((key) => wished.has(key))) return [];
  const ports = (spec.ports ?? []).map((port) => keepNodePort(port, present.get(portKey(port))));
  if (ports.length === 0) return [{ op: 'remove', path: '/spec/ports' }];
  return [{ op: 'add', path: '/spec/ports', value: ports }];
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
