// Rules of metadata that hold for every kind.
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { FieldError, KindDefinition } from './kind.ts';

export function validateMetadata(_object: KubeObject, _kind: KindDefinition): readonly FieldError[] {
  return [];
}

export function validateMetadataUpdate(_next: KubeObject, _old: KubeObject): readonly FieldError[] {
  return [];
}

/** generateName cut so that the five random characters fit. */
export function toGeneratedName(_generateName: string, _suffix: string): string {
  return '';
}
