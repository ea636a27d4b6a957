// What kinds that are questions have in common: they are created, answered and never stored.

import type { ObjectMeta } from '../../../../common/model/kube-object.ts';
import type { KindDefinition } from '../../machinery/kind.ts';
import type { Schema } from '../../machinery/schema/schema.ts';
import { objectSchema } from '../common-schema.ts';
import { loggedKind } from '../definition.ts';

export function reviewKind(
  own: Pick<KindDefinition, 'group' | 'kind' | 'isNamespaced' | 'description'> & {
    readonly spec?: Schema;
    readonly status: Schema;
    readonly answerCreate: NonNullable<KindDefinition['answerCreate']>;
    readonly isConfidential?: boolean;
  },
): KindDefinition {
  const { group, kind, isNamespaced, description, spec, status, answerCreate } = own;
  const fields = spec === undefined ? { status } : { spec, status };
  const numbers =
    spec === undefined ? { metadata: 1, status: 2 } : { metadata: 1, spec: 2, status: 3 };
  return loggedKind({
    group,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    isNamespaced,
    description,
    storage: 'virtual',
    verbs: ['create'],
    columns: [],
    schema: objectSchema(kind, description, fields, { protobuf: numbers }),
    answerCreate,
    isConfidential: own.isConfidential === true,
  });
}

/** Whether metadata holds nothing but field owners and what is `allowed`. */
export function isBare(metadata: ObjectMeta, allowed: readonly string[]): boolean {
  const { managedFields: _managers, ...rest } = metadata;
  return Object.entries(rest).every(
    ([key, value]) => value === undefined || value === '' || allowed.includes(key),
  );
}
