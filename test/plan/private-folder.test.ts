import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { makePrivateFolder } from '../../common/runtime/private-folder.ts';

test('a folder is made with its parents, for its owner only', (t) => {
  const top = mkdtempSync(join(tmpdir(), 'isthmus-'));
  t.teardown(() => rmSync(top, { recursive: true }));
  const path = join(top, 'a', 'b');
  makePrivateFolder(path);
  makePrivateFolder(path);
  t.is(statSync(path).mode & 0o777, 0o700);
});

test('a place where nothing can be made is an error, not a loop', (t) => {
  t.throws(() => makePrivateFolder('/proc/nope/pki'), { code: 'ENOENT' });
  t.throws(() => makePrivateFolder('/dev/null/x'), { code: 'ENOTDIR' });
});
