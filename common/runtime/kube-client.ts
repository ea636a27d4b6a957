// Port to one cluster's Kubernetes API, as the agent needs it. Adapter: ./kube-http.ts; the
// simulation has its own. Every call has a deadline; a watch reports when it ends.

import type { JsonObject, KubeObject } from '../model/kube-object.ts';

/** Where a resource is served: `/api/v1` or `/apis/<group>/<version>`, and its plural. */
export interface ResourcePath {
  readonly apiVersion: string;
  readonly plural: string;
  readonly namespace?: string | undefined;
  /** Lists and watches only the object of this name, so that the right to one is enough. */
  readonly name?: string | undefined;
}

export interface WatchSink {
  /** The complete state at the start and after each re-list. */
  onList(objects: readonly KubeObject[]): void;
  onEvent(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): void;
  /** The watch broke or cannot be made; it retries by itself. */
  onError(error: Error): void;
}

/** The object that was looked at, and as it was then. */
export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface KubeClient {
  get(path: ResourcePath, name: string): Promise<KubeObject | undefined>;
  list(path: ResourcePath): Promise<readonly KubeObject[]>;
  create(path: ResourcePath, object: KubeObject): Promise<KubeObject>;
  /** Server-side apply. Throws MeshError conflict KUBE_CONFLICT unless forced. */
  apply(
    path: ResourcePath,
    name: string,
    configuration: KubeObject | JsonObject,
    options: { readonly fieldManager: string; readonly force: boolean },
  ): Promise<KubeObject>;
  /** Conditional when metadata.resourceVersion is in the patch: MeshError conflict KUBE_CONFLICT. */
  mergePatch(
    path: ResourcePath,
    name: string,
    patch: JsonObject,
    fieldManager: string,
  ): Promise<KubeObject>;
  jsonPatch(
    path: ResourcePath,
    name: string,
    patch: readonly JsonObject[],
    fieldManager: string,
  ): Promise<KubeObject>;
  /** False when it was gone already. Throws MeshError conflict KUBE_CONFLICT when another is there. */
  delete(path: ResourcePath, name: string, preconditions: Preconditions): Promise<boolean>;
  /**
   * The same, whose writes ask for leave just before each sending, also before a second attempt;
   * what it throws is their outcome. Absent: a client that sends at once.
   */
  readonly withLeave?: ((leave: () => void) => KubeClient) | undefined;
  /** List, then watch, for ever, with backoff, 410 and bookmarks handled. */
  watch(path: ResourcePath, sink: WatchSink): { cancel(): void };
  /** GET /version: an active proof that the API server answers. */
  version(): Promise<string>;
  close(): void;
}

// Error codes of the adapter, all as MeshError:
// retryable: KUBE_UNREACHABLE, KUBE_TIMEOUT, KUBE_THROTTLED, KUBE_SERVER_ERROR, KUBE_NAMESPACE_MISSING,
//            KUBE_NAMESPACE_TERMINATING, KUBE_QUOTA_EXCEEDED, KUBE_ADMISSION_REFUSED, KUBE_WEBHOOK_FAILED,
//            KUBE_PORT_TAKEN, KUBE_EXPIRED (410)
// conflict:  KUBE_CONFLICT, KUBE_EXISTS
// fatal:     KUBE_FORBIDDEN, KUBE_UNAUTHORIZED, KUBE_INVALID, KUBE_IMMUTABLE, KUBE_NOT_FOUND,
//            KUBE_UNSUPPORTED (a field or value that the server's version does not know)
