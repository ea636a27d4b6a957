// A nats-server that is nobody's child but the test's: with a certificate of a CA of its own, and
// either the coordinator's operator (`nats config`) or an operator of its own, as nsc makes one.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { encodeSeed, openSeed, type NkeyKind } from '../../common/runtime/nkeys.ts';
import { createCa } from '../../common/runtime/pki.ts';
import { toTrustLines } from '../../coordinator/session/nats-config.ts';
import { signAccount, signOperator } from '../../coordinator/session/nats-jwt.ts';
import { eventually } from './eventually.ts';
import { issueServer } from './nats-world.ts';
import { takeTestPort } from './test-ports.ts';

export interface ExternalNats {
  readonly url: string;
  /** For --nats-ca-file. */
  readonly caFile: string;
  /** Where files of the test's may stand until the end. */
  readonly folder: string;
  /** Resolves when it listens, trusting these lines of configuration. */
  start(trustLines: readonly string[]): Promise<void>;
  kill(): Promise<void>;
  log(): string;
  end(): Promise<void>;
}

export async function createExternalNats(binary: string): Promise<ExternalNats> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-external-nats-'));
  const at = (name: string): string => join(folder, name);
  const port = await takeTestPort();
  const ca = await createCa({ commonName: 'somebody else', clock, validDays: 1 });
  const server = await issueServer(ca);
  writeFileSync(at('ca.pem'), ca.certPem);
  writeFileSync(at('server.pem'), server.certPem);
  writeFileSync(at('server.key'), server.keyPem, { mode: 0o600 });
  let child: ChildProcess | undefined;
  const log = (): string => readFileSync(at('nats.log'), 'utf8');
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const gone = once(ending, 'exit');
    ending.kill('SIGKILL');
    await gone;
  };
  return {
    url: `tls://127.0.0.1:${port}`,
    caFile: at('ca.pem'),
    folder,
    log,
    kill,
    start: async (trustLines) => {
      writeFileSync(at('isthmus.conf'), `${trustLines.join('\n')}\n`);
      const lines = [
        `listen: "127.0.0.1:${port}"`,
        `log_file: "${at('nats.log')}"`,
        `tls { cert_file: "${at('server.pem')}", key_file: "${at('server.key')}" }`,
        'include ./isthmus.conf',
      ];
      writeFileSync(at('nats.conf'), `${lines.join('\n')}\n`);
      writeFileSync(at('nats.log'), '');
      child = spawn(binary, ['-c', at('nats.conf')], { stdio: 'ignore' });
      await eventually(10_000, () =>
        Promise.resolve(/Server is ready/.test(log()) ? [] : [log().slice(-500)]),
      );
    },
    end: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface TheirAccount {
  readonly trustLines: readonly string[];
  readonly account: string;
  /** Of a signing key of the account. */
  readonly signingSeed: string;
}

/** An operator, a system account and an account with a signing key, of which we get the last. */
export function makeTheirAccount(): TheirAccount {
  const make = (kind: NkeyKind) => encodeSeed(kind, chance.bytes(32));
  const operator = openSeed(make('operator'));
  const [system, account] = [openSeed(make('account')), openSeed(make('account'))];
  const signingSeed = make('account');
  const issuedAtSeconds = Math.floor(clock.now() / 1000);
  const claim = (subject: string, name: string) => ({ subject, name, issuedAtSeconds });
  const systemAccount = system.publicKey;
  return {
    account: account.publicKey,
    signingSeed,
    trustLines: toTrustLines({
      operatorJwt: signOperator(operator, {
        ...claim(operator.publicKey, 'theirs'),
        systemAccount,
      }),
      system: { publicKey: systemAccount, jwt: signAccount(operator, claim(systemAccount, 'SYS')) },
      account: {
        publicKey: account.publicKey,
        jwt: signAccount(operator, {
          ...claim(account.publicKey, 'TELEMETRY'),
          signingKeys: [openSeed(signingSeed).publicKey],
        }),
      },
    }),
  };
}
