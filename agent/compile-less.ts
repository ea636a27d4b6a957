// Lets V8 compile code for speed only once it has been hot for longer than a start takes: what it
// compiles sooner stays in memory for all of the agent's life (10 MiB). An internal flag of Node
// 20's V8, which later ones refuse, also on the command line.

import { setFlagsFromString } from 'node:v8';

if (process.versions.v8.startsWith('11.')) setFlagsFromString('--interrupt-budget=2000000');
