// Files of access: hashed tokens that are read again when they change, and the audit log that turns
// over, survives a full disk and loses nothing at the end.

import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics, type Metrics } from '../../common/runtime/metrics.ts';
import { parseApiTokens } from '../../coordinator/users/api-tokens.ts';
import { openAuditFile, type AuditFile } from '../../coordinator/api/access/json-lines-audit.ts';
import { openTokenFile } from '../../coordinator/api/access/token-file.ts';
import { runTokensCommand } from '../../coordinator/users/tokens-command.ts';
import { eventually } from '../support/eventually.ts';

function makeFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-access-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function makeToken(argv: readonly string[], input = '') {
  const said: string[] = [];
  const out: string[] = [];
  const code = runTokensCommand({
    argv,
    readInput: () => input,
    bytes: (count) => systemChance.bytes(count),
    out: (text) => void out.push(text),
    say: (text) => void said.push(text),
  });
  return { code, said: said.join(''), out: out.join('') };
}

test('[k8s 117] a token is made once, kept as a hash, and known without a restart', async (t) => {
  const folder = makeFolder(t);
  const path = join(folder, 'tokens.csv');
  const bob = makeToken(['make', '--user', 'bob', '--uid=u-1', '--groups', 'dev,ops']);
  t.is(bob.code, 0);
  const token = bob.said.trim().split(' ').at(-1) ?? '';
  t.regex(bob.out, /^sha256:[0-9a-f]{64},bob,u-1,"dev,ops"\n$/);
  t.false(bob.out.includes(token));
  writeFileSync(path, '# nobody yet\n');
  const file = await openTokenFile({
    path,
    parse: parseApiTokens,
    clock: systemClock,
    log: silentLog,
  });
  t.teardown(() => file.close());
  t.is(await file.find(token), undefined);
  writeFileSync(path, bob.out);
  await eventually(5_000, async () =>
    (await file.find(token)) !== undefined ? [] : ['not read yet'],
  );
  t.deepEqual(await file.find(token), { name: 'bob', uid: 'u-1', groups: ['dev', 'ops'] });
  const draft = join(folder, 'draft');
  const carol = makeToken(['make', '--user=carol']);
  writeFileSync(draft, `${carol.out}garbage\n`);
  renameSync(draft, path);
  await t.throwsAsync(() => file.reload(), { message: /tokens.csv: line 2: expected sha256:/ });
  t.like(await file.find(token), { name: 'bob' }, 'a bad file changes nothing');
  writeFileSync(draft, carol.out);
  renameSync(draft, path);
  await eventually(5_000, async () =>
    (await file.find(token)) === undefined ? [] : ['not read yet'],
  );
  t.like(await file.find(carol.said.trim().split(' ').at(-1) ?? ''), { name: 'carol' });
});

test('[k8s 117] a file that Kubernetes mounts and swaps is read again', async (t) => {
  const folder = makeFolder(t);
  const [path, data] = [join(folder, 'tokens'), join(folder, '..data')];
  const [first, second] = [makeToken(['make', '--user=a']), makeToken(['make', '--user=b'])];
  writeFileSync(join(folder, 'one'), first.out);
  writeFileSync(join(folder, 'two'), second.out);
  symlinkSync('one', data);
  symlinkSync('..data', path);
  const file = await openTokenFile({
    path,
    parse: parseApiTokens,
    clock: systemClock,
    log: silentLog,
  });
  t.teardown(() => file.close());
  symlinkSync('two', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), data);
  const token = second.said.trim().split(' ').at(-1) ?? '';
  await eventually(5_000, async () =>
    (await file.find(token)) !== undefined ? [] : ['not read yet'],
  );
  t.like(await file.find(token), { name: 'b' });
});

