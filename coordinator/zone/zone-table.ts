// The embedded zones without thread and sockets: same feed, fold and answers, asked by a call. For
// the simulation, and for whoever wants to know what DNS would say.

import { recordTypes, toWireName } from '../../common/pure/dns-wire.ts';
import type { Desired } from '../desired/store.ts';
import { ZoneResponder, type ZoneAnswer } from './answer.ts';
import { feedZones } from './feed.ts';
import type { ZoneSettings } from './plan-zones.ts';
import { ServedZones } from './served-zones.ts';

export interface ZoneTable {
  /** The reply to a message, as the sockets would send it. */
  answer(request: Uint8Array, transport: 'udp' | 'tcp'): ZoneAnswer;
  /** Reply bytes to a question in text. */
  query(name: string, type: keyof typeof recordTypes): ZoneAnswer;
  close(): void;
}

export function createZoneTable(options: ZoneSettings & { readonly desired: Desired }): ZoneTable {
  const zones = new ServedZones(options, []);
  const responder = new ZoneResponder(zones);
  const { desired } = options;
  const feed = feedZones({ desired, settings: options, onDelta: (delta) => zones.apply(delta) });
  return {
    answer: (request, transport) => responder.answer(request, transport),
    query: (name, type) => responder.answer(toRequest(name, recordTypes[type]), 'tcp'),
    close: () => feed.stop(),
  };
}

function toRequest(name: string, type: number): Uint8Array {
  const wire = Buffer.from(toWireName(name) ?? '\0', 'latin1');
  const bytes = Buffer.alloc(12 + wire.length + 4);
  bytes.writeUInt16BE(1, 4);
  wire.copy(bytes, 12);
  bytes.writeUInt16BE(type, 12 + wire.length);
  bytes.writeUInt16BE(1, 14 + wire.length);
  return bytes;
}
