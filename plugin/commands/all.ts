// Every command, in the order in which help shows them.

import type { Command } from '../command.ts';
import { approve, deny, revoke } from './approve.ts';
import { completion } from './completion.ts';
import { cordon, uncordon } from './cordon.ts';
import { credentialsRemove } from './credentials.ts';
import { checkDns } from './check-dns.ts';
import { dnsConfirm, dnsFreeze, dnsUnfreeze } from './dns-hold.ts';
import { dnsImport } from './dns-import.ts';
import { dnsPlan } from './dns-plan.ts';
import { dnsRelease } from './dns-release.ts';
import { explainDns } from './explain-dns.ts';
import { explain } from './explain.ts';
import { join } from './join.ts';
import { status } from './status.ts';
import { tokensList, tokensRevoke } from './tokens.ts';
import { claim, release, unclaimed } from './unclaimed.ts';
import { unjoin } from './unjoin.ts';
import { version } from './version.ts';

export const commands: readonly Command[] = [
  status,
  explain,
  explainDns,
  checkDns,
  dnsPlan,
  dnsConfirm,
  dnsFreeze,
  dnsUnfreeze,
  dnsImport,
  dnsRelease,
  join,
  approve,
  deny,
  revoke,
  tokensList,
  tokensRevoke,
  credentialsRemove,
  cordon,
  uncordon,
  unjoin,
  unclaimed,
  claim,
  release,
  completion,
  version,
];
