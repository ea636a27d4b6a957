// Whatever agents announce and clusters go through: a login that should be over is revoked for as
// long as it could be good, and the one that was given out last is not.

import test from 'ava';
import fc from 'fast-check';
import {
  collectRevocations,
  isAsGoodAsNew,
  planRecord,
  planUser,
  revokedKeysMax,
  userLifeSeconds,
  type NatsUserRecord,
} from '../../coordinator/session/nats-plan.ts';

type Step =
  | { readonly kind: 'login'; readonly key: number }
  /** The Cluster goes, or another one comes under its name. */
  | { readonly kind: 'cluster'; readonly uid: number | undefined }
  | { readonly kind: 'time'; readonly seconds: number }
  /** What the loop does by itself, whenever it comes to it. */
  | { readonly kind: 'keep' };

interface Login {
  readonly userKey: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('login' as const), key: fc.nat({ max: 3 }) }),
  fc.record({
    kind: fc.constant('cluster' as const),
    uid: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
  }),
  fc.record({
    kind: fc.constant('time' as const),
    seconds: fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: 2_000 })),
  }),
  fc.record({ kind: fc.constant('keep' as const) }),
);

class World {
  now = 1_000_000;
  uid: number | undefined = 0;
  record: NatsUserRecord | undefined;
  /** How often a login that was given out before was as good as the new one. */
  standing = 0;
  readonly logins: Login[] = [];

  take(next: Step): void {
    if (next.kind === 'time') this.now += next.seconds;
    if (next.kind === 'cluster') this.uid = next.uid;
    if (next.kind === 'login') this.#logIn(`U${next.key}`);
    if (next.kind === 'keep') this.settle();
  }

  /** Runs until nothing is left to do, as the loop does. */
  settle(): void {
    for (let run = 0; this.record !== undefined && run < 5; run += 1) {
      const isLiving = this.record.clusterUid === String(this.uid);
      const plan = planRecord(this.record, isLiving, this.now);
      if (plan.kind === 'keep') return;
      this.record = plan.kind === 'write' ? plan.record : undefined;
    }
  }

  #logIn(userKey: string): void {
    if (this.uid === undefined) return; // its certificate names a Cluster that is gone
    const asked = { clusterUid: String(this.uid), publicKeyHash: 'hash', userKey };
    const plan = planUser(this.record, asked, this.now);
    if (plan.kind === 'refuse') return;
    if (plan.kind === 'write') this.record = plan.record;
    const now = { seconds: this.now, lifeSeconds: userLifeSeconds };
    for (const login of this.logins) {
      const held = { issuedAtSeconds: login.issuedAt, expiresAtSeconds: login.expiresAt };
      if (login.userKey !== userKey || !isAsGoodAsNew(held, plan, now)) continue;
      this.standing += 1;
      if (this.isRevoked(login)) throw new Error(`stands and is void: ${JSON.stringify(login)}`);
    }
    const expiresAt = this.now + userLifeSeconds;
    this.logins.push({ userKey, issuedAt: plan.issuedAtSeconds, expiresAt });
  }

  isRevoked({ userKey, issuedAt }: Login): boolean {
    const records = this.record === undefined ? [] : [this.record];
    return issuedAt <= (collectRevocations(records, this.now).get(userKey) ?? 0);
  }
}

test('I8 N8 what should be over is revoked while it could be good, and the last login is not', (t) => {
  let standing = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const world = new World();
      for (const next of steps) {
        world.take(next);
        const before = world.record;
        world.settle();
        const current = world.record?.userKey;
        const good = world.logins.filter(({ expiresAt }) => world.now < expiresAt);
        for (const login of good) {
          if (login.userKey !== current) t.true(world.isRevoked(login), JSON.stringify(login));
        }
        const last = world.logins.at(-1);
        const isIn = next.kind === 'login' && world.uid !== undefined && last?.userKey === current;
        if (isIn && last !== undefined && before === world.record) t.false(world.isRevoked(last));
        // One more than the bound: a cluster that goes is revoked whatever it did before.
        t.true((world.record?.revoked.length ?? 0) <= revokedKeysMax + 1);
      }
      standing += world.standing;
    }),
    { numRuns: 500 },
  );
  t.true(standing > 0, `${standing} stood`);
});
