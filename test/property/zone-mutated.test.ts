// [dns 71] Messages of any bytes: a hundred thousand in CI, a million in `npm run test:full`.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import packet from 'dns-packet';
import { threadCpuMs } from '../../common/runtime/thread-cpu.ts';
import { openServer } from '../support/dns/zone-messages.ts';
import { anyAddress, mutateMessage, rollDice } from '../support/dns/mutated-messages.ts';

const seed = Number(process.env['ISTHMUS_FUZZ_SEED'] ?? 20_261_125);
const count = process.env['TEST_FULL'] === 'true' ? 1_000_000 : 100_000;
const perBatch = 100;
const turnMs = 10;
// V8 compiles and sizes its heap in the first ones.
const warmBatches = 300;
// What the caches of answers hold, and no more.
const grownBytesMax = 4 * 2 ** 20;

/** Heap that is in use, after a collection. */
function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)(); // V8's own, by the flag above
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

interface Reply {
  readonly request: Buffer;
  readonly transport: 'udp' | 'tcp';
  readonly bytes: Uint8Array;
}

/** What is wrong with a reply, whatever was asked. */
function faultOf({ request, transport, bytes }: Reply): string | undefined {
  const reply = Buffer.from(bytes);
  if (reply.length < 12) return 'shorter than a header';
  if (transport === 'udp' && reply.length > 1232) return `${reply.length} bytes over UDP`;
  if ((request[2] ?? 0) >= 0x80) return 'an answer to an answer';
  if (((reply[2] ?? 0) & 0x80) === 0) return 'no answer';
  if (reply.readUInt16BE(0) !== request.readUInt16BE(0)) return 'another id';
  return undefined;
}

test(`[dns 71] ${count} mutated messages: no throw, no turn of 10 ms, no growth`, (t) => {
  t.timeout(600_000);
  t.log(`seed ${seed}`);
  const { server, counts } = openServer(1_000);
  const dice = rollDice(seed);
  const faults: string[] = [];
  const codes = new Map<number, number>();
  let slowestMs = 0;
  let slow = 0;
  let bytesAtStart = 0;
  for (let batch = 0; batch < count / perBatch; batch += 1) {
    const messages = Array.from({ length: perBatch }, () => mutateMessage(dice));
    const askers = messages.map(() => anyAddress(dice));
    counts.length = 0;
    if (batch === warmBatches) bytesAtStart = liveBytes();
    const before = threadCpuMs() ?? 0;
    messages.forEach((request, index) => {
      const transport = index % 4 === 0 ? 'tcp' : 'udp';
      const reply = server.answer(request, transport, askers[index] ?? '');
      const bytes = reply instanceof Uint8Array ? reply : reply?.next();
      if (reply !== undefined && !(reply instanceof Uint8Array)) reply.end();
      if (bytes === undefined) return;
      const fault = faultOf({ request, transport, bytes });
      if (fault !== undefined) faults.push(`${fault}: ${request.toString('hex')}`);
      codes.set((bytes[3] ?? 0) & 15, (codes.get((bytes[3] ?? 0) & 15) ?? 0) + 1);
    });
    const ms = (threadCpuMs() ?? 0) - before;
    if (batch < warmBatches) continue;
    slowestMs = Math.max(slowestMs, ms);
    if (ms > turnMs) slow += 1;
  }
  const grown = liveBytes() - bytesAtStart;
  t.log(`answers by code ${JSON.stringify([...codes])}`);
  t.log(
    `slowest ${perBatch} messages ${slowestMs.toFixed(1)} ms of CPU, ${slow} above ${turnMs} ms`,
  );
  t.log(`grown by ${Math.round(grown / 2 ** 10)} KiB`);
  t.deepEqual(faults.slice(0, 5), []);
  t.deepEqual(
    [...codes.keys()].filter((code) => code === 2),
    [],
  );
  t.is(slow, 0);
  t.true(grown < grownBytesMax, `${grown} bytes`);
});

test('[dns 71] what we answer of mutated messages another decoder reads', (t) => {
  const { server } = openServer();
  const dice = rollDice(seed + 1);
  for (let index = 0; index < 5_000; index += 1) {
    const reply = server.answer(mutateMessage(dice), 'udp', anyAddress(dice));
    if (reply instanceof Uint8Array) packet.decode(Buffer.from(reply));
  }
  t.pass();
});
