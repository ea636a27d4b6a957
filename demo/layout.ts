// Where things stand in the demo's folder. Pure.

import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface Layout {
  readonly dir: string;
  readonly kubeconfig: string;
  readonly demoJson: string;
  readonly coordinatorDir: string;
  readonly natsPidFile: string;
  /** Chosen ports and addresses, for the next start and for leftovers of the last one. */
  readonly stateFile: string;
  readonly controlSocket: string;
  readonly logs: string;
  clusterDir(cluster: string): string;
  agentDir(cluster: string): string;
  logOf(part: string): string;
}

// sockaddr_un holds 108 bytes on Linux, 104 on macOS.
const socketPathBytesMax = 100;

export function toLayout(dirAsGiven: string): Layout {
  const dir = resolve(dirAsGiven);
  const near = join(dir, 'demo.sock');
  const hash = createHash('sha256').update(dir).digest('hex').slice(0, 12);
  const far = join(tmpdir(), `isthmus-demo-${hash}.sock`);
  const logs = join(dir, 'logs');
  return {
    dir,
    kubeconfig: join(dir, 'kubeconfig'),
    demoJson: join(dir, 'demo.json'),
    coordinatorDir: join(dir, 'coordinator'),
    natsPidFile: join(dir, 'coordinator', 'nats', 'nats.pid'),
    stateFile: join(dir, 'processes.json'),
    controlSocket: Buffer.byteLength(near) <= socketPathBytesMax ? near : far,
    logs,
    clusterDir: (cluster) => join(dir, 'clusters', cluster),
    agentDir: (cluster) => join(dir, 'agents', cluster),
    logOf: (part) => join(logs, `${part.replace('/', '-')}.log`),
  };
}
