// `isthmus-coordinator nats config`: prints what a NATS of somebody else's has to trust, to be
// included into nats-server.conf. Works before the coordinator's first start, when it makes the
// keys, and beside a running one, which has written it down: revocations are not in it, because
// the coordinator tells servers those.

import { join, resolve } from 'node:path';
import { MeshError } from '../../common/pure/errors.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { keepProcessAlive, systemClock as clock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { readFileIfThere } from '../../common/runtime/private-file.ts';
import { makePrivateFolder } from '../../common/runtime/private-folder.ts';
import { readSettings, type Program, type SettingValues } from '../../common/runtime/settings.ts';
import { createDesired } from '../desired/desired-log.ts';
import { openLmdbStore } from '../desired/lmdb-store.ts';
import { sealStore } from '../desired/sealed-store.ts';
import { createSealer } from '../desired/sealer.ts';
import { openKeyFile, toDefaultKeyFile } from './encryption-keys.ts';
import { loadNatsKeys } from './nats-keys.ts';
import { toTrust, toTrustPath, writeTrust } from './nats-trust.ts';

const usage = `isthmus-coordinator nats: for a NATS of your own (--nats-url).

  isthmus-coordinator nats config [--data-dir DIR] [--encryption-key-file FILE]

prints the operator, the accounts and the resolver that your nats-server has to trust. Write it
into a file beside nats-server.conf, name that file there with include, and give nats-server TLS.
It holds no secret. The coordinator then lets agents in, and shuts them out, by itself.
`;
const exitUsage = 2;

/** Reads the command line, acts, prints; returns the exit code. */
export async function runNatsCommand(options: {
  readonly argv: readonly string[];
  readonly program: Program;
}): Promise<number> {
  const [action, ...argv] = options.argv;
  if (options.argv.includes('--help') || options.argv.includes('-h')) {
    process.stdout.write(usage);
    return 0;
  }
  const outcome = readSettings(options.program, { argv, env: process.env });
  if (action !== 'config' || outcome.kind !== 'run') {
    process.stderr.write(outcome.kind === 'error' ? `${outcome.message}\n` : usage);
    return exitUsage;
  }
  const alive = keepProcessAlive();
  try {
    process.stdout.write(await readTrust(outcome.values));
    return 0;
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    alive.cancel();
  }
}

async function readTrust(settings: SettingValues): Promise<string> {
  const path = resolve(settings.text('data-dir') ?? '');
  const known = await readFileIfThere(toTrustPath(path));
  if (known !== undefined) return known.toString('utf8');
  makePrivateFolder(path);
  const common = { clock, chance, log: silentLog, metrics: silentMetrics };
  const driver = await openLmdbStore({ ...common, path: join(path, 'log') });
  try {
    const keyFile = settings.text('encryption-key-file') ?? toDefaultKeyFile(path);
    const keys = await openKeyFile({ path: keyFile, driver, clock, chance });
    const store = sealStore(driver, createSealer({ keys, chance }));
    const desired = await createDesired({ ...common, store });
    return await writeTrust(path, toTrust(common, await loadNatsKeys({ ...common, desired })));
  } finally {
    await driver.close();
  }
}
