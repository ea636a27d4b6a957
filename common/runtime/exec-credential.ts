// Users of a kubeconfig that a program speaks for: client.authentication.k8s.io, as client-go's
// exec plugin does it. The program prints an ExecCredential; it is kept until it expires or the
// server refuses it.
//
//   X1. One program at a time, with a deadline; what it prints is bounded.
//   X3. The deadline is an answer, whatever the program has started: one that it left behind may hold
//       its output open for ever. It is a process group of its own, and ends as one.
//   X4. What it says when it fails is told to people; what looks like a secret in it is not.
//   X2. A credential that was refused (401) is not shown again: the next request asks the program.

import { spawn, type ChildProcess } from 'node:child_process';
import { MeshError } from '../pure/errors.ts';
import type { ExecEntry } from '../pure/kubeconfig-choice.ts';
import { parseTimestamp, type Clock, type Timer } from './clock.ts';
import type { ClientIdentity } from './kube-http-exchange.ts';

export interface IdentitySource {
  /** Throws MeshError KUBE_CREDENTIALS. */
  current(): Promise<ClientIdentity>;
  /** The server did not take it. */
  refuse(): void;
}

export interface ExecSettings {
  readonly entry: ExecEntry;
  /** What the program is told of the cluster when it asks for it. */
  readonly cluster: {
    readonly server: string;
    readonly caPem: string | undefined;
    readonly serverName: string | undefined;
    readonly skipTlsVerify: boolean;
    readonly config: unknown;
  };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A person sits at the terminal: the program may ask him. */
  readonly isInteractive: boolean;
  readonly clock: Clock;
}

// A cloud's token takes a second or two; a person who logs in takes longer.
const deadlineMs = 20_000;
const interactiveDeadlineMs = 300_000;
const outputBytesMax = 1 << 20;
const errorCharactersMax = 512;
/** A token that ends while a request is under way helps nobody. */
const earlyMs = 10_000;

export function createExecSource(settings: ExecSettings): IdentitySource {
  let known: { readonly identity: ClientIdentity; readonly untilMs: number } | undefined;
  let running: Promise<ClientIdentity> | undefined;
  const ask = async (): Promise<ClientIdentity> => {
    const { identity, untilMs } = parseCredential(await run(settings), settings.entry);
    known = { identity, untilMs };
    return identity;
  };
  return {
    current: () => {
      if (known !== undefined && settings.clock.now() < known.untilMs - earlyMs) {
        return Promise.resolve(known.identity);
      }
      running ??= ask().finally(() => (running = undefined)); // X1
      return running;
    },
    refuse: () => (known = undefined), // X2
  };
}

async function run(settings: ExecSettings): Promise<string> {
  const { entry, env, isInteractive, clock } = settings;
  const command = entry.command ?? '';
  if (command === '') throw failed('exec.command is empty');
  if (entry.interactiveMode === 'Always' && !isInteractive) {
    throw failed(`exec command "${command}" wants a person at a terminal (interactiveMode Always)`);
  }
  const own = Object.fromEntries((entry.env ?? []).map(({ name, value }) => [name, value]));
  const stdin = isInteractive && entry.interactiveMode !== 'Never' ? 'inherit' : 'ignore';
  const child = spawn(command, [...(entry.args ?? [])], {
    env: { ...env, ...own, KUBERNETES_EXEC_INFO: toInfo(settings, stdin === 'inherit') },
    stdio: [stdin, 'pipe', isInteractive ? 'inherit' : 'pipe'],
    detached: !isInteractive, // X3; a person's terminal is for its own group only
  });
  const limitMs = isInteractive ? interactiveDeadlineMs : deadlineMs;
  const { output, errors, how } = await collect(child, (late) => clock.after(limitMs, late));
  if (how === undefined) return output;
  const hint = entry.installHint === undefined ? '' : ` ${entry.installHint.trim()}`;
  throw failed(`exec command "${command}": ${how}${withoutSecrets(errors, entry)}.${hint}`);
}

/** X4: values that the kubeconfig gives it in its environment, and tokens. */
function withoutSecrets(text: string, { env = [] }: ExecEntry): string {
  const given = (env ?? []).map(({ value }) => value).filter((value) => value.length >= secretMin);
  const shown = given.reduce((left, value) => left.replaceAll(value, '***'), text);
  return shown.replaceAll(/\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?|\b[\w+=-]{40,}/g, '***');
}

// Shorter values choose things, such as a region.
const secretMin = 16;

/** client.authentication.k8s.io ExecCredential, the program's input. */
function toInfo({ entry, cluster }: ExecSettings, interactive: boolean): string {
  const { server, caPem, serverName, skipTlsVerify, config } = cluster;
  const told = {
    server,
    ...(caPem === undefined
      ? {}
      : { 'certificate-authority-data': Buffer.from(caPem).toString('base64') }),
    ...(serverName === undefined ? {} : { 'tls-server-name': serverName }),
    ...(skipTlsVerify ? { 'insecure-skip-tls-verify': true } : {}),
    ...(config === undefined ? {} : { config }),
  };
  return JSON.stringify({
    apiVersion: entry.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive, ...(entry.provideClusterInfo === true ? { cluster: told } : {}) },
  });
}

interface Ended {
  readonly output: string;
  /** `: ` and the last of what it said on stderr. */
  readonly errors: string;
  /** Undefined when it ended well. */
  readonly how: string | undefined;
}

function collect(child: ChildProcess, atDeadline: (late: () => void) => Timer): Promise<Ended> {
  return new Promise((resolve) => {
    let output = '';
    let errors = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > outputBytesMax) kill(child);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-errorCharactersMax);
    });
    const end = (how: string | undefined): void => {
      timer.cancel();
      const said = errors.trim();
      resolve({ output, errors: said === '' ? '' : `: ${said}`, how });
    };
    const timer = atDeadline(() => {
      kill(child);
      child.stdout?.destroy();
      child.stderr?.destroy();
      end('it did not end in time');
    });
    child.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ENOENT' ? 'it is not installed here, or not on PATH' : error.message),
    );
    child.once('close', (code, signal) => {
      if (code === 0) end(undefined);
      else end(signal === null ? `it ended with exit code ${code ?? 0}` : `it ended by ${signal}`);
    });
  });
}

/** With what it has started, where it is a group of its own. */
function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

function parseCredential(
  text: string,
  { command = '' }: ExecEntry,
): { readonly identity: ClientIdentity; readonly untilMs: number } {
  const status = readStatus(text);
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = status ?? {};
  const hasCertificate =
    typeof clientCertificateData === 'string' && typeof clientKeyData === 'string';
  if (typeof token !== 'string' && !hasCertificate) {
    throw failed(`exec command "${command}" printed no ExecCredential with a token or certificate`);
  }
  const until = typeof expirationTimestamp === 'string' ? expirationTimestamp : undefined;
  return {
    identity: {
      ...(typeof token === 'string' ? { token } : {}),
      ...(hasCertificate ? { certPem: clientCertificateData, keyPem: clientKeyData } : {}),
    },
    untilMs: parseTimestamp(until) ?? Infinity,
  };
}

function readStatus(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const { kind, status } = JSON.parse(text) as { kind?: unknown; status?: unknown }; // narrowed
    if (kind !== 'ExecCredential' || typeof status !== 'object' || status === null)
      return undefined;
    return status as Readonly<Record<string, unknown>>; // an object, read field by field
  } catch {
    return undefined; // what it printed may be a secret: it is quoted nowhere
  }
}

function failed(message: string): MeshError {
  return new MeshError('retryable', 'KUBE_CREDENTIALS', message);
}
