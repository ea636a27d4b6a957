// `isthmus-coordinator keys ca`: shows, replaces and retires the federation's CA.
//
//   keys ca list      the CA that signs, the former one, who has not learned of the new one yet
//   keys ca rotate    a new CA signs; the former stays trusted for --ca-overlap-days
//   keys ca retire    the former is trusted no more, at once

import { join } from 'node:path';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { sleep, type Clock } from '../../common/runtime/clock.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';
import { readCaReport, requestFile, type CaRequest } from './ca-request.ts';
import type { CaReport } from './authority.ts';
import { inspectLmdb } from '../desired/lmdb-inspect.ts';
import { isRunning } from '../desired/process-identity.ts';

export const caUsage = `isthmus-coordinator keys ca: the CA that clusters and API clients trust.

  isthmus-coordinator keys ca list   [--data-dir DIR]
  isthmus-coordinator keys ca rotate [--data-dir DIR]
  isthmus-coordinator keys ca retire [--force] [--data-dir DIR]

rotate makes a new CA, which signs at once. Connected agents learn of it over their session and get
new certificates; the former CA stays trusted for --ca-overlap-days. In that time copy the new
admin.kubeconfig, give API clients its CAs, and use new join tokens. retire ends the overlap; it
refuses while a connected cluster does not trust the new CA, unless --force says so.
`;

export interface CaCall {
  readonly action: 'list' | 'rotate' | 'retire';
  readonly isForced: boolean;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly say: (line: string) => void;
}

const lookEveryMs = 100;
const answerMs = 30_000;

/** Throws MeshError with a message for the person who typed it. */
export async function runCa(call: CaCall): Promise<void> {
  const { action, isForced, dataDir, clock, chance, say } = call;
  if (action === 'list') return list(call, await readCaReport(dataDir));
  const request: CaRequest = { id: chance.uuid(), action, isForced };
  const holder = (await inspectLmdb(join(dataDir, 'log')))?.holder;
  if (holder === undefined) throw refusal(`${dataDir} holds no federation yet: see --data-dir`);
  await writePrivateFile(join(dataDir, requestFile), JSON.stringify(request));
  if (!isRunning(holder)) {
    return say(`no coordinator runs on ${dataDir}: the next one ${action}s the CA when it starts`);
  }
  process.kill(Number(holder.split('@', 1)[0]), 'SIGHUP');
  for (const endMs = clock.monotonicMs() + answerMs; clock.monotonicMs() < endMs; ) {
    const report = await readCaReport(dataDir);
    if (report?.answer?.id === request.id) {
      if (report.answer.refusal !== undefined) throw refusal(report.answer.refusal);
      return list(call, report);
    }
    await sleep(clock, lookEveryMs);
  }
  throw refusal('the coordinator has not answered: see its log, then keys ca list');
}

function list({ dataDir, say }: CaCall, report: CaReport | undefined): void {
  if (report === undefined) {
    throw refusal(`${dataDir} holds no report on the CA: a coordinator writes it when it starts`);
  }
  const { current, former, behind } = report;
  say(`signs    ${current.hash}   until ${current.notAfter}`);
  if (former === undefined) return;
  say(`former   ${former.hash}   replaced ${former.replacedAt}, trusted until ${former.retireAt}`);
  const left = behind.length === 0 ? 'none' : behind.join(', ');
  say(`connected clusters that do not trust the new one yet: ${left}`);
}

function refusal(message: string): MeshError {
  return new MeshError('fatal', 'KEYS_REFUSED', message);
}
