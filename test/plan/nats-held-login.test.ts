// Whether the login that an agent comes back with stands: at the coordinator that gave it and at the
// next one, and never for another than its own, a revoked one, or one that is nearly over.

import test, { type ExecutionContext } from 'ava';
import { toClusterName, toLogKey, toRevision, type ClusterName } from '../../common/model/ids.ts';
import { isthmusApiVersion, isthmusGroup } from '../../common/model/isthmus-kinds.ts';
import { natsKeyText, type HeldNatsLogin, type NatsLogin } from '../../common/model/session.ts';
import { describeLogin, loginDigest } from '../../common/pure/held-login.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { encodeSeed, openSeed, type Nkey } from '../../common/runtime/nkeys.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import { toUserPart } from '../../coordinator/session/nats-jwt.ts';
import { toAgentPermissions } from '../../coordinator/session/nats-permissions.ts';
import { createNatsUsers } from '../../coordinator/session/nats-users.ts';
import { createManualClock } from '../support/manual-clock.ts';

const one = toClusterName('one');
const two = toClusterName('two');
const minute = 60_000;

function makeKey(kind: 'account' | 'user', fill: number): Nkey {
  return openSeed(encodeSeed(kind, new Uint8Array(32).fill(fill)));
}

const account = makeKey('account', 1);
const ownKey = makeKey('user', 2);

async function openWorld(t: ExecutionContext) {
  const clock = createManualClock();
  const counts: string[] = [];
  const chance = { fraction: () => 0, uuid: () => 'id', bytes: (n: number) => new Uint8Array(n) };
  const metrics = {
    ...silentMetrics,
    count: (_name: string, labels?: Readonly<Record<string, string>>) =>
      void counts.push(labels?.['reason'] ?? ''),
  };
  const common = { clock, chance, log: silentLog, metrics };
  const store = createMemoryStore({ disk: createMemoryDisk('store-1') });
  const desired = await createDesired({ ...common, store });
  const put = async (name: ClusterName, uid: string | undefined, status: object = {}) => {
    const key = toLogKey({ group: isthmusGroup, resource: 'clusters', name });
    const object = uid === undefined ? undefined : toCluster(name, uid, status);
    await desired.write({ key, object, expected: desired.get(key)?.revision ?? toRevision(0) });
  };
  /** A coordinator on this log; another signing key: the account's was changed. */
  const coordinator = (signing = account, federation = 'f') => {
    const users = createNatsUsers({
      ...common,
      desired,
      federation,
      account: {
        publicKey: account.publicKey,
        signing,
        lateRevocation: () => undefined,
        publish: () => Promise.resolve(),
        refreshMs: undefined,
        close: () => Promise.resolve(),
      },
      urls: () => [],
      trust: () => undefined,
    });
    t.teardown(() => users.stop());
    return users;
  };
  const users = coordinator();
  await put(one, 'uid-1');
  await put(two, 'uid-2');
  return { clock, desired, users, coordinator, put, counts };
}

function toCluster(name: ClusterName, uid: string, status: object) {
  return {
    apiVersion: isthmusApiVersion,
    kind: 'Cluster',
    metadata: { name, uid },
    spec: {},
    status: { publicKeyHash: `key of ${uid}`, ...status },
  };
}

function toPeer(cluster: ClusterName, clusterUid: string) {
  return { cluster, clusterUid, publicKeyHash: `key of ${clusterUid}` };
}

function prove(key: Nkey, cluster: ClusterName) {
  return { publicKey: key.publicKey, proof: key.sign(Buffer.from(natsKeyText(cluster))) };
}

function heldOf(login: NatsLogin): HeldNatsLogin {
  const held = login.kind === 'granted' ? describeLogin(login.userJwt) : undefined;
  if (held === undefined) throw new Error(`not granted: ${JSON.stringify(login)}`);
  return held;
}

const ownPeer = toPeer(one, 'uid-1');
const ownProof = prove(ownKey, one);

test('N8 the login that is held stands, at the coordinator that gave it and at the next one', async (t) => {
  const { clock, desired, users, coordinator, counts } = await openWorld(t);
  const held = heldOf(await users.login(ownPeer, ownProof));
  const before = desired.revision();
  t.deepEqual(await users.loginUnlessHeld(ownPeer, ownProof, held), { kind: 'stands' });
  await clock.advance(9 * minute);
  t.deepEqual(await coordinator().loginUnlessHeld(ownPeer, ownProof, held), { kind: 'stands' });
  t.is(desired.revision(), before, 'it was written');
  t.deepEqual(counts.filter(Boolean), ['Granted', 'Stands', 'Stands']);
});

test('N8 a login that is due for renewal is given anew', async (t) => {
  const { clock, users } = await openWorld(t);
  const held = heldOf(await users.login(ownPeer, ownProof));
  await clock.advance(10 * minute);
  const next = await users.loginUnlessHeld(ownPeer, ownProof, held);
  t.is(next.kind, 'granted');
  await clock.advance(10 * minute); // over
  t.is((await users.loginUnlessHeld(ownPeer, ownProof, held)).kind, 'granted');
});

test('an agent that tells of none, or of nothing that was given to it, is given one', async (t) => {
  const { users } = await openWorld(t);
  const held = heldOf(await users.login(ownPeer, ownProof));
  const { digest } = held;
  const changed = Uint8Array.from(digest, (byte, at) => (at === 15 ? byte ^ 1 : byte));
  const lies: readonly (HeldNatsLogin | undefined)[] = [
    undefined,
    { ...held, digest: changed },
    { ...held, digest: new Uint8Array(0) },
    { ...held, digest: digest.subarray(0, 15) },
    { ...held, digest: Buffer.concat([digest, new Uint8Array(1)]) },
    { ...held, issuedAtSeconds: held.issuedAtSeconds - 1 },
    { ...held, expiresAtSeconds: held.expiresAtSeconds - 1 },
    { ...held, expiresAtSeconds: Number.MAX_SAFE_INTEGER },
    { digest, issuedAtSeconds: 0, expiresAtSeconds: 0 },
  ];
  for (const lie of lies) {
    t.is(
      (await users.loginUnlessHeld(ownPeer, ownProof, lie)).kind,
      'granted',
      JSON.stringify(lie),
    );
  }
});

