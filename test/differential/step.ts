// The words in which the differential cases are written: steps that both servers are asked, in
// order. Data alone; perform.ts runs them.
//
// `{name}` in a path, a body, a header or an argument is a value that an earlier step saved, or one
// of `{ns}`, the area's own namespace, and `{kubectl}`, the version of the kubectl that runs.
//
// Next file to read: perform.ts.

export type Headers = Readonly<Record<string, string>>;

export interface HttpStep {
  readonly kind: 'http';
  /** Unique in its area; carries the checklist numbers. */
  readonly title: string;
  readonly method: string;
  /** Absolute, or what follows `/api/v1/namespaces/{ns}/`. */
  readonly path: string;
  readonly headers: Headers;
  /** An object is sent as JSON. */
  readonly body?: unknown;
  /** Values of the answer for later steps: name to path in the body. */
  readonly save: Readonly<Record<string, readonly (string | number)[]>>;
  /** What of the body is compared, where the servers serve more than one another. */
  readonly pick?: (body: unknown) => unknown;
  /** Asks again, within bounds, until this status: for what a controller does later. */
  readonly until?: number;
  /** Not compared: it prepares what follows. */
  readonly isSetup: boolean;
  /** Without the administrator's certificate. */
  readonly isBare: boolean;
}

export interface WatchStep {
  readonly kind: 'watch';
  readonly title: string;
  readonly path: string;
  readonly headers: Headers;
  /** Sent one after another once the watch is open. */
  readonly writes: readonly HttpStep[];
  /** The watch is left after so many events; it may end before by itself. */
  readonly events: number;
}

export interface KubectlStep {
  readonly kind: 'kubectl';
  readonly title: string;
  readonly args: readonly string[];
  /** Files in the folder in which kubectl runs. */
  readonly files: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly env: Readonly<Record<string, string>>;
  /** First and last minor of kubectl that has the command, or answers in this way. */
  readonly minors: readonly [number, number];
  /** What of the output is compared. */
  readonly pick?: (text: string) => string;
  readonly isSetup: boolean;
}

export type Step = HttpStep | WatchStep | KubectlStep;

/** Steps in a namespace of their own, which is there before the first. */
export interface Area {
  readonly name: string;
  readonly steps: readonly Step[];
}

export type HttpOptions = Partial<Omit<HttpStep, 'kind' | 'title' | 'method' | 'path' | 'body'>>;

function http(
  method: string,
  [title, path, body]: readonly [string, string, unknown?],
  options: HttpOptions = {},
): HttpStep {
  return {
    kind: 'http',
    title,
    method,
    path,
    headers: {},
    save: {},
    isSetup: false,
    isBare: false,
    ...(body === undefined ? {} : { body }),
    ...options,
  };
}

export const get = (title: string, path: string, options?: HttpOptions): HttpStep =>
  http('GET', [title, path], options);

export const post = (title: string, path: string, body: unknown, options?: HttpOptions): HttpStep =>
  http('POST', [title, path, body], options);

export const put = (title: string, path: string, body: unknown, options?: HttpOptions): HttpStep =>
  http('PUT', [title, path, body], options);

export const del = (title: string, path: string, body?: unknown, options?: HttpOptions): HttpStep =>
  http('DELETE', [title, path, body], options);

/** Any method, and no body. */
export const send = (
  method: string,
  title: string,
  path: string,
  options?: HttpOptions,
): HttpStep => http(method, [title, path], options);

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export function patch(
  type: keyof typeof patchTypes,
  title: string,
  path: string,
  body: unknown,
  options: HttpOptions = {},
): HttpStep {
  const headers = { 'content-type': patchTypes[type], ...options.headers };
  return http('PATCH', [title, path, body], { ...options, headers });
}

/** A step that only prepares: its answer is not compared, but must be a success on both. */
export function setup(step: HttpStep): HttpStep;
export function setup(step: KubectlStep): KubectlStep;
export function setup(step: HttpStep | KubectlStep): HttpStep | KubectlStep {
  return { ...step, isSetup: true };
}

export function watch(
  title: string,
  path: string,
  options: Partial<Pick<WatchStep, 'headers' | 'writes' | 'events'>> = {},
): WatchStep {
  return { kind: 'watch', title, path, headers: {}, writes: [], events: 1, ...options };
}

export type KubectlOptions = Partial<Omit<KubectlStep, 'kind' | 'title' | 'args'>>;

/** `line` is split at blanks; `{ns}` is kubectl's default namespace anyway. */
export function kubectl(
  title: string,
  line: string | readonly string[],
  options: KubectlOptions = {},
): KubectlStep {
  const args = typeof line === 'string' ? line.split(' ') : line;
  return {
    kind: 'kubectl',
    title,
    args,
    files: {},
    env: {},
    minors: [27, 99],
    isSetup: false,
    ...options,
  };
}
