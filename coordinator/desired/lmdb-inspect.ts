// A look at the embedded store from another process: who holds it, and under which keys its
// records are sealed. Reads only; the coordinator may be running.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { isSecretKey } from './sealed-store.ts';
import { sealedUnder } from './sealer.ts';

export interface SealUse {
  /** Live records by the id of their key; '' for records in the clear. */
  readonly live: ReadonlyMap<string, number>;
  /** Former versions in the log, likewise. */
  readonly former: ReadonlyMap<string, number>;
  /** As process-identity.ts names the process that has the store open, or had when it died. */
  readonly holder: string | undefined;
}

/** undefined when there is no store in `path`. */
export async function inspectLmdb(path: string): Promise<SealUse | undefined> {
  if (!existsSync(join(path, 'data.mdb'))) return undefined;
  const root = open({ path, noSubdir: false, maxDbs: 4, readOnly: true, encoding: 'msgpack' });
  try {
    const live = new Map<string, number>();
    const former = new Map<string, number>();
    const current = root.openDB<{ r: number; v: Uint8Array }, string>({ name: 'current' });
    const revisions = new Map<string, number>();
    for (const { key, value } of current.getRange()) {
      if (!isSecretKey(key)) continue;
      revisions.set(key, value.r);
      count(live, value.v);
    }
    const log = root.openDB<{ k: string; d: boolean; v: Uint8Array }, number>({
      name: 'log',
      keyEncoding: 'ordered-binary',
    });
    for (const { key, value } of log.getRange()) {
      if (isSecretKey(value.k) && revisions.get(value.k) !== key) count(former, value.v);
    }
    const meta = root.openDB<string | number, string>({ name: 'meta' });
    const holder = meta.get('holder');
    return { live, former, holder: typeof holder === 'string' ? holder : undefined };
  } finally {
    await root.close();
  }
}

function count(into: Map<string, number>, stored: Uint8Array): void {
  const id = sealedUnder(stored) ?? '';
  into.set(id, (into.get(id) ?? 0) + 1);
}