test('I8 what another cluster or key was given, or another account or federation gave, does not stand', async (t) => {
  const { users, coordinator } = await openWorld(t);
  const own = heldOf(await users.login(ownPeer, ownProof));
  const otherKey = makeKey('user', 3);
  const peerOfTwo = toPeer(two, 'uid-2');
  const ofTwo = await users.loginUnlessHeld(peerOfTwo, prove(otherKey, two), own);
  t.is(ofTwo.kind, 'granted', 'a copied digest');
  const sameKey = await users.loginUnlessHeld(peerOfTwo, prove(ownKey, two), own);
  t.is(sameKey.kind, 'granted', 'a copied digest, with the same key');
  const otherSigner = coordinator(makeKey('account', 4));
  t.is((await otherSigner.loginUnlessHeld(ownPeer, ownProof, own)).kind, 'granted', 'signing key');
  const otherFederation = coordinator(account, 'g');
  t.is((await otherFederation.loginUnlessHeld(ownPeer, ownProof, own)).kind, 'granted', 'subjects');
  const elsewhere = heldOf(await otherFederation.login(ownPeer, ownProof));
  t.is((await users.loginUnlessHeld(ownPeer, ownProof, elsewhere)).kind, 'granted');
});

test('I8 a login with a wider reach than ours gives does not stand, whoever computed its digest', async (t) => {
  const { clock, users } = await openWorld(t);
  const granted = heldOf(await users.login(ownPeer, ownProof));
  const times = {
    issuedAtSeconds: granted.issuedAtSeconds,
    expiresAtSeconds: granted.expiresAtSeconds,
  };
  const claim = {
    ...times,
    subject: ownKey.publicKey,
    name: 'f/one',
    account: account.publicKey,
    permissions: toAgentPermissions('f', one),
    subscriptionsMax: 32,
  };
  const digestOf = (change: Partial<typeof claim>): HeldNatsLogin => {
    const next = { ...claim, ...change };
    const digest = loginDigest(toUserPart(account.publicKey, next));
    const { issuedAtSeconds, expiresAtSeconds } = next;
    return { digest, issuedAtSeconds, expiresAtSeconds };
  };
  const answer = async (held: HeldNatsLogin) =>
    (await users.loginUnlessHeld(ownPeer, ownProof, held)).kind;
  t.is(await answer(digestOf({})), 'stands');
  t.is(await answer(digestOf({ permissions: { publish: ['>'], subscribe: ['>'] } })), 'granted');
  t.is(await answer(digestOf({ permissions: toAgentPermissions('f', two) })), 'granted');
  t.is(await answer(digestOf({ subscriptionsMax: -1 })), 'granted');
  const { expiresAtSeconds } = times;
  t.is(await answer(digestOf({ expiresAtSeconds: expiresAtSeconds + 3_600 })), 'granted', 'long');
  const ahead = times.issuedAtSeconds + 60; // by a clock that has been set back since (N7)
  t.is(await answer(digestOf({ issuedAtSeconds: ahead })), 'granted');
  await clock.advance(2 * minute);
  t.is(await answer(digestOf({})), 'stands');
});

test('I8 nobody whose key or Cluster is refused is told that its login stands', async (t) => {
  const { users, put } = await openWorld(t);
  const held = heldOf(await users.login(ownPeer, ownProof));
  const ask = (proof = ownProof) => users.loginUnlessHeld(ownPeer, proof, held);
  const foreignProof = { ...ownProof, proof: makeKey('user', 3).sign(Buffer.from('x')) };
  t.like(await ask(foreignProof), { kind: 'refused', reason: 'NatsKeyInvalid' });
  t.like(await users.loginUnlessHeld(ownPeer, undefined, held), { reason: 'AgentTooOld' });
  const publicKeyHash = 'key of uid-1';
  const approval = { decision: 'Denied', publicKeyHash, decidedBy: 'ann' };
  await put(one, 'uid-1', { approval, revokedPublicKeyHash: publicKeyHash });
  t.like(await ask(), { kind: 'refused', reason: 'Revoked' });
  await put(one, undefined);
  t.like(await ask(), { kind: 'refused', reason: 'ClusterRemoved' });
  await put(one, 'uid-9');
  t.like(await ask(), { kind: 'refused', reason: 'ClusterRemoved' });
});

test('I8 a key that was revoked and comes back is given a login, whatever it held before', async (t) => {
  const { clock, users, put } = await openWorld(t);
  const held = heldOf(await users.login(ownPeer, ownProof));
  await put(one, undefined);
  await clock.advance(50); // its keys are revoked
  await put(one, 'uid-1');
  await clock.advance(50);
  const back = await users.loginUnlessHeld(ownPeer, ownProof, held);
  t.is(back.kind, 'granted', 'its record was written anew');
  const again = await users.loginUnlessHeld(ownPeer, ownProof, held);
  t.is(again.kind, 'granted', 'what it held is void');
  await clock.advance(minute);
  const young = await users.loginUnlessHeld(ownPeer, ownProof, heldOf(back as NatsLogin));
  t.is(young.kind, 'stands', 'and what it was given is not');
});
