// E2: a replica that was stopped while it fetched its credentials does not send what it had leave for.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { fenceKube } from '../../agent/leader/fenced-kube.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { connectKube } from '../../common/runtime/kube-http.ts';

const services = { apiVersion: 'v1', plural: 'services', namespace: 'shop' };
const web = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'shop' } };

async function open(t: ExecutionContext) {
  const sent: string[] = [];
  const lead = { isLost: false, losesIt: false };
  const server = createServer((request, response) => {
    sent.push(request.method ?? '');
    response.end(JSON.stringify(web));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const kube = connectKube({
    config: {
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      caPem: undefined,
      clientCertPem: undefined,
      clientKeyPem: undefined,
      serverName: undefined,
      skipTlsVerify: false,
      // Where a process may be stopped for as long as the lease takes to end.
      token: () => {
        lead.isLost ||= lead.losesIt;
        return Promise.resolve('token');
      },
    },
    clock,
    chance,
  });
  t.teardown(() => kube.close());
  return { sent, lead, kube: fenceKube(kube, () => !lead.isLost) };
}

test('E2 leave is asked again when the credentials are there: nothing is sent without it', async (t) => {
  const { sent, lead, kube } = await open(t);
  await kube.create(services, web);
  t.deepEqual(sent, ['POST']);
  const writes: readonly (() => Promise<unknown>)[] = [
    () => kube.create(services, web),
    () => kube.apply(services, 'web', web, { fieldManager: 'm', force: true }),
    () => kube.mergePatch(services, 'web', {}, 'm'),
    () => kube.jsonPatch(services, 'web', [], 'm'),
    () => kube.delete(services, 'web', { uid: 'u' }),
  ];
  for (const write of writes) {
    Object.assign(lead, { isLost: false, losesIt: true });
    await t.throwsAsync(write(), { code: 'NOT_LEADING' });
  }
  t.deepEqual(sent, ['POST']);
  t.is((await kube.get(services, 'web'))?.metadata.name, 'web'); // reads need no leave
});
