// I1. An acknowledged write is never lost, and a client that writes sees it in its next read. A
// watch sees each revision once, in order.

import type { LogKey, Revision } from '../../../common/model/ids.ts';
import type { SimDisk } from '../sim-store.ts';
import type { Acknowledged, Seen } from '../user.ts';
import { namespace } from '../user.ts';
import type { Blame, Checker } from './checker.ts';

export function createWritesChecker(disk: SimDisk, blame: Blame): Checker {
  const acknowledged: Acknowledged[] = [];
  const relisted: { readonly from: Revision; readonly to: Revision }[] = [];
  const seen = new Set<Revision>();
  let first: Revision | undefined;
  let last: Revision | undefined;

  const isInLog = ({ key, revision }: Acknowledged): boolean => {
    const { log } = disk.memory;
    for (let index = log.length - 1; index >= 0; index -= 1) {
      const record = log[index];
      if (record === undefined || record.revision < revision) return false;
      if (record.revision === revision) return record.key === key;
    }
    return false;
  };

  const onSeen = (what: Seen): void => {
    if (what.kind === 'read') return checkRead(what.key, what.revision, what.notBefore);
    if (what.kind === 'relisted') {
      if (last !== undefined) relisted.push({ from: last, to: what.revision });
      first ??= what.revision;
      last = what.revision;
      return;
    }
    if (last !== undefined && what.revision <= last) {
      blame(`the watch brought revision ${what.revision} after ${last}`);
    }
    last = what.revision;
    seen.add(what.revision);
  };

  const checkRead = (key: LogKey, revision: Revision | undefined, after: Acknowledged): void => {
    if (revision !== undefined && revision < after.revision) {
      blame(`a read of ${key} gave revision ${revision} after ${after.revision} was acknowledged`);
    }
    if (revision !== undefined || after.isDelete) return;
    const later = disk.memory.log.some(
      (record) => record.key === key && record.isDelete && record.revision > after.revision,
    );
    if (!later) blame(`${key} was acknowledged and is not found`);
  };

  const onConverged = (): void => {
    for (const write of acknowledged) {
      if (!isInLog(write))
        blame(`the acknowledged write ${write.revision} of ${write.key} is lost`);
    }
    const prefix = `core/services/${namespace}/`;
    for (const { key, revision } of disk.memory.log) {
      if (!key.startsWith(prefix) || first === undefined || last === undefined) continue;
      if (revision <= first || revision > last || seen.has(revision)) continue;
      if (relisted.some(({ from, to }) => revision > from && revision <= to)) continue;
      blame(`the watch never brought revision ${revision} of ${key}`);
    }
  };

  return {
    invariant: 'I1',
    onAcknowledged: (write) => {
      acknowledged.push(write);
      if (!isInLog(write)) blame(`${write.key} was acknowledged before it was in the log`);
    },
    onSeen,
    onStep: () => {
      for (const write of acknowledged.slice(-5)) {
        if (!isInLog(write)) blame(`the acknowledged write of ${write.key} is lost`);
      }
    },
    onConverged,
  };
}
