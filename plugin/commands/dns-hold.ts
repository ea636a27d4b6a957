// dns confirm, freeze and unfreeze: a person's word about writes to a DNSZone's provider.

import type { DnsZone } from '../../common/model/dns-zone.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { exitOk, type Call, type Command } from '../command.ts';
import { textAt } from '../output.ts';
import { dnsZonePath, requireZone, zoneArgument } from './dns-facts.ts';
import { readPlan } from './dns-plan.ts';

export const dnsConfirm: Command = {
  words: ['dns', 'confirm'],
  summary: 'Lets a held plan of a DNSZone go ahead.',
  details: [
    'A change that would remove or retype many names at once, and that no event of a living cluster ' +
      "explains, is held. 'kubectl isthmus dns plan' shows it and its hash, which names exactly that " +
      'plan: if it changes meanwhile, the confirmation counts for nothing.',
  ],
  args: [zoneArgument, { name: 'HASH' }],
  flags: [],
  examples: [
    { says: 'After reading the plan', line: 'kubectl isthmus dns confirm public 4f1a09c2' },
  ],
  run: async ({ args: [name = '', hash = ''], io, federation }) => {
    const to = federation();
    const zone = await requireZone(to, name);
    const held = textAt(await readPlan(to, name), 'status', 'held', 'hash');
    if (held === '') {
      if (zone.spec.confirmedPlan === hash) {
        io.out(`${toTitle(name)} plan ${hash} already confirmed\n`);
        return exitOk;
      }
      throw new MeshError(
        'fatal',
        'NOTHING_HELD',
        `DNSZone "${name}" holds no plan: nothing was changed`,
      );
    }
    if (held !== hash) {
      const text =
        `DNSZone "${name}" holds the plan ${held}, not ${hash}: nothing was changed. Read it again ` +
        `with: kubectl isthmus dns plan ${name}`;
      throw new MeshError('fatal', 'OTHER_PLAN', text);
    }
    await to.mergePatch(dnsZonePath(name), { spec: { confirmedPlan: hash } });
    io.out(`${toTitle(name)} plan ${hash} confirmed\n`);
    return exitOk;
  },
};

export const dnsFreeze: Command = {
  words: ['dns', 'freeze'],
  summary: 'Stops every write to the provider of a DNSZone; names stay as they are.',
  details: [
    'Also withdrawals stop: an address that dies meanwhile stays in its names. The embedded zone has ' +
      'no provider, and cannot be frozen.',
  ],
  args: [zoneArgument],
  flags: [],
  examples: [{ says: 'Before a change by hand', line: 'kubectl isthmus dns freeze public' }],
  run: (call) => hold(call, true),
};

export const dnsUnfreeze: Command = {
  words: ['dns', 'unfreeze'],
  summary: 'Lets a frozen DNSZone be written again, with what has changed meanwhile.',
  args: [zoneArgument],
  flags: [],
  examples: [{ says: 'After it', line: 'kubectl isthmus dns unfreeze public' }],
  run: (call) => hold(call, false),
};

async function hold(
  { args: [name = ''], io, federation }: Call,
  isFrozen: boolean,
): Promise<number> {
  const to = federation();
  const zone = await requireZone(to, name);
  if (isFrozen) refuseEmbedded(zone);
  const done = isFrozen ? 'frozen' : 'unfrozen';
  const isSo = (zone.spec.frozen === true) === isFrozen;
  if (!isSo) await to.mergePatch(dnsZonePath(name), { spec: { frozen: isFrozen ? true : null } });
  io.out(`${toTitle(name)} ${isSo ? `already ${done}` : done}\n`);
  return exitOk;
}

function refuseEmbedded({ metadata, spec }: DnsZone): void {
  if (spec.provider !== 'Embedded') return;
  const text =
    `DNSZone "${metadata.name}" is answered by the coordinator itself: there is no provider whose ` +
    'records could stay as they are';
  throw new MeshError('fatal', 'NO_PROVIDER', text);
}

function toTitle(name: string): string {
  return `dnszone.isthmus.dev/${name}`;
}
