// A DNS server over UDP and TCP whose records a test chooses: a resolver that knows a small world, or
// a server of one zone.

import { decode, encode, AUTHORITATIVE_ANSWER, type Answer, type Packet } from 'dns-packet';
import { systemClock } from '../../../common/runtime/clock.ts';
import { listenDns } from '../../../common/runtime/dns-sockets.ts';

export interface FakeResolver {
  readonly port: number;
  /** `NAME TYPE` of each question, in order. */
  readonly asked: string[];
  close(): Promise<void>;
}

export interface FakeRecords {
  readonly [nameAndType: string]: readonly string[];
}

const nxdomain = 3;

export async function openFakeResolver(records: FakeRecords): Promise<FakeResolver> {
  const asked: string[] = [];
  const sockets = await listenDns({
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    onIncident: () => undefined,
    answer: (request) => {
      const query = decode(Buffer.from(request));
      const [question] = query.questions ?? [];
      const at = `${question?.name.toLowerCase() ?? ''} ${question?.type ?? ''}`;
      asked.push(at);
      const found = records[at] ?? [];
      const isKnown = Object.keys(records).some((key) => key.startsWith(`${question?.name} `));
      const answers = found.map(
        (data) => ({ name: question?.name ?? '', type: question?.type, ttl: 60, data }) as Answer,
      );
      const packet: Packet = {
        type: 'response',
        id: query.id ?? 0,
        flags: AUTHORITATIVE_ANSWER | (isKnown ? 0 : nxdomain),
        questions: question === undefined ? [] : [question],
        answers,
      };
      return encode(packet);
    },
  });
  return { port: sockets.port, asked, close: () => sockets.close() };
}
