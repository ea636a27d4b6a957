// A process that writes to an LMDB store until it is killed and prints each acknowledged write.

import { systemChance } from '../../common/runtime/chance.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { openLmdbStore } from '../../coordinator/desired/lmdb-store.ts';
import { put } from './store.ts';

const [path = ''] = process.argv.slice(2);
const store = await openLmdbStore({ path, chance: systemChance, log: silentLog });
const life = await store.currentRevision();
await Promise.all(Array.from({ length: 8 }, (_, writer) => writeForEver(writer)));

async function writeForEver(writer: number): Promise<never> {
  for (let count = 0; ; count += 1) {
    const name = `w${life}-${writer}-${count}`;
    const revision = await put(store, name, 'x'.repeat(500));
    process.stdout.write(`${name} ${revision}\n`);
  }
}
