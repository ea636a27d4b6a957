// The life of a member cluster's process, simulated or real: reads its flags, starts it, and ends it
// whole. Each says on stdout when it is ready.

import { readFileSync } from 'node:fs';
import { systemClock } from '../../common/runtime/clock.ts';
import { createLifecycle, endOnSignals, type Lifecycle } from '../../common/runtime/lifecycle.ts';
import { createLog, describeError, type Log, type LogLevel } from '../../common/runtime/log.ts';
import { readSettings, type SettingValues } from '../../common/runtime/settings.ts';
import { clusterProgram } from './settings.ts';

function readVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version; // our own file
}

/** Until a signal ends it; a fault at the start ends it with 1, wrong flags with 2. */
export async function runCluster(
  name: string,
  run: (values: SettingValues, log: Log, lifecycle: Lifecycle) => Promise<void>,
): Promise<void> {
  const outcome = readSettings(clusterProgram(readVersion()), {
    argv: process.argv.slice(2),
    env: {},
  });
  if (outcome.kind !== 'run') {
    const isHelp = outcome.kind === 'print';
    (isHelp ? process.stdout : process.stderr).write(
      isHelp ? outcome.text : `${outcome.message}\n`,
    );
    process.exit(isHelp ? 0 : 2);
  }
  const level = (outcome.values.text('log-level') ?? 'info') as LogLevel; // a choice, checked
  const log = createLog({ level, format: 'json', name });
  const lifecycle = createLifecycle({ clock: systemClock, log });
  endOnSignals(lifecycle, log);
  try {
    await run(outcome.values, log, lifecycle);
  } catch (error) {
    log.error('cannot start', { error: describeError(error) });
    await lifecycle.close();
    process.exit(1);
  }
}
