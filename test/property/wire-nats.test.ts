// What the session says of logins to NATS survives the trip over the wire, beside whatever else a
// Hello and a Welcome carry; see ./wire.test.ts.

import test from 'ava';
import fc from 'fast-check';
import { toClusterName, toRevision } from '../../common/model/ids.ts';
import type {
  AgentMessage,
  CoordinatorMessage,
  HeldNatsLogin,
} from '../../common/model/session.ts';
import {
  decodeAgentMessage,
  decodeCoordinatorMessage,
  encodeAgentMessage,
  encodeCoordinatorMessage,
} from '../../common/wire/mesh-codec.ts';

const word = fc.stringMatching(/^[A-Z][A-Za-z]{0,20}$/);
const sentence = fc.string({ maxLength: 60 });
const natsKey = fc.record({
  publicKey: word,
  proof: fc.uint8Array({ minLength: 1, maxLength: 64 }),
});
const login = fc.oneof(
  fc.record({
    kind: fc.constant('granted' as const),
    userJwt: word,
    lifeSeconds: fc.nat({ max: 1_000_000 }),
  }),
  fc.record({ kind: fc.constant('refused' as const), reason: word, message: sentence }),
);
const trust = fc.oneof(
  fc.constant({ kind: 'publicCas' as const }),
  fc.record({ kind: fc.constant('cas' as const), caPem: word }),
);

const bareHello = {
  kind: 'hello',
  cluster: toClusterName('one'),
  incarnation: { session: 1, boot: 2 },
  viewRevision: toRevision(3),
  receipt: undefined,
  digest: '0'.repeat(16),
  topology: { zones: [], region: undefined, provider: undefined },
  agentVersion: '',
  kubernetesVersion: '',
} as const;
const bareWelcome = {
  kind: 'welcome',
  session: 1,
  federation: 'f',
  domain: 'example.com',
  natsUrls: ['tls://nats:4222'],
  wantsInventory: false,
  ttlSeconds: 60,
} as const;

test('a key arrives as it was sent, in Hello and in a renewal', (t) => {
  fc.assert(
    fc.property(natsKey, (key) => {
      const hello: AgentMessage = { ...bareHello, natsKey: key };
      const renewal: AgentMessage = { kind: 'natsRenewal', natsKey: key };
      t.like(decodeAgentMessage(encodeAgentMessage(hello)), { natsKey: plain(key) });
      t.deepEqual(decodeAgentMessage(encodeAgentMessage(renewal)), {
        kind: 'natsRenewal',
        natsKey: plain(key),
      } as AgentMessage);
    }),
  );
  t.pass();
});

test('which login is held arrives as it was sent, and that it stands', (t) => {
  const held = fc.record({
    digest: fc.uint8Array({ maxLength: 64 }),
    issuedAtSeconds: fc.nat(),
    expiresAtSeconds: fc.nat(),
  });
  fc.assert(
    fc.property(natsKey, fc.option(held, { nil: undefined }), (key, heldNatsLogin) => {
      const hello: AgentMessage = { ...bareHello, natsKey: key, heldNatsLogin };
      const read = decodeAgentMessage(encodeAgentMessage(hello));
      t.deepEqual(read.kind === 'hello' && read.heldNatsLogin, toBuffers(heldNatsLogin));
    }),
  );
  const standing: CoordinatorMessage = { ...bareWelcome, natsLoginStands: true };
  t.deepEqual(decodeCoordinatorMessage(encodeCoordinatorMessage(standing)), standing);
});

test('a login and what servers are known by arrive as they were sent', (t) => {
  fc.assert(
    fc.property(login, fc.option(trust, { nil: undefined }), (natsLogin, natsTrust) => {
      const welcome: CoordinatorMessage = {
        ...bareWelcome,
        natsLogin,
        ...(natsTrust === undefined ? {} : { natsTrust }),
      };
      t.deepEqual(decodeCoordinatorMessage(encodeCoordinatorMessage(welcome)), welcome);
      const renewed: CoordinatorMessage = { kind: 'natsLogin', login: natsLogin };
      t.deepEqual(decodeCoordinatorMessage(encodeCoordinatorMessage(renewed)), renewed);
    }),
  );
  t.pass();
});

function plain(key: { readonly publicKey: string; readonly proof: Uint8Array }) {
  return { publicKey: key.publicKey, proof: Buffer.from(key.proof) };
}

function toBuffers(held: HeldNatsLogin | undefined): HeldNatsLogin | undefined {
  return held && { ...held, digest: Buffer.from(held.digest) };
}
