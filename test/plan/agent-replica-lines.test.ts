import test from 'ava';
import {
  decodeFollowerLine,
  decodeLeaderLine,
  decodeValue,
  encodeLine,
  encodeValue,
} from '../../agent/leader/replica-lines.ts';
import type { LeaderLine } from '../../agent/leader/replica-port.ts';
import { planAdoption } from '../../agent/leader/kept-facts.ts';

test('bytes stay bytes, also those of a Buffer, however deep', (t) => {
  const value = { a: [Buffer.from('x'), new Uint8Array([0, 255])], b: { c: 'text', d: 1 } };
  t.deepEqual(decodeValue(encodeValue(value)), {
    a: [new Uint8Array([120]), new Uint8Array([0, 255])],
    b: { c: 'text', d: 1 },
  });
});

const lines: readonly LeaderLine[] = [
  { kind: 'rows', rows: [{ table: 'peers', key: 'a/b|c', value: { n: [1] } }] },
  { kind: 'current', number: 7 },
  { kind: 'commit', number: 8, rows: [{ table: 'orders', key: 'a/b', value: undefined }] },
  { kind: 'state', isSessionOpen: true },
];
for (const line of lines) {
  test(`a line of kind ${line.kind} comes as it went`, (t) => {
    const text = encodeLine(line);
    t.is(text.indexOf('\n'), text.length - 1);
    t.deepEqual(decodeLeaderLine(text), line);
  });
}

for (const text of [
  '',
  '{',
  'null',
  '[]',
  '{"kind":"rows","rows":[{}]}',
  '{"kind":"commit","rows":[]}',
]) {
  test(`no line: ${text}`, (t) => {
    t.is(decodeLeaderLine(text), undefined);
    t.is(decodeFollowerLine(text), undefined);
  });
}

test('kept facts are taken when we have no key, and left when ours is as new', (t) => {
  const kept = new Map<string, unknown>([
    ['identity', { keyPem: 'k' }],
    ['welcome', { session: 3 }],
  ]);
  t.deepEqual(planAdoption(new Map(), kept), [
    { table: 'facts', key: 'identity', value: { keyPem: 'k' } },
    { table: 'facts', key: 'welcome', value: { session: 3 } },
  ]);
  t.deepEqual(planAdoption(kept, kept), []);
  t.deepEqual(planAdoption(kept, new Map()), []);
  const garbage = new Map<string, unknown>([['identity', { keyPem: 'k', certPem: 'none' }]]);
  t.deepEqual(planAdoption(new Map(), garbage), []);
});
