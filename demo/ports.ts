// Which ports the demo takes: the documented ones, or free ones outside the range from which the
// system draws the ports of outgoing connections. In that range a client that dials a dead
// server's port may be given that very port, and then nobody can listen there again. Those that are
// drawn are claimed until this process ends: another demo, a member's etcd, a test draws too.

import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Chance } from '../common/runtime/chance.ts';
import type { PortWish } from './clusters.ts';
import { claimPort, giveBack } from './port-claims.ts';

const host = '127.0.0.1';
const anyPortMin = 20_000;
const anyPortMax = 31_999; // Linux draws from 32768 up, macOS from 49152 up

/** The ports by name; throws an Error that says which is in use and by whom. */
export async function takePorts(
  wishes: readonly PortWish[],
  options: {
    readonly isAnyPort: boolean;
    readonly chance: Chance;
    /** Ports of the last run, kept where they are still free. */
    readonly earlier: Readonly<Record<string, number>>;
  },
): Promise<ReadonlyMap<string, number>> {
  const taken = new Map<string, number>();
  const faults: string[] = [];
  let next = anyPortMin + Math.floor(options.chance.fraction() * (anyPortMax - anyPortMin));
  for (const wish of wishes) {
    if (!options.isAnyPort) {
      if (!(await isFree(wish.port, wish.isUdpToo))) faults.push(toFault(wish));
      taken.set(wish.name, wish.port);
      continue;
    }
    const earlier = options.earlier[wish.name];
    if (earlier !== undefined && (await isOurs(earlier, wish.isUdpToo))) {
      taken.set(wish.name, earlier);
      continue;
    }
    for (let step = 0; step <= anyPortMax - anyPortMin; step += 1) {
      const port = next;
      next = next >= anyPortMax ? anyPortMin : next + 1;
      if (!(await isOurs(port, wish.isUdpToo))) continue;
      taken.set(wish.name, port);
      break;
    }
    if (!taken.has(wish.name)) faults.push(`no free port for ${wish.what}`);
  }
  if (faults.length > 0) throw new Error(`${faults.join('\n')}\nFree it, or run with --any-port.`);
  return taken;
}

/** A base such that 127.<base>.0.1 and those of the following clusters are unused at `port`. */
export async function takeLoadBalancerBase(options: {
  readonly preferred: number;
  readonly isAnyPort: boolean;
  readonly clusters: number;
  readonly port: number;
  readonly chance: Chance;
}): Promise<number> {
  const { preferred, isAnyPort, clusters, port, chance } = options;
  if (!isAnyPort) return preferred;
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const base = 20 + Math.floor(chance.fraction() * (250 - 20 - clusters));
    const addresses = Array.from({ length: clusters }, (_, index) => `127.${base + index}.0.1`);
    const uses = await Promise.all(addresses.map((address) => canListen(port, address)));
    if (uses.every((use) => use !== 'EADDRINUSE')) return base;
  }
  return preferred;
}

/** Claimed before it is tried: of two that draw it at once one gets it. */
async function isOurs(port: number, isUdpToo: boolean): Promise<boolean> {
  if (!claimPort(port)) return false;
  if (await isFree(port, isUdpToo)) return true;
  giveBack(port);
  return false;
}

async function isFree(port: number, isUdpToo: boolean): Promise<boolean> {
  if ((await canListen(port, host)) !== undefined) return false;
  return !isUdpToo || (await canBindUdp(port));
}

/** Undefined when it can, else the system's error code. */
export function canListen(port: number, address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'));
    server.listen({ host: address, port, exclusive: true }, () => {
      server.close(() => resolve(undefined));
    });
  });
}

function canBindUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

function toFault({ what, port }: PortWish): string {
  const owner = findListener(port);
  const who = owner === undefined ? 'another program' : `${owner.name} (pid ${owner.pid})`;
  return `port ${port} for ${what} is in use by ${who}`;
}

/** Linux only, and only for processes that we may look at. */
function findListener(port: number): { readonly pid: number; readonly name: string } | undefined {
  try {
    const inodes = new Set(
      ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) => inodesAt(table, port)),
    );
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (socketsOf(pid).some((inode) => inodes.has(inode))) {
        return { pid: Number(pid), name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() };
      }
    }
  } catch {
    // No /proc here: the message names no owner.
  }
  return undefined;
}

const listenState = '0A';
const udpState = '07';

function inodesAt(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync(`/proc/net/${table}`, 'utf8').split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local, , state]) =>
        local?.endsWith(suffix) === true && (state === listenState || state === udpState),
    )
    .flatMap((fields) => fields[9] ?? []);
}

function socketsOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // gone, or another user's
  }
}
