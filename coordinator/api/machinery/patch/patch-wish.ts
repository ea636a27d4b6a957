// The patch formats, as ways to build the wished object from the live one.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { Json } from '../../../../common/model/kube-object.ts';
import type { KindDefinition } from '../kind.ts';
import { applyServerSide } from '../apply/managed-fields.ts';
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  decodePatched,
} from './patch.ts';
import { toResourceName } from '../verbs/read.ts';
import { notFound, unsupportedMediaType } from '../answer/status-error.ts';
import type { Wish } from '../verbs/update.ts';
import type { WriteCall } from '../verbs/write.ts';

type Patcher = (kind: KindDefinition, object: KubeObject, bytes: Uint8Array) => Json;

const patchers: ReadonlyMap<string, Patcher> = new Map([
  ['application/json-patch+json', applyJsonPatch],
  ['application/merge-patch+json', applyMergePatch],
  ['application/strategic-merge-patch+json', applyStrategicMergePatch],
]);

const applyType = 'application/apply-patch+yaml';

/** Throws 415 for a type that the kind does not take. */
export function toPatchWish(of: {
  readonly call: WriteCall;
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly time: string;
}): Pick<Wish, 'method' | 'build'> {
  const { call, type, bytes, time } = of;
  const { kind, options } = call;
  if (type === applyType) {
    return {
      method: 'apply',
      build: (live) =>
        applyServerSide({
          kind,
          live,
          bytes,
          manager: options.manager,
          force: options.force,
          subresource: call.subresource === 'status' ? 'status' : '',
          time,
          validation: options.validation,
          warn: (text) => void call.warnings.push(text),
        }),
    };
  }
  const patcher = patchers.get(type);
  const isStrategic = type === 'application/strategic-merge-patch+json';
  if (patcher === undefined || (isStrategic && !kind.allowsStrategicMerge)) throw refuseType(kind);
  return { method: 'patch', build: (live) => buildPatched(call, live, patcher, bytes) };
}

function buildPatched(
  call: WriteCall,
  live: KubeObject | undefined,
  patcher: Patcher,
  bytes: Uint8Array,
): KubeObject {
  if (live === undefined) throw notFound(toResourceName(call.kind, call.name));
  const patched = patcher(call.kind, live, bytes);
  const decoded = decodePatched(call.kind, patched, call.options.validation);
  call.warnings.push(...decoded.warnings);
  return decoded.object;
}

function refuseType(kind: KindDefinition): Error {
  const types = [...patchers.keys(), applyType].filter(
    (type) => kind.allowsStrategicMerge || type !== 'application/strategic-merge-patch+json',
  );
  return unsupportedMediaType(
    'the body of the request was in an unknown format - ' +
      `accepted media types include: ${types.join(', ')}`,
  );
}
