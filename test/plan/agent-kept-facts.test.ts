// Which key a token is asked with when replicas change, and that it is safe in the Secret before.

import test from 'ava';
import { createFactsKeeper, planAdoption } from '../../agent/leader/kept-facts.ts';
import { toReplacedKey } from '../../common/pure/replaced-key.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { createCa } from '../../common/runtime/pki.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { MemoryTables } from '../support/replica-world.ts';

const path = { namespace: 'x', name: 'identity' };
const asking = (keyPem: string, replacedKey?: string) => ({
  keyPem,
  certPem: undefined,
  caPem: undefined,
  tokenHash: `token of ${keyPem}`,
  ...(replacedKey === undefined ? {} : { replacedKey }),
});
const factsOf = (identity: unknown) => new Map<string, unknown>([['identity', identity]]);
const takes = (own: unknown, kept: unknown): boolean =>
  planAdoption(factsOf(own), factsOf(kept)).length > 0;

/** A keeper whose writes of the Secret wait until they are let go, or refused. */
function begin() {
  const clock = createManualClock();
  const writes: { readonly text: string; done(): void; refuse(): void }[] = [];
  const kube = {
    mergePatch: (_path: unknown, _name: unknown, patch: unknown) =>
      new Promise((resolve, reject) => {
        const refuse = (): void => reject(new Error('refused'));
        writes.push({ text: readIdentity(patch), done: () => resolve({}), refuse });
      }),
  } as unknown as KubeClient;
  const keeper = createFactsKeeper({ kube, clock, chance: systemChance, log: silentLog }, path);
  const own = new MemoryTables();
  const tables = keeper.keep(own);
  const commit = (identity: unknown) => {
    const told = { outcome: 'open' };
    tables.commit([{ table: 'facts', key: 'identity', value: identity }]).then(
      () => (told.outcome = 'kept'),
      (error: unknown) => (told.outcome = String(error)),
    );
    return told;
  };
  return { clock, writes, own, commit };
}

function readIdentity(patch: unknown): string {
  const { data } = patch as { readonly data: { readonly identity?: string } };
  return Buffer.from(data.identity ?? '', 'base64').toString();
}

test('a key is kept when the write that has it is done, not one that was under way', async (t) => {
  const { clock, writes, commit } = begin();
  await clock.advance(10);
  const told = commit(asking('k1'));
  await clock.advance(10);
  t.is(writes[0]?.text, '');
  writes[0]?.done();
  await clock.advance(10);
  t.is(told.outcome, 'open');
  t.regex(writes[1]?.text ?? '', /"keyPem":"k1"/);
  writes[1]?.done();
  await clock.advance(10);
  t.is(told.outcome, 'kept');
});

test('a key that the Secret does not take is not asked with', async (t) => {
  const { clock, writes, commit } = begin();
  await clock.advance(10);
  writes[0]?.done();
  await clock.advance(10);
  const told = commit(asking('k1'));
  await clock.advance(10);
  writes[1]?.refuse();
  await clock.advance(4_000);
  t.regex(told.outcome, /could not be written to Secret x\/identity, so the token was not used/);
});

test('a key that the replica which leads now wrote over is not asked with', async (t) => {
  const { clock, writes, own, commit } = begin();
  await clock.advance(10);
  writes[0]?.done();
  await clock.advance(10);
  const told = commit(asking('k1'));
  await clock.advance(10);
  await own.commit([{ table: 'facts', key: 'identity', value: asking('k2') }]);
  writes[1]?.refuse();
  await clock.advance(1_000);
  writes[2]?.done();
  await clock.advance(10);
  t.regex(told.outcome, /the token was not used/);
});

test('a certificate that the Secret does not take is used all the same', async (t) => {
  const { clock, writes, commit } = begin();
  await clock.advance(10);
  writes[0]?.done();
  const told = commit({ ...asking('k1'), certPem: 'c' });
  await clock.advance(10);
  writes[1]?.refuse();
  await clock.advance(4_000);
  t.is(told.outcome, 'kept');
});

test('a replica with the former certificate takes the key that asks in its place, and goes on with it', async (t) => {
  const clock = createManualClock();
  const { certPem } = await createCa({ clock, validDays: 1, commonName: 'x' });
  const former = { ...asking('k0'), certPem };
  const next = asking('k1', toReplacedKey(former));
  t.true(takes(former, next));
  t.false(takes(next, former));
  // Another token, before the first was answered.
  const later = asking('k2', toReplacedKey(next));
  t.true(takes(former, later));
  t.true(takes(next, later)); // what the Secret has was asked with
  // A certificate for any other key came after.
  t.true(takes(next, { ...asking('k9'), certPem }));
  t.false(takes({ ...asking('k9'), certPem }, next));
  t.true(takes(undefined, next));
});
