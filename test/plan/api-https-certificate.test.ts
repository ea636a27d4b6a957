// The API's certificate is renewed in time, and a bad one never replaces a good one.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { KeyPairPem } from '../../common/runtime/certificates.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createCa, issueServerCertificate } from '../../common/runtime/pki.ts';
import { certificateFiles, keepCertificate } from '../../coordinator/trust/api-certificate.ts';
import { createManualClock } from '../support/api-fixture.ts';

const hourMs = 3_600_000;
const ports = { log: silentLog, metrics: silentMetrics };

async function issuer(clock = createManualClock()) {
  const ca = await createCa({ commonName: 'ca', validDays: 30, clock });
  const issue = (): Promise<KeyPairPem> =>
    issueServerCertificate({
      ca,
      commonName: 'server',
      dnsNames: ['localhost'],
      ipAddresses: [],
      validDays: 3,
      clock,
    });
  return { clock, issue };
}

test('[k8s 123] the certificate is looked at by the hour, and the new one is served', async (t) => {
  const { clock, issue } = await issuer();
  const [current, next] = [await issue(), await issue()];
  const served = new Promise<KeyPairPem>((resolve) => {
    const apply = async (pair: KeyPairPem): Promise<void> => resolve(pair);
    keepCertificate({ source: async () => next, current, apply, clock, ...ports });
  });
  clock.advance(hourMs);
  t.is((await served).certPem, next.certPem);
});

test('a pair that does not fit is refused, and tried again', async (t) => {
  const { clock, issue } = await issuer();
  const [current, next] = [await issue(), await issue()];
  let isBad = true;
  const served: string[] = [];
  const keeper = keepCertificate({
    source: async () => next,
    current,
    apply: async ({ certPem }) => {
      if (isBad) throw new Error('key values mismatch');
      served.push(certPem);
    },
    clock,
    ...ports,
  });
  await t.throwsAsync(keeper.refresh(), { message: 'key values mismatch' });
  isBad = false;
  await keeper.refresh();
  await keeper.refresh();
  t.deepEqual(served, [next.certPem]);
  keeper.stop();
});

test('files are read as they are now', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-certificate-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [certPath, keyPath] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  writeFileSync(certPath, 'one');
  writeFileSync(keyPath, 'key');
  const source = certificateFiles(certPath, keyPath);
  t.deepEqual(await source(), { certPem: 'one', keyPem: 'key' });
  writeFileSync(certPath, 'two');
  t.deepEqual(await source(), { certPem: 'two', keyPem: 'key' });
});
