// RecordTables in one LMDB environment: a commit costs what it changes, and is flushed before it
// resolves. The folder holds the agent's private key, so it is 0700 and its files 0600.

import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { open, type Database } from 'lmdb';
import { MeshError } from '../../common/pure/errors.ts';
import type { RecordTable, RecordTables } from './record.ts';

const tableNames: readonly RecordTable[] = ['shards', 'orders', 'peers', 'facts'];

/** Opens or makes the record. Throws the system's error when the folder cannot be written. */
export function openLmdbRecord(path: string): RecordTables {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  const root = open({ path, overlappingSync: false, maxDbs: tableNames.length, mapSize: 2 ** 30 });
  const tables = Object.fromEntries(
    tableNames.map((name) => [name, root.openDB<unknown, string>({ name, encoding: 'msgpack' })]),
  ) as Readonly<Record<RecordTable, Database<unknown, string>>>;
  for (const file of readdirSync(path)) chmodSync(join(path, file), 0o600);
  return {
    *load(table) {
      for (const { key, value } of tables[table].getRange({})) yield [key, value];
    },
    commit: async (changes) => {
      try {
        await root.transaction(() => {
          for (const { table, key, value } of changes) {
            if (value === undefined) void tables[table].remove(key);
            else void tables[table].put(key, value);
          }
        });
      } catch (error) {
        throw new MeshError('retryable', 'RECORD_UNAVAILABLE', `cannot write to ${path}`, error);
      }
    },
    close: async () => {
      await root.close();
    },
  };
}
