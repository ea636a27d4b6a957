// What one cluster's shard says after the overrides of a policy. Pure.
//
//   V1. Overrides are taken in their order; within one the typed fields come first, then the
//       patch. What comes later wins.
//   V2. All or nothing: one that cannot be done to this Service fails the whole, with its place.
//   V3. A shard stays the shard of its Service: apiVersion, kind, name, namespace, our own
//       annotations and what a cluster allocates are no matter of a policy's.
//   V4. No shard is larger than an agent takes and a cluster stores: one that is would end the
//       session of its cluster, for all Services (I10).

import type {
  Cluster,
  JsonPatchOperation,
  ShardOverride,
} from '../../common/model/isthmus-kinds.ts';
import type { Json, ServicePort } from '../../common/model/kube-object.ts';
import type { ShardManifest } from '../../common/model/shard.ts';
import { patchJson } from '../../common/pure/json-patch.ts';
import { roomBeside } from '../../common/pure/json-size.ts';
import type { Pace, Steps } from '../../common/pure/steps.ts';
import { isChosen } from './plan-choice.ts';

/** Where in the policy's spec, such as `overrides[0].patch[2]`, and why. */
export interface OverrideFailure {
  readonly field: string;
  readonly message: string;
}

export type Overridden =
  | { readonly kind: 'manifest'; readonly manifest: ShardManifest }
  | { readonly kind: 'failed'; readonly failure: OverrideFailure };

/** Places in `overrides` that hold for the cluster. */
export function overridesFor(
  cluster: Cluster,
  overrides: readonly ShardOverride[],
): readonly number[] {
  return overrides.flatMap((override, index) => (isChosen(cluster, override) ? [index] : []));
}

/** Some 2 ms of a turn; typed fields, operations of patches and finished shards count for one each. */
export const operationsPerStep = 250;

/** `places`: of overridesFor. */
export function* applyInSteps(
  base: ShardManifest,
  by: {
    readonly overrides: readonly ShardOverride[];
    readonly places: readonly number[];
    readonly pace: Pace;
  },
): Steps<Overridden> {
  const { overrides, places, pace } = by;
  let draft = new ShardDraft(base);
  for (const place of places) {
    const override = overrides[place];
    if (override === undefined) continue;
    const { patch = [], nodePorts = [] } = override;
    if (pace.isOver(1 + patch.length + nodePorts.length)) yield;
    const field = `overrides[${place}]`;
    const failure = draft.override(override, field);
    if (failure !== undefined) return { kind: 'failed', failure };
    if (patch.length === 0) continue;
    const next = applyPatch(draft.manifest(), patch, `${field}.patch`);
    if (next.kind === 'failed') return next;
    draft = new ShardDraft(next.manifest);
  }
  if (pace.isOver(finishingCost)) yield;
  const manifest = draft.manifest();
  if (fitsShard(manifest)) return { kind: 'manifest', manifest };
  const message = `the shard is larger than ${shardBytesMax} bytes then, or too deep`;
  const failure = { field: `overrides[${places.at(-1) ?? 0}]`, message };
  return { kind: 'failed', failure }; // V4
}

const finishingCost = 10;

/** etcd's own bound of a request; an agent takes half a MiB more. */
export const shardBytesMax = 1.5 * 2 ** 20;

/**
 * Of one Service, so many different shards: each is planned, judged and kept for itself, while all
 * clusters without overrides share one. As many as a policy has overrides, and room for pairs.
 */
export const variantsMax = 100;

/** What a cluster gets whose shard would be one more. */
export const tooManyVariants: OverrideFailure = {
  field: 'overrides',
  message: `they make more than ${variantsMax} different shards: let clusters share what they say`,
};

export function fitsShard(manifest: ShardManifest): boolean {
  return roomBeside(manifest as unknown as Json, shardBytesMax) >= 0; // a manifest is JSON
}

/** Gathers what the typed fields of overrides say, so that each costs what it says and no more. */
class ShardDraft {
  readonly #base: ShardManifest;
  #annotations: Map<string, string> | undefined;
  #fields: Partial<ShardManifest['spec']> = {};
  #ports: ServicePort[] | undefined;

  constructor(base: ShardManifest) {
    this.#base = base;
  }

