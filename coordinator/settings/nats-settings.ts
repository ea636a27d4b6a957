// Settings of the NATS that carries telemetry: our own nats-server, or one of somebody else's.

import { publicKeyKind } from '../../common/runtime/nkeys.ts';
import type { Setting, SettingValues } from '../../common/runtime/settings.ts';

export const natsSettings: readonly Setting[] = [
  {
    name: 'nats-url',
    kind: 'list',
    description:
      'A NATS of your own instead of the supervised nats-server, e.g. tls://nats:4222. It has to trust what `isthmus-coordinator nats config` prints, or to give an account (--nats-account).',
  },
  {
    name: 'nats-ca-file',
    kind: 'text',
    description:
      'PEM file of the CAs that the servers of --nats-url are known by. Default: the public CAs.',
  },
  {
    name: 'nats-account',
    kind: 'text',
    description:
      'Public key (A...) of an account of --nats-url, where it has an operator of its own. Removed clusters can then report for up to 15 minutes.',
  },
  {
    name: 'nats-signing-seed-file',
    kind: 'text',
    description: 'File with the seed (SA...) of a signing key of --nats-account.',
  },
  {
    name: 'nats-server',
    kind: 'text',
    description: 'Path of the nats-server program. Default: found on PATH.',
  },
];

/** What the table's kinds cannot say; undefined when all is well. */
export function checkNatsSettings(values: SettingValues): string | undefined {
  const urls = values.list('nats-url');
  for (const url of urls) {
    if (url.includes('@')) {
      return '--nats-url: users and passwords do not belong there; the coordinator logs in by itself';
    }
    if (!/^(tls|nats):\/\/[^/]+$/.test(url)) {
      return `--nats-url: "${url}" is not an address such as tls://nats.example.com:4222`;
    }
  }
  for (const name of ['nats-ca-file', 'nats-account', 'nats-signing-seed-file']) {
    if (values.text(name) !== undefined && urls.length === 0) {
      return `--${name} is about a NATS of your own: give --nats-url too, or leave it out`;
    }
  }
  const account = values.text('nats-account');
  if ((account === undefined) !== (values.text('nats-signing-seed-file') === undefined)) {
    return '--nats-account and --nats-signing-seed-file go together: give both or none';
  }
  if (account !== undefined && publicKeyKind(account) !== 'account') {
    return `--nats-account: "${account}" is not the public key of an account (A and 55 letters and digits, as nsc describe account shows it)`;
  }
  return undefined;
}
