// approve, deny and revoke: a person's word on the key of a cluster's agent. One write each, to
// clusters/approval, which names the key that the person saw.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { exitOk, UsageError, type Call, type Command, type Flag } from '../command.ts';
import {
  admittedOf,
  approvalOf,
  clusterArgument,
  clusterPath,
  parseFingerprint,
  requireCluster,
  toFingerprint,
} from './clusters.ts';

const messageFlag: Flag = {
  name: 'message',
  short: 'm',
  value: 'TEXT',
  description: 'Why, for whoever looks later.',
};

const fingerprintFlag: Flag = {
  name: 'fingerprint',
  value: 'HEX',
  description: 'Only this key, as the agent logs it (ab12:cd34:...): another one is refused.',
};

export const approve: Command = {
  words: ['approve'],
  summary: 'Lets a cluster in whose agent waits.',
  details: [
    'An agent waits that joined with a token of --approval Manual, whose certificate had expired, or ' +
      'that was denied or revoked before. Compare the fingerprint with the one in its log.',
  ],
  args: [clusterArgument],
  flags: [fingerprintFlag, messageFlag],
  examples: [
    { says: 'Let it in', line: 'kubectl isthmus approve gke-berlin' },
    {
      says: 'Only if it is the agent whose log you have read',
      line: 'kubectl isthmus approve gke-berlin --fingerprint ab12:cd34:ef56:7890',
    },
  ],
  run: (call) =>
    decide(call, { decision: 'Approved', done: 'approved', from: ['Pending', 'Denied'] }),
};

export const deny: Command = {
  words: ['deny'],
  summary: 'Refuses a cluster whose agent waits.',
  details: ["'kubectl isthmus approve' changes it again; 'unjoin' removes the Cluster for good."],
  args: [clusterArgument],
  flags: [fingerprintFlag, messageFlag],
  examples: [
    { says: 'Refuse it', line: "kubectl isthmus deny gke-berlin -m 'nobody knows this address'" },
  ],
  run: (call) => decide(call, { decision: 'Denied', done: 'denied', from: ['Pending'] }),
};

export const revoke: Command = {
  words: ['revoke'],
  summary: "Cuts off a cluster's agent at once: its stream, its NATS user, its certificate.",
  details: [
    'Its Services stay in the cluster as they are and in DNS as their health says. ' +
      "'kubectl isthmus approve' lets the same agent in again; 'unjoin' removes the cluster.",
  ],
  args: [clusterArgument],
  flags: [fingerprintFlag, messageFlag],
  examples: [
    { says: 'Its key was lost', line: "kubectl isthmus revoke gke-berlin -m 'node disk stolen'" },
  ],
  run: (call) => decide(call, { decision: 'Denied', done: 'revoked', from: ['Approved', ''] }),
};

async function decide(
  { args: [name = ''], flags, io, federation }: Call,
  wish: {
    readonly decision: 'Approved' | 'Denied';
    readonly done: string;
    readonly from: readonly string[];
  },
): Promise<number> {
  const given = flags.text('fingerprint');
  const wanted = given === undefined ? '' : parseFingerprint(given);
  if (wanted === undefined) {
    throw new UsageError(`--fingerprint: "${given ?? ''}" is not one, such as ab12:cd34:ef56:7890`);
  }
  const cluster = await requireCluster(federation(), name);
  const seen = choose(cluster, wanted, wish.done);
  const hash = seen.publicKeyHash;
  if (!hash.startsWith(wanted)) {
    const text = `the agent of cluster ${name} shows the key ${toFingerprint(hash)}, not ${given ?? ''}`;
    throw new MeshError('fatal', 'OTHER_KEY', `${text}: nothing was changed`);
  }
  if (!wish.from.includes(seen.decision)) {
    if (seen.decision === wish.decision && wish.done !== 'revoked') {
      io.out(`cluster.isthmus.dev/${name} is ${wish.done} already\n`);
      return exitOk;
    }
    throw refuse(name, seen.decision, wish.done);
  }
  await federation().mergePatch(`${clusterPath(name)}/approval`, {
    status: {
      approval: {
        decision: wish.decision,
        ...(hash === '' ? {} : { publicKeyHash: hash }),
        ...(flags.text('message') === undefined ? {} : { message: flags.text('message') }),
      },
    },
  });
  const key = hash === '' ? '' : ` (key ${toFingerprint(hash)})`;
  io.out(`cluster.isthmus.dev/${name} ${wish.done}${key}\n`);
  return exitOk;
}

/** Which key it is about: the one that asks or was decided on last, or the one that is in. */
function choose(cluster: KubeObject, wanted: string, done: string) {
  const asked = approvalOf(cluster);
  const own = admittedOf(cluster);
  if (own === undefined || own.publicKeyHash === asked.publicKeyHash) return asked;
  if (done === 'revoked') return own;
  const isOwnMeant = wanted !== '' && own.publicKeyHash.startsWith(wanted);
  return isOwnMeant && !asked.publicKeyHash.startsWith(wanted) ? own : asked;
}

function refuse(name: string, decision: string, done: string): MeshError {
  const instead: Readonly<Record<string, string>> = {
    'denied Approved': `cluster ${name} is in: cut it off with 'kubectl isthmus revoke ${name}'`,
    'revoked Pending': `cluster ${name} is not in yet: refuse it with 'kubectl isthmus deny ${name}'`,
    'revoked Denied': `cluster ${name} is cut off already`,
  };
  const text = instead[`${done} ${decision}`] ?? `no agent has asked for cluster ${name} yet`;
  return new MeshError('fatal', 'NOTHING_TO_DECIDE', text);
}
