// What nats-servers have to trust: operator, system account and account. Of our own nats-server it
// is a part of its configuration; for a NATS of somebody else's it stands in a file, no secret.
//
//   nats-trust.conf      in the data directory; `isthmus-coordinator nats config` prints it

import { join } from 'node:path';
import type { Clock } from '../../common/runtime/clock.ts';
import { writePrivateFile } from '../../common/runtime/private-file.ts';
import type { Desired } from '../desired/store.ts';
import type { NatsKeys } from './nats-keys.ts';
import { signOurAccount } from '../session/nats-account.ts';
import { toTrustLines, type NatsTrustInput } from '../session/nats-config.ts';
import { signAccount, signOperator } from '../session/nats-jwt.ts';
import { revocationsIn } from '../session/nats-users.ts';

/** With the revocations that stand in the log, when it is given. */
export function toTrust(
  { clock }: { readonly clock: Clock },
  keys: NatsKeys,
  desired?: Desired,
): NatsTrustInput {
  const { operator, system, account } = keys;
  const issuedAtSeconds = Math.floor(clock.now() / 1000);
  const systemAccount = system.publicKey;
  const revocations = desired === undefined ? undefined : revocationsIn(desired, issuedAtSeconds);
  return {
    operatorJwt: signOperator(operator, {
      subject: operator.publicKey,
      name: 'isthmus',
      issuedAtSeconds,
      systemAccount,
    }),
    system: {
      publicKey: systemAccount,
      jwt: signAccount(operator, { subject: systemAccount, name: 'SYS', issuedAtSeconds }),
    },
    account: {
      publicKey: account,
      jwt: signOurAccount(keys, issuedAtSeconds, revocations),
    },
  };
}

export function toTrustPath(dataDir: string): string {
  return join(dataDir, 'nats-trust.conf');
}

/** Returns what it wrote. */
export async function writeTrust(dataDir: string, trust: NatsTrustInput): Promise<string> {
  const lines = [
    '# What nats-server has to trust for Isthmus: include this. No secret. Revocations are not in',
    '# it: the coordinator tells the servers. From isthmus-coordinator nats config.',
    ...toTrustLines(trust),
  ];
  const text = `${lines.join('\n')}\n`;
  await writePrivateFile(toTrustPath(dataDir), text);
  return text;
}
