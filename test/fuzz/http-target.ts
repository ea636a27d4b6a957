// Whole exchanges with the API: sequences of requests over all kinds, hostile ones among legal ones.
//
//   H1. No answer is an internal fault; a 5xx is one that kube-apiserver gives, too.
//   H2. Each answer is well-formed: a Status with its code, an object with its kind, a stream of events.
//   H3. What is stored is read again, and taken again as it is, without a new revision.
//   H4. Revisions only rise. No request takes more than a bound of processor time, none hangs.

import fc from 'fast-check';
import { parse as parseYaml } from 'yaml';
import { systemClock } from '../../common/runtime/clock.ts';
import type { ApiResponse, StreamBody } from '../../coordinator/api/machinery/api.ts';
import { readWholeBody } from '../../coordinator/api/machinery/answer/whole-body.ts';
import { isRecord } from '../../coordinator/api/machinery/schema/json-value.ts';
import { admin } from '../support/api-fixture.ts';
import { kinds } from '../support/api-service.ts';
import { exchanges, namespaces, pathOf, toSent, type Exchange, type Sent } from './exchange.ts';
import { createFuzzWorld, type FuzzWorld } from './fuzz-world.ts';
import { checkCpu, checkPrototypes, law, type FuzzTarget } from './target.ts';

let shared: Promise<FuzzWorld> | undefined;

/** One world for all cases, made when the first one runs; each case leaves it as it was. */
function world(): Promise<FuzzWorld> {
  shared ??= createFuzzWorld();
  return shared;
}

export const httpTarget: FuzzTarget = {
  name: 'http',
  laws: [
    law(
      'H1 to H4 over sequences of requests',
      fc.asyncProperty(exchanges(25), async (steps) => runCase(await world(), steps)),
    ),
  ],
};

export async function runCase(on: FuzzWorld, steps: readonly Exchange[]): Promise<void> {
  try {
    for (const step of steps) {
      const before = on.desired.revision();
      await ask(on, toSent(step));
      if (on.desired.revision() < before) throw new Error('H4: the revision fell');
    }
    await checkStored(on);
  } finally {
    await on.wipe();
    on.takeErrors();
  }
}

interface Got {
  readonly status: number;
  readonly text: string;
  readonly json: unknown;
}

// The world's clock ends every deadline of a request in milliseconds.
const hangMs = 20_000;

async function ask(on: FuzzWorld, sent: Sent): Promise<Got> {
  const abort = new AbortController();
  const before = process.cpuUsage();
  const response = await within(
    on.api.handle({ ...sent, user: admin, signal: abort.signal }),
    () => `${sent.method} ${sent.target} hangs`,
  );
  checkCpu(before);
  const isStream = !(response.body instanceof Uint8Array) && response.body.isList !== true;
  const text = isStream
    ? await readEvents(response.body as StreamBody, abort)
    : Buffer.from(await within(readWholeBody(response), () => 'a list hangs')).toString('utf8');
  checkPrototypes();
  const errors = on.takeErrors();
  const at = `${sent.method} ${sent.target}: ${response.status} ${text.slice(0, 400)}`;
  if (errors.length > 0) throw new Error(`H1: ${at}\n${errors.join('\n')}`);
  const json = isStream ? undefined : checkAnswer(response, text, at);
  return { status: response.status, text, json };
}

