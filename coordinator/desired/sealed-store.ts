// A store whose secret records are sealed before they reach its driver, and opened when read. The
// driver, its files and its backups hold ciphertext only; everybody above sees plain objects.
//
//   I9. What a prefix below marks as secret is never given to the driver in the clear.

import { toLogPrefix } from '../../common/model/ids.ts';
import { isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Sealer } from './sealer.ts';
import type { Store, StoreRecord } from './store.ts';

/** Users' Secrets; the federation's CA and signing keys; how hosted clusters are reached. */
const secretPrefixes = [
  toLogPrefix('', 'secrets'),
  toLogPrefix(isthmusGroup, 'authorities'),
  toLogPrefix(isthmusGroup, 'clustercredentials'),
];

export function isSecretKey(key: string): boolean {
  return secretPrefixes.some((prefix) => key.startsWith(prefix));
}

/** `isSecret` says by its key whether a record is sealed. */
export function sealStore(store: Store, sealer: Sealer, isSecret = isSecretKey): Store {
  const open = (record: StoreRecord): StoreRecord =>
    isSecret(record.key) ? { ...record, value: sealer.open(record.key, record.value) } : record;
  return {
    identity: () => store.identity(),
    currentRevision: () => store.currentRevision(),
    write: (request) =>
      request.value === undefined || !isSecret(request.key)
        ? store.write(request)
        : store.write({ ...request, value: sealer.seal(request.key, request.value) }),
    snapshot: async () => {
      const { revision, pages } = await store.snapshot();
      return { revision, pages: mapPages(pages, open) };
    },
    follow: (from, onRecords) => store.follow(from, (records) => onRecords(records.map(open))),
    close: () => store.close(),
  };
}

async function* mapPages(
  pages: AsyncIterable<readonly StoreRecord[]>,
  open: (record: StoreRecord) => StoreRecord,
): AsyncGenerator<readonly StoreRecord[]> {
  for await (const page of pages) yield page.map(open);
}

/**
 * Seals anew what is not sealed under the newest key: after a rotation, and what was written
 * before there was a key. A record keeps its content and gets a new revision, as a storage
 * migration of Kubernetes does. Can run twice and beside other writers. Returns how many.
 */
export async function resealRecords(driver: Store, sealer: Sealer, log: Log): Promise<number> {
  const { pages } = await driver.snapshot();
  let count = 0;
  for await (const page of pages) {
    for (const record of page) {
      if (!isSecretKey(record.key) || sealer.isCurrent(record.value)) continue;
      if (await resealRecord(driver, sealer, record)) count += 1;
    }
  }
  if (count > 0) log.info('records sealed under the newest key', { count });
  return count;
}

async function resealRecord(driver: Store, sealer: Sealer, record: StoreRecord): Promise<boolean> {
  const { key, revision, value } = record;
  const sealed = sealer.seal(key, sealer.open(key, value));
  const outcome = await driver.write({ key, value: sealed, expected: revision });
  // Whoever wrote it meanwhile sealed it under the newest key.
  return outcome.kind === 'written';
}
