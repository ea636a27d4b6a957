// JSON patch, merge patch and strategic merge patch: (object, patch bytes) -> plain JSON.
import type { Json, KubeObject } from '../../../common/model/kube-object.ts';
import type { Decoded, FieldValidation } from './decode.ts';
import type { KindDefinition } from './kind.ts';
import { internal } from './status-error.ts';

export function applyJsonPatch(_kind: KindDefinition, _object: KubeObject, _bytes: Uint8Array): Json {
  throw internal('not there');
}
export function applyMergePatch(_kind: KindDefinition, _object: KubeObject, _bytes: Uint8Array): Json {
  throw internal('not there');
}
export function applyStrategicMergePatch(_kind: KindDefinition, _object: KubeObject, _bytes: Uint8Array): Json {
  throw internal('not there');
}
/** The patched JSON as an object, defaults set. 422 where a create would say 400. */
export function decodePatched(_kind: KindDefinition, _json: Json, _validation: FieldValidation): Decoded {
  throw internal('not there');
}
