// dns release: hands a DNSZone's records back. They stay as they are and nobody of us keeps them any
// more: the marks and the fence go, then the DNSZone.

import { MeshError } from '../../common/pure/errors.ts';
import { exitOk, type Command } from '../command.ts';
import { textAt } from '../output.ts';
import { dnsZonePath, requireZone, zoneArgument } from './dns-facts.ts';

export const dnsRelease: Command = {
  words: ['dns', 'release'],
  summary: "Hands a DNSZone's records back: they stay, and somebody else may own them.",
  details: [
    'Only our owner marks and the fence are removed at the provider, and then the DNSZone goes. ' +
      'Names keep their last addresses from then on, also of clusters that die: let the next owner ' +
      'take them over soon. Other DNSZones go on.',
  ],
  args: [zoneArgument],
  flags: [{ name: 'dry-run', description: 'Says what would be handed back, and changes nothing.' }],
  examples: [
    { says: 'How much that is', line: 'kubectl isthmus dns release public --dry-run' },
    { says: 'Hand it back', line: 'kubectl isthmus dns release public' },
  ],
  run: async ({ args: [name = ''], flags, io, federation }) => {
    const to = federation();
    const zone = await requireZone(to, name);
    if (zone.spec.provider === 'Embedded') {
      const text =
        `DNSZone "${name}" is answered by the coordinator itself: without it there is nobody who ` +
        `would answer. To end it: kubectl delete dnszone ${name}`;
      throw new MeshError('fatal', 'NO_PROVIDER', text);
    }
    if (zone.spec.frozen === true) {
      const text =
        `DNSZone "${name}" is frozen, so that its marks cannot go: kubectl isthmus dns unfreeze ` +
        `${name}, then again`;
      throw new MeshError('fatal', 'FROZEN', text);
    }
    const count = textAt(zone, 'status', 'recordSets') || '0';
    const title = `dnszone.isthmus.dev/${name}`;
    if (flags.isOn('dry-run')) {
      io.out(`${title}: ${count} record sets would be handed back (dry run)\n`);
      return exitOk;
    }
    await to.mergePatch(dnsZonePath(name), { spec: { deletionPolicy: 'Orphan' } });
    await to.delete(dnsZonePath(name));
    io.out(`${title}: ${count} record sets are handed back; it goes when its marks have\n`);
    return exitOk;
  },
};
