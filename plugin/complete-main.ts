#!/usr/bin/env node
// kubectl_complete-isthmus: asked by kubectl's own completion for `kubectl isthmus <TAB>`, and by
// the scripts of `kubectl isthmus completion`. Prints what fits, then cobra's directive.

import { homedir } from 'node:os';
import { keepProcessAlive } from '../common/runtime/clock.ts';
import { commands } from './commands/all.ts';
import { complete } from './complete.ts';
import { systemIo } from './io.ts';

// spf13/cobra, ShellCompDirective: 0 file names fit too, 4 they do not.
const [withFiles, withoutFiles] = [0, 4];

const alive = keepProcessAlive();
const io = { ...systemIo({ home: homedir() }), say: () => undefined, isInteractive: false };
const { lines, isFile } = await complete(commands, process.argv.slice(2), io);
io.out([...lines, `:${isFile ? withFiles : withoutFiles}`].map((line) => `${line}\n`).join(''));
alive.cancel();