function within<T>(promise: Promise<T>, what: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.after(hangMs, () => reject(new Error(`H4: ${what()}`)));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** A watch, for a few turns of the event loop. */
async function readEvents(body: StreamBody, abort: AbortController): Promise<string> {
  const chunks: Uint8Array[] = [];
  body.start({
    write: (chunk) => void chunks.push(chunk),
    bufferedBytes: () => 0,
    drained: () => Promise.resolve(),
    end: () => undefined,
  });
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
  abort.abort();
  return Buffer.concat(chunks).toString('utf8');
}

const declaredFaults: readonly RegExp[] = [
  /^resourceVersion should not be set on objects to be created$/,
  /^strconv\.Parse(Uint|Int): /,
  /^resourceVersion: Invalid value: /,
  /^failed to create typed patch object /,
  /^failed to convert new object /,
  /^Internal error occurred: failed to allocate /,
  /^duplicate nodePort: /,
  /^Timeout: Too large resource version: /,
  /^map: .* does not contain declared merge key: /s,
  /^unknown patch type: /,
  /^list element types are not identical: /,
  /^cannot merge lists without merge key for /,
  /^merging lists cannot yet be specified in the patch$/,
  /^value for key \d+ is not a map$/,
  /^expected a .*, but received a /,
  /^The order in patch list:/,
  /^unsupported role reference kind: /,
];

const codes: ReadonlySet<number> = new Set(
  '200 201 202 301 304 400 401 403 404 405 406 409 410 413 415 422 429'.split(' ').map(Number),
);

function checkAnswer(response: ApiResponse, text: string, at: string): unknown {
  const { status, headers } = response;
  if (status === 301 || status === 304) return undefined;
  const type = String(headers['content-type'] ?? '');
  if (type.includes('yaml')) return checkJson(status, parseYaml(text) as unknown, at);
  if (!type.includes('json')) return checkPlain(status, text, at);
  return checkJson(status, JSON.parse(text) as unknown, at);
}

/** Plain text, of paths that are no resources. */
function checkPlain(status: number, text: string, at: string): undefined {
  const isFault = status >= 500 && !text.startsWith('Internal Server Error: ');
  if (isFault || (status < 500 && !codes.has(status))) throw new Error(`H1: ${at}`);
  return undefined;
}

function checkJson(status: number, json: unknown, at: string): unknown {
  if (!isRecord(json)) throw new Error(`H2: no object: ${at}`);
  const { kind, code, message } = json;
  if (status >= 500) {
    const isDeclared = declaredFaults.some((each) => each.test(String(message)));
    if (!isDeclared) throw new Error(`H1: ${at}`);
  } else if (!codes.has(status)) throw new Error(`H1: ${at}`);
  if (status >= 400 && (kind !== 'Status' || code !== status || json['status'] !== 'Failure')) {
    throw new Error(`H2: no Status: ${at}`);
  }
  return json;
}

/** H3, of every kind that can be listed and replaced. */
async function checkStored(on: FuzzWorld): Promise<void> {
  for (const kind of kinds) {
    if (kind.storage !== 'logged' || !kind.verbs.includes('update')) continue;
    const isAll = kind.isNamespaced ? namespaces : [''];
    for (const namespace of isAll) {
      for (const name of namesIn(on, kind.group, kind.plural, namespace)) {
        await checkPutBack(on, pathOf(kind, namespace, name));
      }
    }
  }
}

function namesIn(
  on: FuzzWorld,
  group: string,
  plural: string,
  namespace: string,
): readonly string[] {
  const kind = kinds.find((each) => each.group === group && each.plural === plural);
  // The roles that the server makes itself are as they were.
  if (kind?.group === 'rbac.authorization.k8s.io' && !kind.isNamespaced) return ['a', 'b', 'c'];
  const found: string[] = [];
  const stored = kind?.storedAs ?? { group, plural };
  for (const { object } of on.desired.list('')) {
    const { metadata } = object;
    const isOf = object.kind === kind?.kind && (metadata.namespace ?? '') === namespace;
    if (isOf && stored !== undefined) found.push(metadata.name);
  }
  return found;
}

async function checkPutBack(on: FuzzWorld, target: string): Promise<void> {
  const json = { 'content-type': 'application/json' };
  const path = target
    .split('/')
    .map((part) => encodeURIComponent(decodeURIComponent(part)))
    .join('/');
  const got = await ask(on, { method: 'GET', target: path, headers: {}, body: Buffer.alloc(0) });
  if (got.status === 404) return; // collected meanwhile, or a default role's name
  if (got.status !== 200) throw new Error(`H3: GET ${path}: ${got.status} ${got.text}`);
  const put = await ask(on, {
    method: 'PUT',
    target: path,
    headers: json,
    body: Buffer.from(got.text),
  });
  const isRaced = put.status === 409 || put.status === 404;
  if (isRaced) return; // a collector wrote between the two
  if (put.status !== 200 || toVersion(put.json) !== toVersion(got.json)) {
    throw new Error(`H3: PUT back ${path}: ${put.status} ${put.text}\nof ${got.text}`);
  }
}

function toVersion(json: unknown): unknown {
  const metadata = isRecord(json) ? json['metadata'] : undefined;
  return isRecord(metadata) ? metadata['resourceVersion'] : undefined;
}

export async function closeHttpWorld(): Promise<void> {
  const open = shared;
  shared = undefined;
  await (await open)?.close();
}
