// A strategic merge patch from its bytes to the patched object (strategic-merge.ts merges).

import { parseJsonBody, refuseWith } from '../schema/parse-ahead.ts';
import { isRecord } from '../schema/json-value.ts';
import { jsonName } from '../schema/type-mismatch.ts';
import { badRequest } from '../answer/status-error.ts';
import { formatGo } from '../schema/format-go.ts';
import type { Patcher } from './patched.ts';
import { mergeStrategically } from './strategic-merge.ts';

/** Throws 400 for what is no patch. */
export const applyStrategicMergePatch: Patcher = ({ kind, object, bytes, ahead, validation }) => {
  const { value, duplicates } = parseJsonBody(bytes, refuseWith(''), ahead);
  const patch = value ?? {};
  if (!isRecord(patch)) {
    throw badRequest(
      `json: cannot unmarshal ${jsonName(patch)} into Go value of type map[string]interface {}`,
    );
  }
  return {
    json: mergeStrategically(kind.schema, object, patch),
    strict:
      validation === 'Ignore'
        ? []
        : duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
    printed: () => formatGo(patch),
    isMap: true,
  };
};
