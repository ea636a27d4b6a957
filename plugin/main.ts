#!/usr/bin/env node
// kubectl-isthmus: what a federation needs beside plain kubectl. On PATH it is `kubectl isthmus`.

import { homedir } from 'node:os';
import { systemChance } from '../common/runtime/chance.ts';
import { keepProcessAlive } from '../common/runtime/clock.ts';
import { commands } from './commands/all.ts';
import { systemIo } from './io.ts';
import { readVersion } from './package-version.ts';
import { runPlugin } from './run.ts';

const alive = keepProcessAlive();
process.stdout.on('error', () => process.exit(0)); // `| head` has seen enough
process.exitCode = await runPlugin({
  commands,
  argv: process.argv.slice(2),
  io: systemIo({ home: homedir() }),
  chance: systemChance,
  version: readVersion(),
});
alive.cancel();
