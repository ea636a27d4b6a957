// A CA that is trusted no more, on connections that stand.

import { once } from 'node:events';
import test from 'ava';
import { systemClock } from '../../common/runtime/clock.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';
import { createApiFixture } from '../support/api-fixture.ts';
import { askHttp2, listenForTest, openHttp2 } from '../support/https-fixture.ts';

const gadgets = '/api/v1/namespaces/default/gadgets';

test('who was let in by a CA that is trusted no more is let in no more, and his watch ends', async (t) => {
  const fixture = await createApiFixture();
  const https = await listenForTest(fixture.api);
  t.teardown(() => https.listener.close());
  const session = openHttp2(https);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const common = { validDays: 1, clock: systemClock };
  const ca = await createCa({ ...common, commonName: 'test CA' });
  const server = await issueServerCertificate({
    ...common,
    ca,
    commonName: 'test server',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
  });
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
  const watch = session.request({ ':path': `${gadgets}?watch=true` });
  await once(watch, 'response');
  watch.resume();
  const ended = once(watch, 'close');

  const both = `${ca.certPem}${https.ca.certPem}`;
  await https.listener.setTls({ ...https.server, clientCaPem: both });
  t.is((await askHttp2(session, { path: gadgets })).status, 200);
  t.false(watch.closed);

  await https.listener.setTls({ ...server, clientCaPem: ca.certPem });
  await ended;
  t.is((await askHttp2(session, { path: gadgets })).status, 401);
});
