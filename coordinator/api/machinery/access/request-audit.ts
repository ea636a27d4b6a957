// The audit trail of one request: who asked for what, in whose name, and what came of it, as events
// of audit.k8s.io/v1.
//
//   U1. The bodies of kinds that hold secrets are in no event, whatever the policy says; nor are
//       the words of their refusals, which may repeat a body.
//   U2. A body beyond 256 KiB is not kept; an annotation says so.
//   U3. An event is a value handed to the sink: what becomes of it delays no request.

import { writeParts } from '../answer/write-parts.ts';
import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import { toMicroTimestamp, type Clock } from '../../../../common/runtime/clock.ts';
import type { ApiRequest, ApiResponse, BodySink, StreamBody } from '../api.ts';
import type { Route } from '../request/routes.ts';
import { isRecord, own, ownRecord, ownText } from '../schema/json-value.ts';
import { yamlAheadFromBytes } from '../schema/parse-ahead.ts';
import { parseYamlBody } from '../schema/yaml-body.ts';
import type { Attributes, Decision, UserInfo } from './access.ts';
import {
  chooseAudit,
  type AuditConfig,
  type AuditPolicy,
  type AuditStage,
} from './audit-policy.ts';

/** Takes events; never throws and never waits. */
export interface AuditSink {
  write(event: JsonObject): void;
}

export interface AuditOptions {
  readonly policy: AuditPolicy;
  readonly sink: AuditSink;
}

export interface AuditTrail {
  impersonates(user: UserInfo): void;
  decides(decision: Decision): void;
  /** What a long body says: long YAML is read elsewhere, and told here. */
  reads(value: Json): void;
  /** The answer as it goes out: a watch tells its end later. */
  answers(response: ApiResponse, message?: string): ApiResponse;
  panics(message: string): void;
}

type Asked = Pick<ApiRequest, 'method' | 'target' | 'headers' | 'remoteAddress'> &
  Partial<Pick<ApiRequest, 'body' | 'signal'>>;

/** Begins a trail, or undefined when the policy wants nothing of this request. */
export function beginAudit(
  { policy, sink }: AuditOptions,
  asked: {
    readonly request: Asked;
    readonly route: Route;
    readonly attributes: Attributes;
    /** False for a request whose credentials were refused: it has no user. */
    readonly isKnown: boolean;
    readonly auditId: string;
    readonly clock: Clock;
  },
): AuditTrail | undefined {
  const config = chooseAudit(policy, asked.attributes);
  if (config.level === 'None') return undefined;
  const trail = new Trail(config, sink, asked);
  trail.tell('RequestReceived');
  return trail;
}

// Reading and writing a body again takes the event loop's time: some milliseconds are enough (I11).
const objectBytesMax = 256 * 1024;
const omittedKey = 'audit.isthmus.dev/omitted';

type Beginning = Parameters<typeof beginAudit>[1];

class Trail implements AuditTrail {
  readonly #config: AuditConfig;
  readonly #sink: AuditSink;
  readonly #asked: Beginning;
  readonly #receivedMs: number;
  readonly #isConfidential: boolean;
  /** What is served nowhere may be a Secret that was sent to a wrong path. */
  readonly #isServed: boolean;
  #hasPanicked = false;
  #awaitsBody = false;
  #more: JsonObject = {};
  #annotations: JsonObject = {};
  #objects: JsonObject = {};

  constructor(config: AuditConfig, sink: AuditSink, asked: Beginning) {
    this.#config = config;
    this.#sink = sink;
    this.#asked = asked;
    this.#receivedMs = asked.clock.now();
    const { route } = asked;
    this.#isConfidential = route.kind === 'resource' && route.definition?.isConfidential === true;
    this.#isServed = route.kind === 'resource' && route.definition !== undefined;
    if (this.#keeps('Request')) this.#keepRequest();
  }

  impersonates(user: UserInfo): void {
    this.#more = { ...this.#more, impersonatedUser: toUser(user) };
  }

  decides({ allowed, reason = '' }: Decision): void {
    this.#annotations = {
      ...this.#annotations,
      'authorization.k8s.io/decision': allowed ? 'allow' : 'forbid',
      'authorization.k8s.io/reason': reason,
    };
  }

