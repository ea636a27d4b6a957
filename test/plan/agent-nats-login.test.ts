// The agent's login to NATS under a clock that the test moves: when it asks for another, and what
// it does without an answer, without a session, or with a coordinator that is older.

import test from 'ava';
import { natsKeyText, type NatsKey, type NatsLogin } from '../../common/model/session.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { isSignedBy } from '../../common/runtime/nkeys.ts';
import { createNatsLoginKeeper } from '../../agent/session/nats-login.ts';
import { describeLogin } from '../../common/pure/held-login.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const minute = 60_000;
const granted = (userJwt: string, lifeSeconds = 900): NatsLogin => ({
  kind: 'granted',
  userJwt,
  lifeSeconds,
});

async function open(fraction = 0) {
  const clock = createVirtualClock();
  let seed: string | undefined;
  let made = 0;
  const chance = {
    fraction: () => fraction,
    uuid: () => '',
    bytes: (count: number) => new Uint8Array(count).fill((made += 1)),
  };
  const record = {
    natsSeed: () => seed,
    writeNatsSeed: async (text: string) => {
      seed = text;
    },
  };
  const create = () => createNatsLoginKeeper({ cluster: 'one', clock, chance, log: silentLog });
  const keeper = create();
  const asked: number[] = [];
  const changes: string[] = [];
  keeper.onChange(() => changes.push(keeper.user().kind));
  const leave = keeper.attach(() => void asked.push(clock.monotonicMs()));
  const key = await keeper.key(record);
  return { clock, record, create, keeper, leave, asked, changes, key };
}

test('the key is made once, proves itself, and its seed is kept', async (t) => {
  const { key, create, record, keeper } = await open();
  t.true(isSignedBy(key.publicKey, Buffer.from(natsKeyText('one')), key.proof));
  t.false(isSignedBy(key.publicKey, Buffer.from(natsKeyText('two')), key.proof));
  t.deepEqual(await keeper.key(record), key);
  const next: NatsKey = await create().key(record); // another start of the agent
  t.deepEqual(next, key);
});

for (const [fraction, from, to] of [
  [0, 10, 10],
  [0.999, 12.9, 13],
] as const) {
  test(`another login is asked for between two thirds and nine tenths of its life (${fraction})`, async (t) => {
    const { clock, keeper, asked } = await open(fraction);
    keeper.accept(granted('first'));
    await clock.advance(from * minute - 1);
    t.deepEqual(asked, []);
    await clock.advance((to - from) * minute + 1);
    t.is(asked.length, 1);
  });
}

test('without an answer it asks again every half minute, with one it waits', async (t) => {
  const { clock, keeper, asked } = await open();
  keeper.accept(granted('first'));
  await clock.advance(12 * minute);
  t.deepEqual(
    asked.map((at) => at / minute),
    [10, 10.5, 11, 11.5, 12],
  );
  keeper.accept(granted('second'));
  t.like(keeper.user(), { kind: 'jwt', jwt: 'second' });
  await clock.advance(10 * minute - 1);
  t.is(asked.length, 5);
});

test('without a session nobody is asked: its Welcome brings a login', async (t) => {
  const { clock, keeper, leave, asked, changes } = await open();
  keeper.accept(granted('first'));
  leave();
  await clock.advance(60 * minute);
  t.deepEqual(asked, []);
  t.is(clock.pending(), 0);
  const user = keeper.user();
  t.true(user.kind === 'jwt' && user.endsAtMonotonicMs < clock.monotonicMs());
  keeper.accept(granted('second'));
  t.deepEqual(changes, ['jwt', 'jwt']);
});

test('a refused login is kept and another asked for; a server that refuses it is heard once', async (t) => {
  const { clock, keeper, asked } = await open();
  keeper.accept(granted('first'));
  keeper.accept({ kind: 'refused', reason: 'NatsKeyChangesTooOften', message: 'too often' });
  t.like(keeper.user(), { kind: 'jwt', jwt: 'first' });
  await clock.advance(minute / 2);
  t.is(asked.length, 1);
  keeper.accept(granted('second'));
  for (let attempt = 0; attempt < 20; attempt += 1) keeper.refused();
  await clock.settle();
  t.is(asked.length, 2);
});

