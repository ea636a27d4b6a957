// Doubts a status before it is written.
// Input: the object as it stands, the object to write. Output: the objection, or undefined.
//
//   I4. A status write touches the status alone.
//   I9. Nothing that looks like a secret gets into a status.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { isSameJson } from '../../common/pure/canonical-json.ts';

const secretMark = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

export function doubtStatusWrite(before: KubeObject, after: KubeObject): string | undefined {
  if (!isSameJson(before.metadata, after.metadata)) {
    return 'metadata would change';
  }
  if (!isSameJson(before.spec ?? null, after.spec ?? null)) {
    return 'spec would change';
  }
  return secretMark.test(JSON.stringify(after.status ?? null)) ? 'status holds a key' : undefined;
}
