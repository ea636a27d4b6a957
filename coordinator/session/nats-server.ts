// Supervisor of the coordinator's own nats-server: writes its configuration, starts it, starts it
// again on the same port when it dies, has it read new certificates, and ends a server that an
// earlier, killed coordinator left behind. Users come and go without it: ./nats-account.ts.
//
// The child writes a log file and is a process group of its own: it outlives a killed coordinator
// (a broken pipe would end it), so that telemetry goes on until the next one takes over.

import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { MeshError } from '../../common/pure/errors.ts';
import { sleep, type Clock, type Timer } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';
import { formatAddress, type Address } from '../../common/runtime/settings.ts';
import { toNatsConfig, type NatsTrustInput } from './nats-config.ts';

export interface NatsServerOptions {
  /** Path of the program; see findNatsServer. */
  readonly binary: string;
  /** Folder of its own; holds nats.conf, nats.pid, nats.log, keys. */
  readonly dataDir: string;
  /** Port 0 is any; it stays the same for the life of this object. */
  readonly listen: Address;
  /** Host in the URL told to agents. Default: the listen host, loopback for a wildcard. */
  readonly advertiseHost?: string | undefined;
  readonly server: KeyPairPem;
  readonly caPem: string;
  /** Operator and accounts that it begins with. */
  readonly trust: NatsTrustInput;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NatsServer {
  /** Told to agents. */
  urls(): readonly string[];
  /** For the coordinator itself: what agents dial may lead through a NAT or a load balancer. */
  ownUrls(): readonly string[];
  port(): number;
  pid(): number | undefined;
  /** The account JWT that its next start begins with; a server that runs is not told here. */
  writeAccount(jwt: string): Promise<void>;
  /**
   * A new certificate, other CAs. Resolves when the server has been told, some milliseconds before
   * it uses them. Server 2.9 cuts its clients at any reload; they are back at once.
   */
  replaceCertificates(files: Pick<NatsServerOptions, 'server' | 'caPem'>): Promise<void>;
  /** Called at each unexpected end of the server. */
  onExit(listener: () => void): () => void;
  stop(): Promise<void>;
}

// A busy machine that starts many programs at once keeps a new one waiting for seconds.
const startWaitMs = 30_000;
const stopWaitMs = 2_000;
const lookMs = 10;
const restartMinMs = 50;
const restartMaxMs = 5_000;

/** nats-server on PATH or where packages put it; undefined when there is none. */
export function findNatsServer(path = process.env['PATH'] ?? ''): string | undefined {
  const folders = [...path.split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/local/bin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'nats-server'))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when it listens. Throws MeshError fatal NATS_START. */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const files = await prepareFolder(options);
  await endOrphan(options, files);
  const supervisor = new Supervisor(options, files);
  await supervisor.start();
  return supervisor;
}

interface Files {
  readonly folder: string;
  readonly config: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

async function prepareFolder({ dataDir, server, caPem }: NatsServerOptions): Promise<Files> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await chmod(dataDir, 0o700);
  const at = (name: string): string => join(dataDir, name);
  const files = {
    folder: dataDir,
    config: at('nats.conf'),
    pidFile: at('nats.pid'),
    logFile: at('nats.log'),
    certFile: at('server.crt'),
    keyFile: at('server.key'),
    caFile: at('ca.crt'),
  };
  await writeCertificates(files, { server, caPem });
  return files;
}

async function writeCertificates(
  files: Files,
  { server, caPem }: Pick<NatsServerOptions, 'server' | 'caPem'>,
): Promise<void> {
  await Promise.all([
    writePrivateFile(files.certFile, server.certPem),
    writePrivateFile(files.keyFile, server.keyPem),
    writePrivateFile(files.caFile, caPem),
  ]);
}

/** Its certificate and users are those of a past coordinator: a new server takes its port. */
async function endOrphan({ clock, log }: NatsServerOptions, files: Files): Promise<void> {
  const pid = Number((await readFile(files.pidFile, 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(pid) || pid <= 1 || !isOurServer(pid, files)) return;
  log.info('ending the nats-server of an earlier coordinator', { pid });
  await endProcess(pid, clock);
}

/** A pid is used again by the system: only a process that runs our configuration is ours. */
function isOurServer(pid: number, files: Files): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(files.config);
  } catch {
    return false; // gone, or a system without /proc: then the port tells
  }
}

async function endProcess(pid: number, clock: Clock): Promise<void> {
  signal(pid, 'SIGTERM');
  signal(pid, 'SIGCONT'); // a stopped process takes no other signal
  const killAt = clock.monotonicMs() + stopWaitMs;
  while (isAlive(pid)) {
    if (clock.monotonicMs() > killAt + stopWaitMs) return;
    if (clock.monotonicMs() > killAt) signal(pid, 'SIGKILL');
    await sleep(clock, lookMs);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A dead child that its parent has not collected yet answers too (state Z).
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).syscall === 'open';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone already
  }
}

