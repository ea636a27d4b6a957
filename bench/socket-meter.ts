// Preloaded into an agent that is measured: on SIGUSR2 what its sockets carried so far is written to
// a file.

import { writeFileSync } from 'node:fs';
import { countSockets } from './socket-counting.ts';

const path = process.env['BENCH_SOCKET_COUNTS'];
if (path !== undefined) {
  const read = countSockets();
  process.on('SIGUSR2', () => writeFileSync(path, JSON.stringify(read())));
}
