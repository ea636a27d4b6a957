// What an adopted Service was like before, kept on the Service itself, and read again by a
// release. Pure. Kept within a bound: of what is too large, the annotations go first.

import type { JsonObject, Service } from '../../common/model/kube-object.ts';
import { toCanonicalJson } from '../../common/pure/canonical-json.ts';

export interface FormerShape {
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: not on record, so they stay as they are. */
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly spec: Readonly<Record<string, unknown>>;
}

// An object's annotations are limited to 256 KiB together; a former shape needs a fraction.
const bytesMax = 32 * 1024;
const tooLarge = '{"tooLarge":true}';
// Of the cluster, and never changed by us.
const allocated: ReadonlySet<string> = new Set([
  'clusterIP',
  'clusterIPs',
  'ipFamilies',
  'ipFamilyPolicy',
  'healthCheckNodePort',
]);
// kubectl's copy of the manifest: as large as all the rest, and not changed by us.
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export function toFormerShape({ metadata, spec }: Service): string {
  const { [lastApplied]: _copy, ...annotations } = metadata.annotations ?? {};
  const shape = {
    labels: metadata.labels ?? {},
    spec: Object.fromEntries(Object.entries(spec).filter(([field]) => !allocated.has(field))),
  };
  const texts = [{ ...shape, annotations }, shape].map((one) => toCanonicalJson(one));
  return texts.find((text) => Buffer.byteLength(text) <= bytesMax) ?? tooLarge;
}

/** Undefined: there is nothing on record that could be put back. */
export function parseFormerShape(text: string | undefined): FormerShape | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  const { labels, annotations, spec } = (value ?? {}) as JsonObject; // narrowed below
  const found = toMap(spec);
  if (found === undefined || typeof found['type'] !== 'string') return undefined;
  return {
    labels: toTexts(labels) ?? {},
    annotations: toTexts(annotations),
    spec: Object.fromEntries(Object.entries(found).filter(([field]) => !allocated.has(field))),
  };
}

function toMap(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? { ...value }
    : undefined;
}

function toTexts(value: unknown): Readonly<Record<string, string>> | undefined {
  const map = toMap(value);
  return map === undefined
    ? undefined
    : Object.fromEntries(Object.entries(map).map(([name, text]) => [name, String(text)]));
}
