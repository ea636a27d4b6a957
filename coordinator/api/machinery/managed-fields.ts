// Who owns which field (metadata.managedFields), and server-side apply.
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { KindDefinition } from './kind.ts';
import { internal } from './status-error.ts';

export interface ApplyRequest {
  readonly kind: KindDefinition;
  /** Undefined: apply creates. */
  readonly live: KubeObject | undefined;
  /** JSON or YAML. */
  readonly bytes: Uint8Array;
  readonly manager: string;
  readonly force: boolean;
  readonly subresource: '' | 'status';
  /** RFC 3339 in seconds. */
  readonly time: string;
  /** Name and namespace of the URL, filled in when the configuration has none. */
  readonly name?: string;
  readonly namespace?: string;
}

/** The object after apply, defaults set, managedFields kept. `live` itself when nothing changed. */
export function applyServerSide(_request: ApplyRequest): KubeObject {
  throw internal('not there');
}

export interface TrackRequest {
  readonly kind: KindDefinition;
  /** Undefined for a create. */
  readonly old: KubeObject | undefined;
  readonly next: KubeObject;
  readonly manager: string;
  readonly subresource: '' | 'status';
  readonly time: string;
}

/** `next` with managedFields brought up to date for a create, update or patch. */
export function trackUpdate(_request: TrackRequest): KubeObject {
  throw internal('not there');
}
