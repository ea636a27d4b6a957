// moto's server as a subject of the provider suite: an imitation of Route 53 that we did not write.

import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../../common/runtime/clock.ts';
import { silentLog } from '../../../../common/runtime/log.ts';
import type { ZoneRecordSet } from '../../../../coordinator/dns/provider/provider.ts';
import { openRoute53 } from '../../../../coordinator/dns/provider/route53.ts';
import type { ProviderSubject } from '../../../contract/dns-provider.ts';
import { findPython } from '../../python-client.ts';
import { startServerProcess } from '../../server-process.ts';
import { writeRecordSet } from './record-set.ts';
import { toStored } from './subject.ts';
import { parseXml, textOf, childOf, toXml } from './xml.ts';

export const moto = findPython('python-aws');

export interface Moto {
  readonly endpoint: string;
  stop(): Promise<void>;
}

const readyWithinMs = 60_000;

export async function startMoto(): Promise<Moto> {
  const server = startServerProcess({
    name: 'moto',
    path: moto.python,
    flags: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'],
  });
  const endMs = systemClock.monotonicMs() + readyWithinMs;
  while (systemClock.monotonicMs() < endMs) {
    const endpoint = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(server.logs())?.[1];
    if (endpoint !== undefined) return { endpoint, stop: () => server.stop() };
    await Promise.race([wait(50), server.ended]);
  }
  throw new Error(`moto is not ready: ${server.logs()}`);
}

const version = '2013-04-01';
const namespace = `https://route53.amazonaws.com/doc/${version}/`;
// It checks no signature, but takes the account from the key.
const headers = {
  'content-type': 'text/xml',
  authorization: 'AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/route53/aws4_request',
};
const setsPerRequest = 100;
const faultsMax = 3;

export async function openMotoSubject({ endpoint }: Moto): Promise<ProviderSubject> {
  const apex = 'example.com';
  const hostedZoneId = await createZone(endpoint, apex);
  const provider = openRoute53({
    hostedZoneId,
    endpoint,
    credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'any' },
    clock: systemClock,
    log: silentLog,
  });
  const change = async (action: string, sets: readonly ZoneRecordSet[]): Promise<void> => {
    for (let at = 0; at < sets.length; at += setsPerRequest) {
      const changes = sets.slice(at, at + setsPerRequest).map((set) => {
        // As it was written, in whatever case; the rest is as the service would have it.
        const pairs = writeRecordSet({ ...toStored(set), name: `${set.name}.` });
        return [
          'Change',
          [
            ['Action', action],
            ['ResourceRecordSet', pairs],
          ],
        ] as const;
      });
      const batch = toXml([['ChangeBatch', [['Changes', changes]]]]);
      await post(`${endpoint}/${version}/hostedzone/${hostedZoneId}/rrset`, {
        root: 'ChangeResourceRecordSetsRequest',
        inner: batch,
      });
    }
  };
  return {
    provider,
    apex,
    settle: async () => undefined,
    foreign: {
      put: (sets) => change('UPSERT', sets),
      remove: (sets) => change('DELETE', sets),
    },
    dispose: () => provider.close(),
  };
}

let zones = 0;

async function createZone(endpoint: string, apex: string): Promise<string> {
  zones += 1;
  const answer = await post(`${endpoint}/${version}/hostedzone`, {
    root: 'CreateHostedZoneRequest',
    inner: toXml([
      ['Name', `${apex}.`],
      ['CallerReference', `subject ${process.pid} ${zones}`],
    ]),
  });
  const zone = childOf(parseXml(answer), 'HostedZone');
  return (zone === undefined ? '' : (textOf(zone, 'Id') ?? '')).replace('/hostedzone/', '');
}

async function post(
  url: string,
  { root, inner }: { readonly root: string; readonly inner: string },
): Promise<string> {
  const body = `<?xml version="1.0"?><${root} xmlns="${namespace}">${inner}</${root}>`;
  for (let left = faultsMax; ; left -= 1) {
    const response = await fetch(url, { method: 'POST', headers, body });
    const text = await response.text();
    if (response.ok) return text;
    // Of many requests at once it has answered one so, without a reason.
    if (response.status !== 500 || left === 0) throw new Error(`moto: ${response.status} ${text}`);
  }
}
