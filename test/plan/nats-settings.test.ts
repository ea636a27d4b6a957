// Settings of a NATS of somebody else's: what is wrong is named before anything starts.

import test from 'ava';
import { readSettings } from '../../common/runtime/settings.ts';
import { encodeSeed, openSeed } from '../../common/runtime/nkeys.ts';
import {
  checkCoordinatorSettings,
  coordinatorProgram,
} from '../../coordinator/settings/settings.ts';

const account = openSeed(encodeSeed('account', new Uint8Array(32).fill(1))).publicKey;
const user = openSeed(encodeSeed('user', new Uint8Array(32).fill(1))).publicKey;
const url = '--nats-url=tls://nats.example.com:4222';

function check(...argv: readonly string[]): string | undefined {
  const outcome = readSettings(coordinatorProgram('0.0.0'), { argv, env: {} });
  return outcome.kind === 'run' ? checkCoordinatorSettings(outcome.values) : 'not read';
}

const fine: readonly (readonly string[])[] = [
  [],
  [url],
  ['--nats-url=tls://a:4222,tls://b:4222', '--nats-ca-file=ca.pem'],
  [url, `--nats-account=${account}`, '--nats-signing-seed-file=seed'],
];
for (const argv of fine) {
  test(`good: ${argv.join(' ').slice(0, 60)}`, (t) => t.is(check(...argv), undefined));
}

const wrong: readonly { readonly argv: readonly string[]; readonly says: RegExp }[] = [
  { argv: ['--nats-url=nats.example.com'], says: /^--nats-url: "nats\.example\.com" is not/ },
  {
    argv: ['--nats-url=tls://me:secret@nats:4222'],
    says: /^(?!.*secret).*passwords do not belong/,
  },
  { argv: ['--nats-ca-file=ca.pem'], says: /^--nats-ca-file .*give --nats-url too/ },
  { argv: [url, `--nats-account=${account}`], says: /go together: give both or none/ },
  { argv: [url, '--nats-signing-seed-file=seed'], says: /go together: give both or none/ },
  {
    argv: [url, `--nats-account=${user}`, '--nats-signing-seed-file=seed'],
    says: /^--nats-account: "U.*" is not the public key of an account/,
  },
];
for (const { argv, says } of wrong) {
  test(`refused: ${argv.join(' ').slice(0, 60)}`, (t) => t.regex(check(...argv) ?? '', says));
}