test('I9 [k8s 117] plain tokens are refused with the way to hash them, and never repeated', (t) => {
  const plain = 'hush-hush-hush-hush,bob,u,"dev"\n';
  const refused = parseApiTokens(plain);
  t.is(
    refused,
    'line 1: the first column is no hash (sha256: and 64 hex digits); ' +
      "'isthmus-coordinator tokens hash < FILE' makes hashes of plain tokens",
  );
  const hashed = makeToken(['hash'], `# kept\n${plain}`);
  t.is(hashed.code, 0);
  t.regex(hashed.out, /^# kept\nsha256:[0-9a-f]{64},bob,u,"dev"\n$/);
  t.true(Array.isArray(parseApiTokens(hashed.out)));
  t.is(makeToken(['hash'], 'short,bob,u').code, 1);
  t.is(makeToken(['make']).code, 2);
  t.is(makeToken(['make', '--user', 'a,b']).code, 2);
  t.is(makeToken(['make', '--user', 'a', '--bogus', 'x']).code, 2);
});

interface Counted {
  readonly metrics: Metrics;
  readonly lost: Map<string, number>;
}

function countLost(): Counted {
  const lost = new Map<string, number>();
  const count: Metrics['count'] = (_name, labels = {}, by = 1) => {
    const reason = labels['reason'] ?? '';
    lost.set(reason, (lost.get(reason) ?? 0) + by);
  };
  return { metrics: { ...silentMetrics, count }, lost };
}

async function openAudit(
  path: string,
  more: { readonly fileBytesMax?: number; readonly metrics?: Metrics } = {},
): Promise<AuditFile> {
  return openAuditFile({
    path,
    fileBytesMax: more.fileBytesMax ?? 1 << 20,
    backupsMax: 2,
    log: silentLog,
    metrics: more.metrics ?? silentMetrics,
  });
}

test('[k8s 121] every event is a line, in order, when the log is closed', async (t) => {
  const path = join(makeFolder(t), 'sub', 'audit.log');
  const file = await openAudit(path);
  for (let number = 0; number < 5_000; number += 1) file.write({ auditID: `${number}` });
  await file.close();
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  t.is(lines.length, 5_000);
  t.deepEqual(JSON.parse(lines[4_999] ?? ''), { auditID: '4999' });
  const again = await openAudit(path);
  again.write({ auditID: 'later' });
  await again.close();
  t.is(readFileSync(path, 'utf8').trim().split('\n').length, 5_001, 'a restart goes on');
});

test('[k8s 121] a full file becomes the first backup, and the oldest goes', async (t) => {
  const folder = makeFolder(t);
  const path = join(folder, 'audit.log');
  const file = await openAudit(path, { fileBytesMax: 1_000 });
  for (let number = 0; number < 6; number += 1) {
    file.write({ auditID: `${number}`, pad: 'x'.repeat(600) });
    await file.flush();
  }
  await file.close();
  t.deepEqual(readdirSync(folder).sort(), ['audit.log', 'audit.log.1', 'audit.log.2']);
  t.regex(readFileSync(path, 'utf8'), /"auditID":"5"/);
  t.regex(readFileSync(`${path}.2`, 'utf8'), /"auditID":"3"/);
});

test('[k8s 121] a disk that refuses is counted and tried again', async (t) => {
  const folder = makeFolder(t);
  const path = join(folder, 'audit.log');
  const { metrics, lost } = countLost();
  const file = await openAudit(path, { fileBytesMax: 10, metrics });
  file.write({ auditID: 'first' });
  await file.flush();
  rmSync(folder, { recursive: true }); // the next file cannot be opened
  file.write({ auditID: 'lost' });
  await file.flush();
  t.is(lost.get('disk'), 1);
  const elsewhere = mkdtempSync(join(tmpdir(), 'isthmus-access-'));
  renameSync(elsewhere, folder);
  file.write({ auditID: 'last' });
  await file.close();
  t.regex(readFileSync(path, 'utf8'), /"auditID":"last"/);
  t.is(lost.get('disk'), 1);
});

test('[k8s 121] events beyond the queue are counted, and the queue never blocks', async (t) => {
  const { metrics, lost } = countLost();
  const file = await openAudit(join(makeFolder(t), 'audit.log'), {
    fileBytesMax: 1 << 30,
    metrics,
  });
  const pad = 'x'.repeat(1 << 20);
  for (let number = 0; number < 20; number += 1) file.write({ pad });
  t.is(lost.get('queue'), 5, '16 MiB are kept');
  await file.close();
});
