// What the API machinery must know of a kind. The machinery itself (verbs, patches, watches,
// tables, discovery) knows none: each served kind is one KindDefinition in ../kinds.

import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { Access, UserInfo } from './access/access.ts';
import type { Allocated } from './allocated.ts';
import type { Schema } from './schema/schema.ts';

export type { UserInfo } from './access/access.ts';

export type Verb =
  | 'create'
  | 'get'
  | 'list'
  | 'watch'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection';

export interface FieldError {
  /** Path such as `spec.ports[0].port`. */
  readonly field: string;
  readonly reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany';
  /** As Kubernetes prints it, without the field: `Invalid value: 0: must be between ...`. */
  readonly message: string;
}

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly format?: string;
  readonly description: string;
  /** 0 always shown, 1 with -o wide. */
  readonly priority: 0 | 1;
  /** `nowMs` is the wall clock, for ages. */
  readonly cell: (object: KubeObject, nowMs: number) => string | number;
}

/** What hooks may use; they are otherwise pure. */
export interface WriteContext {
  readonly user: UserInfo;
  readonly nowMs: number;
  /** Unpredictable bytes, for tokens. */
  readonly secretBytes: (count: number) => Uint8Array;
  readonly isDryRun: boolean;
  /** The endpoint written to: empty for the object itself, else `status`, `finalize`, `approval`. */
  readonly subresource: string;
  /** Reads another object, e.g. the Service that a policy names. */
  readonly read: (at: {
    readonly group: string;
    readonly resource: string;
    readonly namespace?: string;
    readonly name: string;
  }) => KubeObject | undefined;
  /** Adds a Warning header to the answer. */
  readonly warn: (text: string) => void;
}

/** What hooks may use that decide on rights, or that answer what is never stored. */
export interface AccessContext {
  readonly user: UserInfo;
  /** As in the path; empty for cluster-scoped kinds. */
  readonly namespace: string;
  /** As in the path; empty for a POST. */
  readonly name: string;
  readonly nowMs: number;
  readonly access: Access;
  readonly read: WriteContext['read'];
}

/**
 * How a kind that has two faces is kept: once, in the form of the other one (events.k8s.io and
 * core Events). Reads, watches and writes of the kind go through these two.
 */
export interface StoredForm {
  readonly group: string;
  readonly plural: string;
  readonly toServed: (stored: KubeObject) => KubeObject;
  readonly toStored: (served: KubeObject) => KubeObject;
}

export interface KindDefinition {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  /**
   * logged: kept in the desired state. projected: read-only, from a view given to the server.
   * virtual: a question that create answers (answerCreate), never stored.
   */
  readonly storage: 'logged' | 'projected' | 'virtual';
  readonly verbs: readonly Verb[];
  /** Bodies of it are in no audit log, whatever its policy says. */
  readonly isConfidential?: boolean;
  readonly hasStatus: boolean;
  /** `PUT <name>/finalize` writes spec and metadata, as Namespaces have it. */
  readonly hasFinalize?: boolean;
  /**
   * `<name>/approval` writes this one field of the status, and no other endpoint does, so that who
   * may approve is a right of its own (as certificatesigningrequests/approval is).
   */
  readonly approvalField?: string;
  /**
   * Kinds that are written at `<plural>/<name>/<key>` of this kind and served nowhere else, under
   * the name of the object above them.
   */
  readonly subresources?: Readonly<Record<string, KindDefinition>>;
  /** Stored under another kind's key and in its form. */
  readonly storedAs?: StoredForm;
  /** CRD-like kinds refuse strategic merge patches with 415. */
  readonly allowsStrategicMerge: boolean;
  /** PUT and apply of a missing object create it (Service: yes). */
  readonly allowsCreateOnUpdate: boolean;
  /** metadata.generation is kept and rises with the spec (Services: no). */
  readonly tracksGeneration: boolean;
  readonly schema: Schema;
  readonly columns: readonly Column[];
  /** Beyond metadata.name and metadata.namespace. */
  readonly fieldSelectors: Readonly<Record<string, (object: KubeObject) => string>>;
  /** Fills defaults; runs on every decoded or patched object. */
  readonly setDefaults?: (object: KubeObject) => KubeObject;
  /**
   * Before preparation, not for subresources: takes what the server gives (addresses, ports).
   * Throws ApiError, holding nothing, when it cannot be had.
   */
  readonly allocate?: (
    next: KubeObject,
    old: KubeObject | undefined,
    context: WriteContext,
  ) => Allocated;
  /** After defaulting, before validation: allocates, strips, adds finalizers. */
  readonly prepareForCreate?: (object: KubeObject, context: WriteContext) => KubeObject;
  readonly prepareForUpdate?: (
    next: KubeObject,
    old: KubeObject,
    context: WriteContext,
  ) => KubeObject;
  /** Throws ApiError when this user may not write this; before validation. */
  readonly refuseWrite?: (
    next: KubeObject,
    old: KubeObject | undefined,
    context: AccessContext,
  ) => void;
  /** Of virtual kinds: the answer to a create. Throws ApiError. */
  readonly answerCreate?: (
    object: KubeObject,
    context: AccessContext,
  ) => KubeObject | Promise<KubeObject>;
  /** What is wrong with a name, or with a prefix of one. Default: a DNS subdomain. */
  readonly nameRule?: (name: string, isPrefix: boolean) => readonly string[];
  readonly validate: (object: KubeObject) => readonly FieldError[];
  readonly validateUpdate?: (next: KubeObject, old: KubeObject) => readonly FieldError[];
  /** Instead of the two above, on updates, for kinds whose rules depend on the object before. */
  readonly validateChange?: (
    next: KubeObject,
    old: KubeObject,
    subresource: string,
  ) => readonly FieldError[];
  /** The answer to a create, when it carries what is not stored (a JoinToken's token). */
  readonly toCreateAnswer?: (stored: KubeObject, prepared: KubeObject) => KubeObject;
  /** What every answer to a write shows of what is stored; default: all of it. */
  readonly toAnswer?: (stored: KubeObject) => KubeObject;
  /** Removes from `prepared` what must not be stored. */
  readonly toStored?: (prepared: KubeObject) => KubeObject;
  /** False for kinds that nothing can depend on (Events): a delete never waits for dependents. */
  readonly hasDependents?: boolean;
  /** What beside finalizers keeps an object that is being deleted, such as spec.finalizers. */
  readonly holdsDeletion?: (object: KubeObject) => boolean;
  /** Why this object may not be deleted (403), or undefined. */
  readonly forbidDelete?: (object: KubeObject) => string | undefined;
  /** Status returned by delete: the object (Service) or a Status (most CRD-like kinds). */
  readonly deleteAnswer: 'object' | 'status';
  /** A Warning header of every request for the kind. */
  readonly deprecation?: string;
  readonly description: string;
}
