// The deadline of a call to an API server is that of all its attempts: who leads an agent's replicas
// counts on the end of what it sent last.

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createExchange } from '../../common/runtime/kube-http-exchange.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { eventually } from '../support/eventually.ts';

test('E2 a call that is sent again after a 401 ends when the first would have', async (t) => {
  const open: ServerResponse[] = [];
  const server = createServer((_request, response) => void open.push(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const clock = createManualClock();
  const exchange = createExchange(
    {
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      caPem: undefined,
      clientCertPem: undefined,
      clientKeyPem: undefined,
      serverName: undefined,
      skipTlsVerify: false,
      token: undefined,
      identity: { current: () => Promise.resolve({ token: 'one' }), refuse: () => undefined },
    },
    clock,
  );
  t.teardown(() => exchange.close());
  const asked = exchange.send({ method: 'PATCH', path: '/', body: '{}', deadlineMs: 10_000 });
  const late = t.throwsAsync(asked, { code: 'KUBE_TIMEOUT' });
  await eventually(20_000, async () => (open.length < 1 ? ['not asked'] : []));
  await clock.advance(9_000);
  open[0]?.writeHead(401).end('{}');
  await eventually(20_000, async () => (open.length < 2 ? ['not asked again'] : []));
  await clock.advance(1_000);
  await late;
});
