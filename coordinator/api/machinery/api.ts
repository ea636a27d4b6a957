// The port between the API and whatever carries its requests: HTTPS (../https.ts), a simulated
// network, or a caller in the same process. Plain values in, plain values out; a watch answers
// with a body that pushes into a sink which tells how much it still holds back.
//
// Next file to read: server.ts.

import type { Clock } from '../../../common/runtime/clock.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { Desired, ObjectView } from '../../desired/store.ts';
import type { Access, Authorize } from './access/access.ts';
import type { AuditOptions } from './access/request-audit.ts';
import type { ApiError } from './answer/status-error.ts';
import type { KindDefinition, UserInfo } from './kind.ts';
import type { ReadYaml } from './schema/parse-ahead.ts';

/** What is known of a request before its body. */
export type RequestHead = Pick<
  ApiRequest,
  'method' | 'target' | 'headers' | 'rawHeaders' | 'remoteAddress'
>;

export interface ApiRequest {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Name and value by turns, each line as it came: for headers whose values may hold commas. */
  readonly rawHeaders?: readonly string[] | undefined;
  /** Address of whom the connection is with. */
  readonly remoteAddress?: string | undefined;
  readonly body: Uint8Array;
  /** Already authenticated; undefined is anonymous. */
  readonly user: UserInfo | undefined;
  /** Fires when the client went away. */
  readonly signal: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  /** Names in lower case; a list is sent as one header each. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Uint8Array | StreamBody;
}

/** Where a watch writes to. The transport owns it. */
export interface BodySink {
  write(chunk: Uint8Array): void;
  /** As one write of all of them, which are not joined before they have to be. */
  writeParts?(parts: readonly Uint8Array[]): void;
  /** Bytes accepted by write() that the client has not taken yet. */
  bufferedBytes(): number;
  /** Resolves when bufferedBytes() fell, or when the client is gone. */
  drained(): Promise<void>;
  end(): void;
  /** Breaks off: half a list must not look like a whole one. */
  fail?(): void;
}

export interface StreamBody {
  /** A long list: it ends by itself and may be compressed, and counts as a request as others do. */
  readonly isList?: boolean;
  /** Starts the stream, once. It ends by sink.end() or when the request's signal fires. */
  start(sink: BodySink): void;
}

export type { Attributes, Authorize } from './access/access.ts';

/**
 * Runs before a write is stored, after validation. Throws ApiError to refuse. `object` is
 * undefined for a delete, `old` for a create.
 */
export type Admit = (request: {
  readonly operation: 'create' | 'update' | 'delete';
  readonly kind: KindDefinition;
  readonly subresource: string;
  readonly object: KubeObject | undefined;
  readonly old: KubeObject | undefined;
  readonly user: UserInfo;
  readonly isDryRun: boolean;
}) => Promise<{ readonly warnings: readonly string[] }>;

export interface ApiOptions {
  readonly kinds: readonly KindDefinition[];
  readonly desired: Desired;
  /** Views of the projected kinds, by `<group>/<plural>` (core group: `/<plural>`). */
  readonly projections: ReadonlyMap<string, ObjectView>;
  /** What a DELETE of a projected object does, by the same names; without one it is a 405. */
  readonly deletions?: ReadonlyMap<string, DeleteProjected>;
  readonly authorize: Authorize;
  /** Reviews and the prevention of escalation ask it; without it they know the authorizer only. */
  readonly access?: Access;
  readonly version: ApiVersion;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly admit?: Admit;
  /** Reads long YAML; without it this thread does, at one go. */
  readonly readYaml?: ReadYaml;
  /** Without it nothing is audited. */
  readonly audit?: AuditOptions;
  /** Named checks of /readyz: undefined when it passes, else why not. */
  readonly readiness?: () => Readonly<Record<string, string | undefined>>;
  /** Watches at once, of which one user holds half. Default 12,000. */
  readonly watchesMax?: number;
}

/**
 * A projected object is no more than a view: this does what takes its cause away. Throws ApiError
 * to refuse. A dry run changes nothing.
 */
export type DeleteProjected = (request: {
  readonly object: KubeObject;
  /** Orphan: what it stands for stays where it is. */
  readonly isOrphaning: boolean;
  readonly isDryRun: boolean;
}) => Promise<void>;

export interface ApiVersion {
  /** Such as `v1.34.0+isthmus.1`; clients parse it as vX.Y.Z. */
  readonly gitVersion: string;
}

export interface Api {
  /** Never rejects: every fault becomes a Status. */
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** The answer to a request that the transport refused before its body was read. */
  refuse(head: RequestHead, error: ApiError): ApiResponse;
  /** Whether `user` may ask this at all: what a transport asks before it reads a stranger's body. */
  admits(head: RequestHead, user: UserInfo | undefined): boolean;
  /** Ends every watch cleanly and stops the clean-up of namespaces. */
  close(): Promise<void>;
}