  reads(value: Json): void {
    if (!this.#awaitsBody) return;
    this.#awaitsBody = false;
    const { [omittedKey]: _was, ...annotations } = this.#annotations;
    this.#annotations = annotations;
    this.#objects = { ...this.#objects, requestObject: this.#strip(value) };
  }

  answers(response: ApiResponse, message?: string): ApiResponse {
    if (this.#hasPanicked) return response; // that was its end
    const { body, status } = response;
    const isWatch = this.#asked.attributes.verb === 'watch' && !(body instanceof Uint8Array);
    // A body is read only where something of it is kept.
    const isKept = this.#keeps('RequestResponse');
    const isRead = body instanceof Uint8Array && (status >= 400 || isKept);
    if (isRead && body.length > objectBytesMax) {
      this.#annotations = {
        ...this.#annotations,
        [omittedKey]: `response of ${body.length} bytes`,
      };
    }
    const answer = isRead && body.length <= objectBytesMax ? parse(body) : undefined;
    this.#more = { ...this.#more, responseStatus: this.#toStatus(status, answer, message) };
    if (answer !== undefined && isKept) {
      this.#objects = { ...this.#objects, responseObject: this.#strip(answer) };
    }
    if (!isWatch) {
      this.tell('ResponseComplete');
      return response;
    }
    this.tell('ResponseStarted');
    return { ...response, body: this.#untilEnd(body) };
  }

  panics(message: string): void {
    const responseStatus = { metadata: {}, status: 'Failure', reason: 'InternalError', code: 500 };
    this.#more = { ...this.#more, responseStatus: { ...responseStatus, message } };
    this.tell('Panic');
    this.#hasPanicked = true;
  }

  tell(stage: AuditStage): void {
    if (this.#config.omitStages.includes(stage)) return;
    this.#sink.write(this.#toEvent(stage));
  }

  /** The end of a watch: by us, or by a client that went away. */
  #untilEnd(body: StreamBody): StreamBody {
    let isTold = false;
    const end = (): void => {
      if (isTold) return;
      isTold = true;
      this.tell('ResponseComplete');
    };
    const signal = this.#asked.request.signal;
    if (signal?.aborted === true) end();
    signal?.addEventListener('abort', end, { once: true });
    return {
      ...body,
      start: (sink) =>
        body.start({
          ...toPlainSink(sink),
          end: () => {
            end();
            sink.end();
          },
        }),
    };
  }

  #keeps(level: 'Request' | 'RequestResponse'): boolean {
    if (this.#isConfidential || !this.#isServed) return false; // U1
    return this.#config.level === level || this.#config.level === 'RequestResponse';
  }

  #keepRequest(): void {
    const { body, headers } = this.#asked.request;
    if (body === undefined || body.length === 0) return;
    if (body.length > objectBytesMax) {
      this.#annotations = { [omittedKey]: `request of ${body.length} bytes` };
      return;
    }
    const type = headers['content-type'] ?? 'application/json';
    const isYaml = type.includes('yaml');
    if (isYaml && body.length >= yamlAheadFromBytes) {
      this.#annotations = { [omittedKey]: 'request whose YAML was not read' };
      this.#awaitsBody = true;
      return;
    }
    const value = isYaml ? parseYaml(body) : parse(body);
    if (value !== undefined) this.#objects = { requestObject: this.#strip(value) };
    else this.#annotations = { [omittedKey]: 'request that is no JSON' };
  }

  #strip(value: Json): Json {
    if (!this.#config.omitManagedFields || !isRecord(value)) return value;
    const items = own(value, 'items');
    const list = Array.isArray(items) ? { items: items.map(withoutManagers) } : {};
    return { ...withoutManagers(value), ...list };
  }

  #toStatus(code: number, answer: Json | undefined, message: string | undefined): JsonObject {
    const isStatus = isRecord(answer) && ownText(answer, 'kind') === 'Status';
    if (!isStatus) return { metadata: {}, ...(message === undefined ? {} : { message }), code };
    const { status, reason, details } = answer;
    const text = message ?? ownText(answer, 'message');
    const words = this.#isConfidential && message === undefined ? {} : { message: text };
    return {
      metadata: {},
      ...(status === undefined ? {} : { status }),
      ...(text === '' ? {} : words),
      ...(reason === undefined ? {} : { reason }),
      ...(details === undefined || this.#isConfidential ? {} : { details }),
      code,
    };
  }

  #toEvent(stage: AuditStage): JsonObject {
    const { request, attributes, isKnown, auditId, clock } = this.#asked;
    const agent = request.headers['user-agent'];
    const annotations = this.#annotations;
    const isAnnotated = Object.keys(annotations).length > 0;
    return {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: this.#config.level,
      auditID: auditId,
      stage,
      requestURI: request.target,
      verb: attributes.verb,
      user: isKnown ? toUser(attributes.user) : {},
      ...this.#more,
      ...toSourceIps(request),
      ...(agent === undefined ? {} : { userAgent: agent.slice(0, userAgentCharactersMax) }),
      ...(attributes.isResource ? { objectRef: toObjectRef(attributes, this.#objects) } : {}),
      ...this.#objects,
      requestReceivedTimestamp: toMicroTimestamp(this.#receivedMs),
      stageTimestamp: toMicroTimestamp(clock.now()),
      ...(isAnnotated && stage !== 'RequestReceived' ? { annotations } : {}),
    };
  }
}

// kube-apiserver cuts it there too.
const userAgentCharactersMax = 1024;

/** A sink's methods bound to it: it may be a class. */
function toPlainSink(sink: BodySink): BodySink {
  return {
    write: (chunk) => sink.write(chunk),
    writeParts: (parts) => writeParts(sink, parts),
    bufferedBytes: () => sink.bufferedBytes(),
    drained: () => sink.drained(),
    end: () => sink.end(),
    fail: () => sink.fail?.(),
  };
}

function withoutManagers(value: Json): JsonObject {
  if (!isRecord(value)) return {};
  const { managedFields: _managers, ...metadata } = ownRecord(value, 'metadata');
  return 'metadata' in value ? { ...value, metadata } : value;
}

function toUser({ name, uid, groups, extra }: UserInfo): JsonObject {
  return {
    username: name,
    ...(uid === undefined || uid === '' ? {} : { uid }),
    groups,
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

const hopsMax = 16;

/** What proxies say, which anybody may say, and last whom we spoke to. */
function toSourceIps({ headers, remoteAddress }: Asked): JsonObject {
  const said = (headers['x-forwarded-for'] ?? headers['x-real-ip'] ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter((address) => /^[0-9A-Fa-f.:]{2,45}$/.test(address))
    .slice(0, hopsMax);
  const peer = remoteAddress?.replace(/^::ffff:/, '');
  const all = peer === undefined || said.at(-1) === peer ? said : [...said, peer];
  return all.length === 0 ? {} : { sourceIPs: all };
}

function toObjectRef(asked: Attributes, objects: JsonObject): JsonObject {
  const created = ownRecord(ownRecord(objects, 'responseObject'), 'metadata');
  const name = asked.name === '' ? ownText(created, 'name') : asked.name;
  const uid = ownText(created, 'uid');
  return Object.fromEntries(
    Object.entries({
      resource: asked.resource,
      namespace: asked.namespace,
      name,
      uid,
      apiGroup: asked.group,
      apiVersion: asked.version,
      subresource: asked.subresource,
    }).filter(([, value]) => value !== ''),
  );
}

function parse(bytes: Uint8Array): Json | undefined {
  if (bytes.length === 0) return undefined;
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
    return JSON.parse(text) as Json; // what JSON.parse returns
  } catch {
    return undefined; // protobuf, plain text
  }
}

function parseYaml(bytes: Uint8Array): Json | undefined {
  try {
    return parseYamlBody(Buffer.from(bytes).toString('utf8')).value;
  } catch {
    return undefined;
  }
}
