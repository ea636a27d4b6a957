// A coordinator as upstream's suites want one: an admin's token, a `default` namespace, a port.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../common/runtime/clock.ts';
import { natsPid } from '../../demo/nats-process.ts';
import { isAlive, signalIfThere } from '../../demo/leftovers.ts';
import { createPart } from '../../demo/part.ts';

export interface UpstreamServer {
  /** A folder that goes with it. */
  readonly dir: string;
  readonly url: string;
  readonly port: number;
  /** Of a user in system:masters. */
  readonly token: string;
  /** Of its certificate's CA. */
  readonly caPem: string;
  /** The admin's. */
  readonly kubeconfig: string;
  close(): Promise<void>;
}

const endMs = 5_000;
const token = 'upstream-suite-admin-token';

export async function openUpstreamServer(): Promise<UpstreamServer> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-upstream-'));
  mkdirSync(join(dir, 'logs'));
  const tokens = join(dir, 'tokens.csv');
  const hash = createHash('sha256').update(token).digest('hex');
  writeFileSync(tokens, `sha256:${hash},admin,admin,"system:masters"\n`, { mode: 0o600 });
  const listens = ['api', 'mesh', 'nats', 'dns', 'admin'].flatMap((name) => [
    `--${name}-listen`,
    '127.0.0.1:0',
  ]);
  const dataDir = join(dir, 'coordinator');
  const part = createPart(
    {
      name: 'coordinator',
      script: 'coordinator/main.js',
      args: ['--data-dir', dataDir, '--api-tokens', tokens, ...listens],
      logPath: join(dir, 'logs', 'coordinator.log'),
    },
    {
      clock: systemClock,
      onUnexpectedEnd: (how) => process.stderr.write(`the coordinator ended: ${how}\n`),
    },
  );
  const ready = await part.start();
  const url = String(ready['api']);
  return {
    dir,
    url,
    port: Number(new URL(url).port),
    token,
    caPem: readCa(String(ready['kubeconfig'])),
    kubeconfig: String(ready['kubeconfig']),
    close: async () => {
      const nats = natsPid(join(dataDir, 'nats', 'nats.pid'));
      await part.end(endMs);
      if (nats !== undefined && isAlive(nats)) signalIfThere(nats, 'SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function readCa(kubeconfig: string): string {
  const found = /certificate-authority-data: *"?([A-Za-z0-9+/=]+)/.exec(
    readFileSync(kubeconfig, 'utf8'),
  );
  return Buffer.from(found?.[1] ?? '', 'base64').toString('utf8');
}