  /** Why it cannot be done. */
  override(override: ShardOverride, field: string): OverrideFailure | undefined {
    const { annotations, loadBalancerClass, loadBalancerIP, externalTrafficPolicy } = override;
    for (const [index, { port, protocol = 'TCP', nodePort }] of (
      override.nodePorts ?? []
    ).entries()) {
      const ports = (this.#ports ??= [...(this.#base.spec.ports ?? [])]);
      const at = ports.findIndex(
        (one) => one.port === port && (one.protocol ?? 'TCP') === protocol,
      );
      const found = ports[at];
      if (found === undefined) {
        const message = `the Service has no port ${port}/${protocol}`;
        return { field: `${field}.nodePorts[${index}].port`, message };
      }
      ports[at] = { ...found, nodePort };
    }
    for (const [name, value] of Object.entries(annotations ?? {})) {
      this.#annotations ??= new Map(Object.entries(this.#base.metadata.annotations ?? {}));
      this.#annotations.set(name, value);
    }
    this.#fields = {
      ...this.#fields,
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
      ...(loadBalancerIP === undefined ? {} : { loadBalancerIP }),
      ...(externalTrafficPolicy === undefined ? {} : { externalTrafficPolicy }),
    };
    return undefined;
  }

  manifest(): ShardManifest {
    const { metadata, spec } = this.#base;
    const annotations = this.#annotations && Object.fromEntries(this.#annotations);
    const ports = this.#ports;
    return {
      ...this.#base,
      metadata: annotations === undefined ? metadata : { ...metadata, annotations },
      spec: { ...spec, ...this.#fields, ...(ports === undefined ? {} : { ports }) },
    };
  }
}

function applyPatch(
  manifest: ShardManifest,
  patch: readonly JsonPatchOperation[],
  field: string,
): Overridden {
  const fail = (place: string, message: string): Overridden => ({
    kind: 'failed',
    failure: { field: place, message },
  });
  const patched = patchJson(manifest as unknown as Json, patch); // a manifest is JSON
  if (patched.kind === 'failed') return fail(`${field}[${patched.index}]`, patched.message);
  const fault = findShapeFault(patched.value, manifest);
  if (fault !== undefined) return fail(field, fault);
  return { kind: 'manifest', manifest: patched.value as unknown as ShardManifest };
}

const types: ReadonlySet<unknown> = new Set([
  'ClusterIP',
  'NodePort',
  'LoadBalancer',
  'ExternalName',
]);

/** What keeps the result from being a shard of this Service, or undefined (V3). */
function findShapeFault(value: Json, before: ShardManifest): string | undefined {
  const { metadata, spec, ...rest } = toRecord(value) ?? {};
  const [meta, body] = [toRecord(metadata), toRecord(spec)];
  if (meta === undefined || body === undefined) return 'the result has no metadata or no spec';
  if (rest['apiVersion'] !== 'v1' || rest['kind'] !== 'Service' || Object.keys(rest).length !== 2)
    return 'a patch changes metadata.labels, metadata.annotations and spec only';
  // A patch keeps what it does not reach as it is.
  const isMetaKept = Object.is(meta, before.metadata);
  const fault = isMetaKept ? undefined : findMetadataFault(meta, before.metadata);
  if (fault !== undefined) return fault;
  if (!types.has(body['type'])) return 'spec.type is not a type of Services';
  return findPortFault(body['ports']);
}

function findMetadataFault(
  meta: Readonly<Record<string, Json | undefined>>,
  before: ShardManifest['metadata'],
): string | undefined {
  const { name, namespace, labels = {}, annotations = {}, ...others } = meta;
  const isNamedSo = name === before.name && namespace === before.namespace;
  if (!isNamedSo || Object.keys(others).length > 0)
    return 'a patch changes metadata.labels, metadata.annotations and spec only';
  if (!isTextMap(labels)) return 'metadata.labels is not a map of texts';
  if (!isTextMap(annotations)) return 'metadata.annotations is not a map of texts';
  const [own, next] = [before.annotations ?? {}, toRecord(annotations) ?? {}];
  const isOurs = (key: string): boolean => key.startsWith('isthmus.dev/') && next[key] !== own[key];
  const ours = Object.keys(own).find(isOurs) ?? Object.keys(next).find(isOurs);
  return ours === undefined ? undefined : `the annotation ${ours} is not the policy's to set`;
}

function findPortFault(ports: Json | undefined): string | undefined {
  if (ports === undefined) return undefined;
  if (!Array.isArray(ports)) return 'spec.ports is not a list';
  const numbers = (ports as readonly Json[]).map((port) => toRecord(port)?.['port']);
  const at = numbers.findIndex((number) => !isPortNumber(number));
  return at < 0 ? undefined : `spec.ports[${at}].port is not a port`;
}

function isPortNumber(number: Json | undefined): boolean {
  return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 65_535;
}

function toRecord(value: Json | undefined): Readonly<Record<string, Json | undefined>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json | undefined>>)
    : undefined;
}

function isTextMap(value: Json): boolean {
  const map = toRecord(value);
  return map !== undefined && Object.values(map).every((text) => typeof text === 'string');
}
