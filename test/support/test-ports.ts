// Free ports for servers that tests start, as the demo takes them. Test files are processes that
// run at once, and between finding a port free and listening on it seconds may pass: so each port
// that was given is a file, named by it, until the process ends that took it.

import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemChance } from '../../common/runtime/chance.ts';
import { takePorts } from '../../demo/ports.ts';

const folder = join(tmpdir(), `isthmus-test-ports-${process.getuid?.() ?? 0}`);
const triesMax = 100;
const ours = new Set<number>();

/** By name; free for TCP and UDP. */
export async function takeTestPorts<Name extends string>(
  names: readonly Name[],
): Promise<ReadonlyMap<string, number>> {
  const wishes = names.map((name) => ({ name, what: name, port: 0, isUdpToo: true }));
  for (let attempt = 0; attempt < triesMax; attempt += 1) {
    const ports = await takePorts(wishes, { isAnyPort: true, chance: systemChance, earlier: {} });
    if (keepAll([...ports.values()])) return ports;
  }
  throw new Error(`no ports for ${names.join(', ')}: ${folder} says that all are taken`);
}

export async function takeTestPort(): Promise<number> {
  const [port] = (await takeTestPorts(['test'])).values();
  return port ?? 0;
}

/** All or none. */
function keepAll(ports: readonly number[]): boolean {
  const missed = ports.findIndex((port) => !keep(port));
  if (missed < 0) return true;
  for (const port of ports.slice(0, missed)) giveBack(port);
  return false;
}

function keep(port: number): boolean {
  const file = join(folder, String(port));
  if (ours.size === 0) {
    mkdirSync(folder, { recursive: true });
    process.once('exit', end);
  }
  if (ours.has(port) || isKept(file)) return false;
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    return false; // somebody was faster
  }
  ours.add(port);
  return true;
}

/** A process that was killed has left its files. */
function isKept(file: string): boolean {
  let owner: number;
  try {
    owner = Number(readFileSync(file, 'utf8'));
  } catch {
    return false;
  }
  if (owner === 0) return true; // it is being written
  try {
    process.kill(owner, 0);
    return true;
  } catch {
    rmSync(file, { force: true });
    return false;
  }
}

function giveBack(port: number): void {
  ours.delete(port);
  rmSync(join(folder, String(port)), { force: true });
}

function end(): void {
  for (const port of ours) giveBack(port);
  try {
    rmdirSync(folder);
  } catch {
    // Others have ports still.
  }
}
