// Which key approve, deny and revoke are about, while one is in and another asks for its place.

import test from 'ava';
import type { ClusterApproval } from '../../common/model/isthmus-kinds.ts';
import type { Call } from '../../plugin/command.ts';
import { approve, deny, revoke } from '../../plugin/commands/approve.ts';

const [own, other] = ['aa'.repeat(32), 'bb'.repeat(32)];

interface Given {
  readonly approval?: Pick<ClusterApproval, 'decision' | 'publicKeyHash'>;
  readonly isRevoked?: boolean;
  readonly fingerprint?: string;
}

async function decide(command: typeof approve, given: Given): Promise<string> {
  const { approval, isRevoked = false, fingerprint } = given;
  const status = {
    publicKeyHash: own,
    ...(isRevoked ? { revokedPublicKeyHash: own } : {}),
    ...(approval === undefined ? {} : { approval }),
  };
  const cluster = { apiVersion: '', kind: 'Cluster', metadata: { name: 'one' }, status };
  let written = 'nothing';
  const federation = {
    get: () => Promise.resolve(cluster),
    mergePatch: (_path: string, patch: { status: { approval: ClusterApproval } }) => {
      const { decision, publicKeyHash } = patch.status.approval;
      written = `${decision} ${publicKeyHash === own ? 'own' : 'other'}`;
      return Promise.resolve(cluster);
    },
  };
  const call = {
    args: ['one'],
    flags: { text: (name: string) => (name === 'fingerprint' ? fingerprint : undefined) },
    io: { out: () => undefined, say: () => undefined },
    federation: () => federation,
  } as unknown as Call; // what these commands need of it
  try {
    await command.run(call);
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return written;
}

const waiting = { decision: 'Pending', publicKeyHash: other } as const;
const denied = { decision: 'Denied', publicKeyHash: other } as const;

test('revoke cuts off the key that is in, while another one waits or was denied', async (t) => {
  t.is(await decide(revoke, { approval: waiting }), 'Denied own');
  t.is(await decide(revoke, { approval: denied }), 'Denied own');
  t.is(await decide(revoke, {}), 'Denied own');
  t.regex(await decide(revoke, { approval: waiting, isRevoked: true }), /is cut off already/);
  t.regex(
    await decide(revoke, { approval: waiting, fingerprint: 'bb'.repeat(8) }),
    /shows the key/,
  );
});

test('approve and deny are about the key that waits, unless a fingerprint says the other', async (t) => {
  t.is(await decide(approve, { approval: waiting }), 'Approved other');
  t.is(await decide(deny, { approval: waiting }), 'Denied other');
  const back = { approval: denied, isRevoked: true, fingerprint: 'aa'.repeat(8) };
  t.is(await decide(approve, back), 'Approved own');
  t.is(await decide(approve, { approval: denied, isRevoked: true }), 'Approved other');
});
