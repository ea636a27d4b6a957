// Label and field selectors.
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { KindDefinition } from './kind.ts';
import { internal } from './status-error.ts';

export type LabelMatcher = (labels: Readonly<Record<string, string>> | undefined) => boolean;
export type FieldMatcher = (object: KubeObject) => boolean;

export function parseLabelSelector(_text: string): LabelMatcher {
  throw internal('not there');
}

export function parseFieldSelector(_text: string, _kind: KindDefinition): FieldMatcher {
  throw internal('not there');
}
