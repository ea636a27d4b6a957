// Asks one server one step, and says what it answered: nothing is judged here.
//
// Next file to read: normalise.ts.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request as httpsRequest, type Agent } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Headers, HttpStep, KubectlStep, Step, WatchStep } from './step.ts';

/** A server under comparison, as its administrator reaches it. */
export interface Subject {
  readonly name: string;
  readonly url: string;
  readonly caPem: string;
  /** Carries the administrator's certificate. */
  readonly agent: Agent;
  /** Carries none. */
  readonly bareAgent: Agent;
  /** A bearer token of a user in system:masters. */
  readonly token: string;
  /** A kubeconfig of the administrator, as text. */
  kubeconfig(namespace: string): string;
}

/** What the steps of one area share on one server. */
export interface Session {
  readonly subject: Subject;
  readonly values: Map<string, string>;
  /** With a kubeconfig and a cache of its own. */
  readonly kubectl?: { readonly path: string; readonly folder: string };
}

export interface HttpAnswer {
  readonly kind: 'http';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface WatchAnswer {
  readonly kind: 'watch';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly lines: readonly string[];
}

export interface KubectlAnswer {
  readonly kind: 'kubectl';
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Answer = HttpAnswer | WatchAnswer | KubectlAnswer;

const requestMs = 20_000;
const watchMs = 6_000;
const kubectlMs = 30_000;
// 20 seconds: controllers of a machine under load take their time.
const untilTries = 400;
const untilPauseMs = 50;

export async function perform(step: Step, session: Session): Promise<Answer> {
  switch (step.kind) {
    case 'http':
      return performHttp(step, session);
    case 'watch':
      return performWatch(step, session);
    case 'kubectl':
      return performKubectl(step, session);
  }
}

async function performHttp(step: HttpStep, session: Session): Promise<HttpAnswer> {
  let answer = await ask(step, session);
  for (let tries = 0; step.until !== undefined && answer.status !== step.until; tries += 1) {
    if (tries === untilTries) break;
    await new Promise((resolve) => setTimeout(resolve, untilPauseMs));
    answer = await ask(step, session);
  }
  for (const [name, path] of Object.entries(step.save)) {
    session.values.set(name, readPath(answer.body, path));
  }
  return answer;
}

async function ask(step: HttpStep, session: Session): Promise<HttpAnswer> {
  const response = await open(step, session);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('utf8');
  return { kind: 'http', status: response.statusCode ?? 0, headers: headersOf(response), body };
}

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body?: unknown;
  readonly isBare?: boolean;
}

function open(asked: Asked, session: Session): Promise<IncomingMessage> {
  const { url, caPem } = session.subject;
  const agent = asked.isBare === true ? session.subject.bareAgent : session.subject.agent;
  const path = fill(asked.path, session);
  const body = toBody(asked.body, session);
  const headers: Record<string, string> = {
    'user-agent': 'differential/1',
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(body.length) }),
  };
  for (const [name, value] of Object.entries(asked.headers)) headers[name] = fill(value, session);
  return new Promise((resolve, reject) => {
    const call = httpsRequest(
      `${url}${path.startsWith('/') ? path : fill(`/api/v1/namespaces/{ns}/${path}`, session)}`,
      { method: asked.method ?? 'GET', headers: withoutEmpty(headers), ca: caPem, agent },
      resolve,
    );
    call.setTimeout(requestMs, () => call.destroy(new Error(`no answer to ${asked.path}`)));
    call.on('error', reject);
    call.end(body);
  });
}

/** A header that a step sets to '' is not sent. */
function withoutEmpty(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''));
}

function toBody(body: unknown, session: Session): Buffer | undefined {
  if (body === undefined) return undefined;
  if (body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(fill(typeof body === 'string' ? body : JSON.stringify(body), session));
}

/** Puts saved values in the places of their names. A name that nobody saved stays as it is. */
function fill(text: string, session: Session): string {
  return text.replace(/\{([a-zA-Z]+)\}/g, (whole, name: string) => {
    return session.values.get(name) ?? whole;
  });
}

function headersOf(response: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(response.headersDistinct).map(([name, values]) => [
      name,
      (values ?? []).join('\n'),
    ]),
  );
}

function readPath(body: string, path: readonly (string | number)[]): string {
  try {
    let at: unknown = JSON.parse(body);
    for (const key of path) at = (at as Record<string | number, unknown> | undefined)?.[key];
    return typeof at === 'string' ? at : JSON.stringify(at ?? '');
  } catch {
    return '';
  }
}

async function performWatch(step: WatchStep, session: Session): Promise<WatchAnswer> {
  const response = await open(step, session);
  const collected = collectLines(response, step.events);
  for (const write of step.writes) await performHttp(write, session);
  const lines = await collected;
  const status = response.statusCode ?? 0;
  return { kind: 'watch', status, headers: headersOf(response), lines };
}

/** Lines until there are enough, the server ends the stream, or the time is up. */
function collectLines(response: IncomingMessage, enough: number): Promise<readonly string[]> {
  return new Promise((resolve) => {
    let text = '';
    const timer = setTimeout(() => end(), watchMs);
    const end = (): void => {
      clearTimeout(timer);
      resolve(text.split('\n').filter((line) => line.trim() !== ''));
      response.destroy();
    };
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.split('\n').length > enough) end();
    });
    response.on('end', end);
    response.on('error', end);
  });
}

async function performKubectl(step: KubectlStep, session: Session): Promise<KubectlAnswer> {
  const { kubectl } = session;
  if (kubectl === undefined) throw new Error(`${step.title}: this area has no kubectl`);
  for (const [name, text] of Object.entries(step.files)) {
    writeFileSync(join(kubectl.folder, name), fill(text, session), { mode: 0o700 });
  }
  const env = {
    PATH: process.env['PATH'],
    HOME: kubectl.folder,
    KUBECONFIG: join(kubectl.folder, 'kubeconfig'),
    LANG: 'C',
    ...step.env,
  };
  return new Promise((resolve) => {
    const child = execFile(
      kubectl.path,
      step.args.map((arg) => fill(arg, session)),
      { cwd: kubectl.folder, env, timeout: kubectlMs, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ kind: 'kubectl', code, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => undefined); // it did not want the input
    child.stdin?.end(step.input === undefined ? '' : fill(step.input, session));
  });
}