test('a coordinator that is older says nothing of logins: the certificate is one', async (t) => {
  const { clock, keeper, changes } = await open();
  t.is(keeper.user().kind, 'none');
  keeper.accept(undefined);
  keeper.accept(undefined); // another session
  t.is(keeper.user().kind, 'certificate');
  t.deepEqual(changes, ['certificate']);
  keeper.refused();
  t.is(clock.pending(), 0);
});

test('a session that ends late does not end the asking of the one after it', async (t) => {
  const { clock, keeper, leave, asked } = await open();
  const later: number[] = [];
  keeper.attach(() => void later.push(clock.monotonicMs()));
  keeper.accept(granted('first'));
  leave();
  await clock.advance(10 * minute);
  t.deepEqual(asked, []);
  t.deepEqual(later, [10 * minute]);
});

/** As the coordinator's, as far as an agent reads it. */
function toJwt(issuedAt: number, life = 900): string {
  const toPart = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${toPart({ typ: 'JWT' })}.${toPart({ iat: issuedAt, exp: issuedAt + life })}.c2lnbmF0dXJl`;
}

test('the login that is held is told of until it is over, and another one then', async (t) => {
  const { clock, keeper } = await open();
  t.is(keeper.held(), undefined);
  keeper.accept(granted(toJwt(1_000)));
  t.like(keeper.held(), { issuedAtSeconds: 1_000, expiresAtSeconds: 1_900 });
  t.is(keeper.held()?.digest.length, 16);
  await clock.advance(15 * minute - 1);
  t.truthy(keeper.held());
  await clock.advance(1);
  t.is(keeper.held(), undefined);
  keeper.accept(granted(toJwt(1_900)));
  t.deepEqual(keeper.held(), describeLogin(toJwt(1_900)));
  keeper.accept(undefined); // the coordinator was set back to one that knows of no logins
  t.is(keeper.held(), undefined);
});

test('a login that cannot be read is used, and not told of', async (t) => {
  const { keeper } = await open();
  for (const jwt of ['first', 'a.b.c', `a.${Buffer.from('null').toString('base64url')}.c`, '..']) {
    keeper.accept(granted(jwt));
    t.is(keeper.held(), undefined, jwt);
    t.like(keeper.user(), { kind: 'jwt', jwt });
  }
});

test('a login that stands changes nothing, and is renewed when it would have been', async (t) => {
  const { clock, keeper, leave, asked, changes } = await open();
  keeper.accept(granted(toJwt(1_000)));
  await clock.advance(4 * minute);
  leave();
  await clock.advance(minute);
  const later: number[] = [];
  keeper.attach(() => void later.push(clock.monotonicMs()));
  keeper.stands();
  t.deepEqual(changes, ['jwt'], 'the connection to NATS would be made anew');
  await clock.advance(5 * minute - 1);
  t.deepEqual(later, []);
  await clock.advance(1);
  t.deepEqual(later, [10 * minute]);
  t.deepEqual(asked, []);
});

test('a login that a server has refused is not told of, and one that was not told of is asked for', async (t) => {
  const { clock, keeper, leave, asked } = await open();
  keeper.accept(granted(toJwt(1_000)));
  leave();
  keeper.refused();
  t.is(keeper.held(), undefined);
  t.like(keeper.user(), { kind: 'jwt' });
  const later: number[] = [];
  keeper.attach(() => void later.push(clock.monotonicMs()));
  keeper.stands(); // Hello had told of it before the server refused it
  await clock.settle();
  t.is(later.length, 1);
  t.deepEqual(asked, []);
  keeper.accept(granted(toJwt(1_001)));
  t.truthy(keeper.held());
});
