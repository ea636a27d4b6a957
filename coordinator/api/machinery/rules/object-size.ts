// How many values one object may have: labels, members, items, all together.
//
//   Z1. What follows the parser looks at each value in each step of a write, ten times in all, and
//       each step is one turn (I11). kube-apiserver bounds bytes only; within them fit a hundred
//       times more labels than any object ever had, made to keep a server busy.

import type { Json, JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import { tooLargeBecause } from '../answer/status-error.ts';
import { isRecord } from '../schema/json-value.ts';

/** A Service of a hundred ports has 600. */
export const objectValuesMax = 5_000;

/** Throws 413. The owners of fields do not count: they are as many again for each manager. */
export function refuseHuge(object: Json | KubeObject): void {
  let left = objectValuesMax;
  const visit = (value: unknown, isMetadata: boolean): void => {
    left -= 1;
    if (left < 0) throw tooLargeBecause(`more than ${objectValuesMax} values in one object`);
    if (Array.isArray(value)) for (const item of value) visit(item, false);
    else if (isRecord(value)) visitMembers(value, isMetadata);
  };
  const visitMembers = (value: JsonObject, isMetadata: boolean): void => {
    for (const key in value) {
      if (isMetadata && key === 'managedFields') continue;
      visit(value[key], key === 'metadata');
    }
  };
  visit(object, false);
}
