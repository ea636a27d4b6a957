// The schema table: one description per kind from which OpenAPI, the strict decoder, strategic
// merge, server-side apply, protobuf bodies and `kubectl explain` are all made.

import type { Json } from '../../../../common/model/kube-object.ts';

export type ListTopology =
  | { readonly kind: 'atomic' }
  | { readonly kind: 'set' }
  /** `defaults` fill missing key members, as protocol: TCP does for Service ports. */
  | {
      readonly kind: 'map';
      readonly keys: readonly string[];
      readonly defaults?: Readonly<Record<string, Json>>;
    };

/** How strategic merge patch treats a list; `key` is absent for lists of scalars. */
export type PatchStrategy =
  | { readonly kind: 'replace' }
  | { readonly kind: 'merge'; readonly key?: string };

interface Described {
  readonly description: string;
  /** Kept when empty (a Go pointer, or a field without omitempty), e.g. `controller: false`. */
  readonly keepsEmpty?: boolean;
  /** Written even when nobody gave it: a Go value without omitempty, or a struct by value. */
  readonly isAlways?: boolean;
}

export type Schema = Described &
  (
    | {
        readonly type: 'object';
        readonly fields: Readonly<Record<string, Schema>>;
        readonly required?: readonly string[];
        /** Go name of the struct, for decode errors such as `ServicePort.spec.ports.port`. */
        readonly goName?: string;
        readonly isAtomic?: boolean;
        /** Field numbers of the message in Kubernetes' protobuf; without them there is none. */
        readonly protobuf?: Readonly<Record<string, number>>;
      }
    | { readonly type: 'map'; readonly values: Schema; readonly isAtomic?: boolean }
    | {
        readonly type: 'list';
        readonly items: Schema;
        readonly topology: ListTopology;
        readonly patch: PatchStrategy;
        /** In protobuf a message of its own, as Go's named lists (ExtraValue) are. */
        readonly isWrapped?: boolean;
        readonly maxItems?: number;
      }
    | {
        readonly type: 'string';
        readonly format?: 'date-time' | 'byte';
        /** Of times: seconds (metav1.Time) unless it says otherwise (MicroTime). */
        readonly precision?: 'seconds' | 'microseconds';
        readonly enum?: readonly string[];
        /** Go's name of the type when it has one of its own, such as `v1.ServiceType`. */
        readonly goName?: string;
        /** Bounds are checked of kinds like custom resources (rules/schema-rules.ts). */
        readonly pattern?: string;
        readonly maxLength?: number;
      }
    | {
        readonly type: 'integer';
        readonly format: 'int32' | 'int64';
        readonly minimum?: number;
        readonly maximum?: number;
      }
    | { readonly type: 'number' }
    | { readonly type: 'boolean' }
    | { readonly type: 'intOrString' }
    /** Anything, kept as it is (FieldsV1, RawExtension). */
    | { readonly type: 'any' }
  );
