import test from 'ava';
import { toLogKey } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { createSealer, sealedUnder, type SealingKey } from '../../coordinator/desired/sealer.ts';

const at = toLogKey({ group: '', resource: 'secrets', namespace: 'default', name: 'a' });
const other = toLogKey({ group: '', resource: 'secrets', namespace: 'default', name: 'b' });
const plain = Buffer.from('{"data":{"password":"hunter2"}}');

function toKey(id: string): SealingKey {
  return { id, created: '2026-11-25T10:00:00Z', key: chance.bytes(32) };
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'opened';
  } catch (error) {
    return error instanceof MeshError ? error.code : String(error);
  }
}

test('I9 a sealed record holds nothing of its content, and opens to the same bytes', (t) => {
  const sealer = createSealer({ keys: [toKey('k-1')], chance });
  const sealed = sealer.seal(at, plain);
  t.false(Buffer.from(sealed).includes('hunter2'));
  t.false(Buffer.from(sealed).includes('password'));
  t.deepEqual(Buffer.from(sealer.open(at, sealed)), plain);
  t.notDeepEqual(sealer.seal(at, plain), sealed, 'twice the same content looks different');
});

test('a record with any one byte changed does not open', (t) => {
  const sealer = createSealer({ keys: [toKey('k-1')], chance });
  const sealed = sealer.seal(at, plain);
  for (let index = 1; index < sealed.length; index += 1) {
    const changed = Uint8Array.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    const code = codeOf(() => sealer.open(at, changed));
    t.true(['STORE_CORRUPT', 'SEALING_KEY_UNKNOWN'].includes(code), `byte ${index}: ${code}`);
  }
  for (let length = 1; length < sealed.length; length += 1) {
    t.not(
      codeOf(() => sealer.open(at, sealed.subarray(0, length))),
      'opened',
    );
  }
});

test('E1 a record put in the place of another does not open', (t) => {
  const sealer = createSealer({ keys: [toKey('k-1')], chance });
  t.is(
    codeOf(() => sealer.open(other, sealer.seal(at, plain))),
    'STORE_CORRUPT',
  );
});

test('another key by the same name opens nothing', (t) => {
  const sealed = createSealer({ keys: [toKey('k-1')], chance }).seal(at, plain);
  const stranger = createSealer({ keys: [toKey('k-1')], chance });
  t.is(
    codeOf(() => stranger.open(at, sealed)),
    'STORE_CORRUPT',
  );
});

test('after a rotation the new key seals and the old one opens; without it the error names it', (t) => {
  const [old, next] = [toKey('k-old'), toKey('k-new')];
  const sealer = createSealer({ keys: [old], chance });
  const sealed = sealer.seal(at, plain);
  sealer.replaceKeys([next, old]);
  t.deepEqual(Buffer.from(sealer.open(at, sealed)), plain);
  t.false(sealer.isCurrent(sealed));
  t.is(sealedUnder(sealer.seal(at, plain)), 'k-new');
  sealer.replaceKeys([next]);
  const error = t.throws(() => sealer.open(at, sealed), { instanceOf: MeshError });
  t.regex(error?.message ?? '', /k-old/);
  t.notRegex(error?.message ?? '', /hunter2/);
});

test('a record in the clear passes, so that a store from before opens', (t) => {
  const sealer = createSealer({ keys: [toKey('k-1')], chance });
  t.is(sealer.open(at, plain), plain);
  t.false(sealer.isCurrent(plain));
});
