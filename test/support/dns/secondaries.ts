// BIND and Knot as secondaries of the embedded zone, each on a free port of the loopback.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServerProcess, type ServerProcess } from '../server-process.ts';
import { knotHouse } from './dns-servers.ts';

interface Setup {
  readonly folder: string;
  readonly port: number;
  readonly zone: string;
  readonly primaryPort: number;
  /** Transfers and NOTIFYs are signed with it. */
  readonly key?: SecondaryKey;
}

export interface SecondaryKey {
  readonly name: string;
  readonly algorithm: string;
  /** Base64. */
  readonly secret: string;
}

export interface SecondaryKind {
  readonly name: string;
  readonly path: string;
  readonly configure: (setup: Setup) => string;
  readonly flags: (file: string) => readonly string[];
}

export const secondaryKinds: readonly SecondaryKind[] = [
  {
    name: 'BIND',
    path: '/usr/sbin/named',
    flags: (file) => ['-g', '-n', '1', '-c', file],
    configure: ({ folder, port, zone, primaryPort, key }) => `options { directory "${folder}";
      pid-file none; session-keyfile none; listen-on port ${port} { 127.0.0.1; };
      listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no; minimal-responses yes; };
      controls { };
      ${key === undefined ? '' : `key "${key.name}" { algorithm ${key.algorithm}; secret "${key.secret}"; };`}
      zone "${zone}" { type secondary; file "copy";
        primaries port ${primaryPort} { 127.0.0.1${key === undefined ? '' : ` key "${key.name}"`}; }; };
      `,
  },
  {
    name: 'Knot',
    path: '/usr/sbin/knotd',
    flags: (file) => ['-c', file],
    configure: ({
      folder,
      port,
      zone,
      primaryPort,
      key,
    }) => `${knotKey(key)}${knotHouse(folder, port)}remote:
  - id: primary
    address: 127.0.0.1@${primaryPort}
${key === undefined ? '' : `    key: ${key.name}`}
acl:
  - id: primary-notifies
    address: 127.0.0.1
    action: notify
${key === undefined ? '' : `    key: ${key.name}`}
zone:
  - domain: ${zone}
    storage: ${folder}
    master: primary
    acl: primary-notifies
    zonefile-sync: -1
`,
  },
];

function knotKey(key: SecondaryKey | undefined): string {
  if (key === undefined) return '';
  return `key:
  - id: ${key.name}
    algorithm: ${key.algorithm}
    secret: ${key.secret}
`;
}

export interface Secondary {
  readonly port: number;
  readonly pid: number;
  logs(): string;
  stop(): Promise<void>;
}

export function startSecondary(kind: SecondaryKind, at: Omit<Setup, 'folder'>): Secondary {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-secondary-'));
  const file = join(folder, 'server.conf');
  writeFileSync(file, kind.configure({ folder, ...at }));
  const { name, path } = kind;
  const server: ServerProcess = startServerProcess({ name, path, flags: kind.flags(file) });
  return {
    port: at.port,
    pid: server.pid ?? 0,
    logs: server.logs,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