class Supervisor implements NatsServer {
  readonly #options: NatsServerOptions;
  readonly #files: Files;
  readonly #listeners = new Set<() => void>();
  #child: ChildProcess | undefined;
  #port: number;
  #failures = 0;
  #isStopped = false;
  #restart: Timer | undefined;
  #accountJwt: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: NatsServerOptions, files: Files) {
    this.#options = options;
    this.#files = files;
    this.#port = options.listen.port;
    this.#accountJwt = options.trust.account.jwt;
  }

  urls(): readonly string[] {
    const { advertiseHost } = this.#options;
    if (advertiseHost === undefined) return this.ownUrls();
    return [`tls://${formatAddress({ host: advertiseHost, port: this.#port })}`];
  }

  ownUrls(): readonly string[] {
    const { host } = this.#options.listen;
    const isWildcard = host === '0.0.0.0' || host === '::';
    const own = { host: isWildcard ? '127.0.0.1' : host, port: this.#port };
    return [`tls://${formatAddress(own)}`];
  }

  port(): number {
    return this.#port;
  }

  pid(): number | undefined {
    return this.#child?.pid;
  }

  onExit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async writeAccount(jwt: string): Promise<void> {
    this.#accountJwt = jwt;
    await this.#writeConfig();
  }

  async replaceCertificates(files: Pick<NatsServerOptions, 'server' | 'caPem'>): Promise<void> {
    const written = this.#writing
      .catch(() => undefined)
      .then(() => writeCertificates(this.#files, files));
    this.#writing = written;
    await written;
    this.#child?.kill('SIGHUP');
  }

  async start(): Promise<void> {
    const { binary, clock, log } = this.#options;
    const { folder, config, pidFile } = this.#files;
    await removePortsFiles(folder);
    await this.#writeConfig();
    const child = spawn(binary, ['-c', config], { cwd: folder, stdio: 'ignore', detached: true });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, by) => resolve(by ?? `exit code ${code ?? 0}`));
    });
    const life: { end?: string } = {};
    void ended.then((how) => {
      life.end = how;
    });
    this.#child = child;
    const deadline = clock.monotonicMs() + startWaitMs;
    while (life.end === undefined && clock.monotonicMs() < deadline) {
      const port = await readPort(folder, child.pid);
      if (port !== undefined) {
        this.#port = port;
        log.info('nats-server runs', { pid: child.pid, port });
        void ended.then((how) => this.#onEnd(child, how));
        return;
      }
      await sleep(clock, lookMs);
    }
    child.kill('SIGKILL');
    this.#child = undefined;
    const why = life.end ?? 'it did not listen in time';
    const text = await lastLogLine(this.#files.logFile);
    await rm(pidFile, { force: true });
    throw new MeshError(
      'fatal',
      'NATS_START',
      `starting ${binary} on ${formatAddress(this.#options.listen)}: ${why}${text}`,
    );
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#restart?.cancel();
    const pid = this.#child?.pid;
    if (pid !== undefined) await endProcess(pid, this.#options.clock);
    this.#child = undefined;
  }

  #onEnd(child: ChildProcess, how: string): void {
    if (this.#child === child) this.#child = undefined;
    if (this.#isStopped) return;
    this.#options.log.warn('nats-server ended; starting it again', { how });
    for (const listener of this.#listeners) listener();
    this.#restartSoon();
  }

  #restartSoon(): void {
    const { clock, log } = this.#options;
    const delayMs = Math.min(restartMaxMs, restartMinMs * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#restart = clock.after(delayMs, () => {
      if (this.#isStopped) return;
      void this.start().then(
        () => {
          // One that dies at once again waits longer each time; one that lives for a while may not.
          clock.after(restartMaxMs, () => (this.#failures = 0));
          if (this.#isStopped) void this.stop();
        },
        (error: unknown) => {
          log.error('nats-server cannot be started', { error });
          if (!this.#isStopped) this.#restartSoon();
        },
      );
    });
  }

  /** One at a time, as are certificates: a start and changes may meet. */
  #writeConfig(): Promise<void> {
    this.#writing = this.#writing.catch(() => undefined).then(() => this.#writeConfigNow());
    return this.#writing;
  }

  async #writeConfigNow(): Promise<void> {
    const { trust, listen } = this.#options;
    const text = toNatsConfig({
      ...this.#files,
      ...trust,
      account: { ...trust.account, jwt: this.#accountJwt },
      host: listen.host,
      port: this.#port === 0 ? -1 : this.#port,
      portsDir: this.#files.folder,
    });
    await writePrivateFile(this.#files.config, text); // the server may read it at any moment
  }
}

async function removePortsFiles(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ports'));
  await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

/** The server writes `<program>_<pid>.ports` once it listens. */
async function readPort(folder: string, pid: number | undefined): Promise<number | undefined> {
  const name = (await readdir(folder)).find((file) => file.endsWith(`_${pid ?? 0}.ports`));
  if (name === undefined) return undefined;
  try {
    const { nats = [] } = JSON.parse(await readFile(join(folder, name), 'utf8')) as {
      readonly nats?: readonly string[];
    };
    const port = Number(/:(\d+)$/.exec(nats[0] ?? '')?.[1]);
    return Number.isInteger(port) ? port : undefined;
  } catch {
    return undefined; // half written
  }
}

async function lastLogLine(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const last = text.trim().split('\n').at(-1) ?? '';
  return last === '' ? '' : ` (${last})`;
}
