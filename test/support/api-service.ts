// Services as clients send them, for tests of the API's pure parts.

import type { Json, KubeObject } from '../../common/model/kube-object.ts';
import { federationKinds } from '../../coordinator/api/kinds/all.ts';
import { decodeObject, type Decoded } from '../../coordinator/api/machinery/schema/decode.ts';
import type {
  FieldError,
  KindDefinition,
  WriteContext,
} from '../../coordinator/api/machinery/kind.ts';
import { ApiError, type StatusBody } from '../../coordinator/api/machinery/answer/status-error.ts';

export const kinds = federationKinds({ caHash: 'ab'.repeat(32) });

export function kindNamed(name: string): KindDefinition {
  const kind = kinds.find((each) => each.kind === name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
}

export const serviceKind = kindNamed('Service');

export function toBytes(value: unknown): Uint8Array {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

export function decode(
  value: unknown,
  validation: 'Strict' | 'Warn' | 'Ignore' = 'Strict',
  kind = serviceKind,
): Decoded {
  return decodeObject({ bytes: toBytes(value), mediaType: 'application/json', kind, validation });
}

/** A Service of one namespace, decoded and defaulted. */
export function service(spec: Json, metadata: object = {}): KubeObject {
  return decode({ metadata: { name: 'nginx', namespace: 'default', ...metadata }, spec }).object;
}

/** The Status that `run` is refused with. */
export function refusal(run: () => unknown): StatusBody {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
  throw new Error('not refused');
}

export function contextAt(nowMs: number): WriteContext & { readonly warnings: string[] } {
  const warnings: string[] = [];
  return {
    user: { name: 'admin', groups: [] },
    nowMs,
    secretBytes: (count) => new Uint8Array(count).fill(7),
    isDryRun: false,
    subresource: '',
    read: () => undefined,
    warn: (text) => void warnings.push(text),
    warnings,
  };
}

export const nowMs = Date.UTC(2026, 0, 2);
export const context = contextAt(nowMs);

export function created(object: KubeObject, kind = serviceKind): KubeObject {
  const given = kind.allocate?.(object, undefined, context).object ?? object;
  return kind.prepareForCreate?.(given, context) ?? given;
}

/** The cells of an object's row, by column. */
export function rowOf(
  kind: KindDefinition,
  object: KubeObject,
): Readonly<Record<string, string | number>> {
  return Object.fromEntries(kind.columns.map(({ name, cell }) => [name, cell(object, nowMs)]));
}

/** Field errors as a message lists them. */
export function lines(errors: readonly FieldError[]): readonly string[] {
  return errors.map(({ field, message }) => `${field}: ${message}`);
}
