// The federation's keys, from the log; certificates for this process; and what a person asks of the
// CAs by `isthmus-coordinator keys ca`, while this process runs or before it starts.

import { join } from 'node:path';
import { oneAtATime } from '../../common/runtime/one-at-a-time.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';
import { describeError } from '../../common/runtime/log.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { hostsOf } from '../settings/addresses.ts';
import { openAuthority, type Authority } from './authority.ts';
import { loadAuthorityKeys } from './authority-keys.ts';
import type { Base } from '../base.ts';
import { reportFile, takeCaRequest, type CaAnswer, type CaRequest } from './ca-request.ts';
import { openDataDir, readFormerKeys, removeFormerKeys, type DataDir } from './data-dir.ts';
import type { Desired } from '../desired/store.ts';
import { caOverlapMs } from '../settings/join-settings.ts';

export interface OpenKeys {
  readonly dir: DataDir;
  readonly authority: Authority;
  /** 32 bytes; signs the receipts of batches. */
  readonly receiptKey: Uint8Array;
}

export async function openKeys(base: Base, path: string, desired: Desired): Promise<OpenKeys> {
  const { federation, lifecycle, settings } = base;
  const former = await readFormerKeys(path);
  const { receiptKey } = await loadAuthorityKeys({ ...base, desired, former });
  if (former !== undefined) await removeFormerKeys(path);
  const authority = openAuthority({ ...base, desired, overlapMs: caOverlapMs(settings) });
  lifecycle.onClose({ name: 'authority', close: () => Promise.resolve(authority.stop()) });
  const desk = openDesk(base, path, authority);
  await desk.obey();
  const hosts = hostsOf(settings);
  const dir = await openDataDir({ ...base, path, federation, authority, hosts });
  lifecycle.onClose({ name: 'certificates', close: () => Promise.resolve(dir.stop()) });
  authority.onReport(desk.report);
  base.onReload({ name: 'CA', reload: desk.obey });
  return { dir, authority, receiptKey };
}

/** Does what the request file says, once, and answers in the report beside it. */
function openDesk({ log }: Base, path: string, authority: Authority) {
  let answer: CaAnswer | undefined;
  const report = oneAtATime(async () => {
    try {
      const text = JSON.stringify({ ...authority.describe(), answer }, undefined, 2);
      await writePrivateFile(join(path, reportFile), `${text}\n`);
    } catch (error) {
      log.warn('cannot write the report on the CAs', { error: describeError(error) });
    }
  });
  const obey = async (): Promise<void> => {
    const request = await takeCaRequest(path);
    if (request !== undefined) answer = await obeyOne(request);
    report();
  };
  const obeyOne = async ({ id, action, isForced }: CaRequest): Promise<CaAnswer> => {
    try {
      await (action === 'rotate' ? authority.rotate() : authority.retire(isForced));
      return { id };
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      log.warn('the CA is left as it is', { action, error: describeError(error) });
      return { id, refusal: error.message };
    }
  };
  return { obey, report };
}
