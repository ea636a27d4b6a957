// The patch formats, as ways to build the wished object from the live one.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { KindDefinition } from '../kind.ts';
import { applyInSteps } from '../apply/managed-fields.ts';
import { patchInSteps } from './json-patch.ts';
import { mergeInSteps } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-patch.ts';
import { decodePatched, type Patched, type Patcher } from './patched.ts';
import { refuseHuge } from '../rules/object-size.ts';
import type { Rest } from '../../../../common/runtime/rest.ts';
import { restBetween, type Steps } from '../steps.ts';
import type { ParsedAhead } from '../schema/parse-ahead.ts';
import { toJsonObject } from '../schema/json-value.ts';
import { toResourceName } from '../verbs/read.ts';
import { notFound, toApiError, unsupportedMediaType } from '../answer/status-error.ts';
import type { Wish } from '../verbs/update.ts';
import type { WriteCall } from '../verbs/write.ts';

const strategicType = 'application/strategic-merge-patch+json';

type SteppedPatcher = (request: Parameters<Patcher>[0]) => Steps<Patched>;

const patchers: ReadonlyMap<string, SteppedPatcher> = new Map([
  ['application/json-patch+json', patchInSteps],
  ['application/merge-patch+json', mergeInSteps],
  [strategicType, inOneStep(applyStrategicMergePatch)],
]);

function inOneStep(patcher: Patcher): SteppedPatcher {
  // oxlint-disable-next-line require-yield
  return function* (request) {
    return patcher(request);
  };
}

const applyType = 'application/apply-patch+yaml';

/** Throws 415 for a type that the kind does not take. */
export function toPatchWish(of: {
  readonly call: WriteCall;
  readonly type: string;
  readonly bytes: Uint8Array;
  /** What was read of the bytes before (parseAhead). */
  readonly ahead?: ParsedAhead | undefined;
  readonly time: string;
  readonly rest: Rest;
}): Pick<Wish, 'method' | 'build'> {
  const { call, type, bytes, ahead, time, rest } = of;
  const { kind, options } = call;
  const build = (steps: Steps<KubeObject>): Promise<KubeObject> => restBetween(steps, rest);
  if (type === applyType) {
    return {
      method: 'apply',
      build: (live) =>
        build(
          applyInSteps({
            kind,
            live,
            bytes,
            ahead,
            manager: options.manager,
            force: options.force,
            subresource:
              call.subresource === 'status' || call.subresource === 'approval'
                ? call.subresource
                : '',
            time,
            validation: options.validation,
            warn: (text) => void call.warnings.push(text),
          }),
        ),
    };
  }
  const patcher = patchers.get(type);
  const isStrategic = type === strategicType;
  if (patcher === undefined || (isStrategic && !kind.allowsStrategicMerge)) throw refuseType(kind);
  return {
    method: 'patch',
    build: (live) => build(buildPatched(call, live, patcher, { bytes, ahead })),
  };
}

function* buildPatched(
  call: WriteCall,
  live: KubeObject | undefined,
  patcher: SteppedPatcher,
  body: { readonly bytes: Uint8Array; readonly ahead: ParsedAhead | undefined },
): Steps<KubeObject> {
  if (live === undefined) throw notFound(toResourceName(call.kind, call.name));
  const { kind } = call;
  const { validation } = call.options;
  const patched = yield* patcher({ kind, object: toJsonObject(live), ...body, validation });
  yield;
  refuseHuge(patched.json);
  yield;
  const decoded = decodePatched(kind, patched, validation);
  call.warnings.push(...decoded.warnings);
  return decoded.object;
}

/** Kinds that are like custom resources say which types they take; Kubernetes' own do not. */
function refuseType(kind: KindDefinition): Error {
  if (kind.allowsStrategicMerge) {
    const message = '415: Unsupported Media Type';
    return toApiError({ code: 415, reason: 'UnsupportedMediaType', message, details: {} });
  }
  const types = [...patchers.keys(), applyType].filter((type) => type !== strategicType);
  return unsupportedMediaType(
    'the body of the request was in an unknown format - ' +
      `accepted media types include: ${types.join(', ')}`,
  );
}
