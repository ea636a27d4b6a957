// A request's body as an object of one kind.
import type { Json, KubeObject } from '../../../common/model/kube-object.ts';
import type { KindDefinition } from './kind.ts';
import { internal } from './status-error.ts';

export type BodyMediaType = 'application/json' | 'application/yaml';
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface Decoded {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

/** 400 for whatever is no object of `kind`. Defaults are set (kind.setDefaults). */
export function decodeObject(_request: {
  readonly bytes: Uint8Array;
  readonly mediaType: BodyMediaType;
  readonly kind: KindDefinition;
  readonly validation: FieldValidation;
}): Decoded {
  throw internal('not there');
}

/** Checks a value against the kind's schema, without defaulting: types, unknown fields, empties. */
export function checkAgainstSchema(
  _kind: KindDefinition,
  _value: Json,
  _validation: FieldValidation,
): Decoded {
  throw internal('not there');
}
