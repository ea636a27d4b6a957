// node --expose-gc dist/test/fuzz/memory-main.js [REQUESTS] [SEED]: one JSON line at the end.

import { measureHeap } from './memory.ts';

const [requests = '50000', seed = '1'] = process.argv.slice(2);
const report = await measureHeap({
  requests: Number(requests),
  seed: Number(seed),
  onProgress: (line) => void process.stderr.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
