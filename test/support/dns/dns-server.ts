// A real authoritative server of a test, on a free port of the loopback, with a folder of its own.
// It has many small zones that are alike, so that each test has one for itself; two keys: ours,
// which may write the types that we write, and `other`, a person's, which may write all.

import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemChance } from '../../../common/runtime/chance.ts';
import { takeTestPort } from '../test-ports.ts';
import { systemClock } from '../../../common/runtime/clock.ts';
import { silentLog } from '../../../common/runtime/log.ts';
import type { DnsProvider } from '../../../coordinator/dns/provider/provider.ts';
import { openRfc2136, type Rfc2136Options } from '../../../coordinator/dns/provider/rfc2136.ts';
import { eventually } from '../eventually.ts';
import { startServerProcess, type ServerProcess } from '../server-process.ts';

export interface DnsKey {
  readonly name: string;
  readonly secret: Uint8Array;
}

export interface ServerSetup {
  readonly folder: string;
  readonly port: number;
  readonly zones: readonly string[];
  readonly ours: DnsKey;
  readonly other: DnsKey;
}

export interface DnsServerKind {
  readonly name: string;
  /** Programs and files that must be there. */
  readonly needs: readonly string[];
  /** Two writers at once are one too many, also of different zones. */
  readonly isSerial?: true;
  /** Writes the configuration; answers how to start it. */
  prepare(setup: ServerSetup): { readonly path: string; readonly flags: readonly string[] };
}

export interface DnsServer extends ServerSetup {
  readonly kind: DnsServerKind;
  logs(): string;
  /** kill -9. */
  kill(): Promise<void>;
  /** Again, on the same folder and port. */
  start(): Promise<void>;
  /** A zone that no test has had. */
  takeZone(): string;
  dispose(): Promise<void>;
}

/** What of it is missing here, or undefined. */
export function missingOf(kind: DnsServerKind): string | undefined {
  return [...kind.needs, '/usr/bin/nsupdate'].find((path) => !existsSync(path));
}

const readyMs = 20_000;
const startTries = 3;

export async function openDnsServer(kind: DnsServerKind, zoneCount: number): Promise<DnsServer> {
  const zones = Array.from({ length: zoneCount }, (_, index) => `z${index}.example.test`);
  for (let attempt = 1; ; attempt += 1) {
    const setup: ServerSetup = {
      folder: mkdtempSync(join(tmpdir(), `isthmus-${kind.name}-`)),
      port: await takeTestPort(),
      zones,
      ours: keyNamed('fedkey'),
      other: keyNamed('person'),
    };
    const server = new RunningServer(kind, setup);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.dispose();
      // Another program may have taken the port meanwhile.
      if (attempt >= startTries) throw error;
    }
  }
}

class RunningServer implements DnsServer {
  readonly kind: DnsServerKind;
  readonly folder: string;
  readonly port: number;
  readonly zones: readonly string[];
  readonly ours: DnsKey;
  readonly other: DnsKey;
  readonly #command: { readonly path: string; readonly flags: readonly string[] };
  #process: ServerProcess | undefined;
  #taken = 0;

  constructor(kind: DnsServerKind, setup: ServerSetup) {
    this.kind = kind;
    this.folder = setup.folder;
    this.port = setup.port;
    this.zones = setup.zones;
    this.ours = setup.ours;
    this.other = setup.other;
    this.#command = kind.prepare(setup);
  }

  logs(): string {
    return this.#process?.logs() ?? '';
  }

  async start(): Promise<void> {
    const { kind } = this;
    const started = startServerProcess({ name: kind.name, ...this.#command });
    this.#process = started;
    const last = this.zones.at(-1) ?? '';
    const provider = openAt(this, { zone: last, key: this.other });
    try {
      const ready = eventually(readyMs, async () => {
        await provider.describe({ timeoutMs: 2_000 });
        return [];
      });
      await Promise.race([ready, started.ended]);
    } catch (error) {
      throw new Error(`${kind.name} did not start: ${started.logs()}`, { cause: error });
    } finally {
      await provider.close();
    }
  }

  async kill(): Promise<void> {
    if (this.#process?.pid !== undefined) process.kill(this.#process.pid, 'SIGKILL');
    await this.#process?.stop();
    this.#process = undefined;
  }

  takeZone(): string {
    const zone = this.zones[this.#taken];
    if (zone === undefined) throw new Error(`all ${this.#taken} zones are taken`);
    this.#taken += 1;
    return zone;
  }

  async dispose(): Promise<void> {
    await this.#process?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Our provider at this server, straight or by another port. */
export function openAt(
  server: Pick<ServerSetup, 'port'>,
  options: {
    readonly zone: string;
    readonly key: DnsKey;
  } & Partial<Pick<Rfc2136Options, 'clock' | 'server'>>,
): DnsProvider {
  const { zone, key } = options;
  return openRfc2136({
    server: options.server ?? { host: '127.0.0.1', port: server.port },
    zone,
    key: { ...key, algorithm: 'hmac-sha256' },
    clock: options.clock ?? systemClock,
    chance: systemChance,
    log: silentLog,
  });
}

/** Base64, as configuration files have it. */
export function secretText({ secret }: DnsKey): string {
  return Buffer.from(secret).toString('base64');
}

/** Of a test's own zone: nobody's secret. */
function keyNamed(name: string): DnsKey {
  return { name, secret: createHash('sha256').update(name).digest() };
}

export function zoneFile(zone: string): string {
  return [
    `$ORIGIN ${zone}.`,
    '$TTL 300',
    `@ SOA ns1.${zone}. hostmaster.${zone}. 1 3600 600 86400 60`,
    `@ NS ns1.example.net.`,
    `@ NS ns2.example.net.`,
    '',
  ].join('\n');
}
