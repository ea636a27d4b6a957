// The federation's CA: how it is replaced, what is refused, and what each end can verify meanwhile;
// and certificates that are made anew in a running process.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { toLogKey, toRevision } from '../../common/model/ids.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import {
  certificateHash,
  isIssuedBy,
  readCertificate,
  splitPem,
  trustDigest,
} from '../../common/runtime/certificates.ts';
import { toTimestamp } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { openAuthority } from '../../coordinator/trust/authority.ts';
import { loadAuthorityKeys } from '../../coordinator/trust/authority-keys.ts';
import { openDataDir } from '../../coordinator/trust/data-dir.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import { createMemoryDisk, createMemoryStore } from '../../coordinator/desired/memory-store.ts';
import {
  auditAuthority,
  stepAuthority,
  type AuthorityEvent,
  type AuthorityState,
} from '../../coordinator/trust/step-authority.ts';
import { createManualClock } from '../support/api-fixture.ts';
import { until } from '../support/mesh-fixture.ts';

const pair = (name: string) => ({ certPem: `cert ${name}`, keyPem: `key ${name}` });
const [t0, t1, t2] = ['2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'];
const single: AuthorityState = { current: pair('a'), former: undefined, links: [] };
const overlapping: AuthorityState = {
  current: pair('b'),
  former: { ca: pair('a'), replacedAt: t0, retireAt: t1 },
  links: ['b by a'],
};
const rotate: AuthorityEvent = {
  kind: 'rotate',
  next: pair('b'),
  link: 'b by a',
  nowText: t0,
  retireAt: t1,
};
const retire = {
  kind: 'retire',
  nowText: t0,
  isAsked: false,
  isForced: false,
  behind: [],
} as const;

test('Z1 a rotation makes the new CA sign and keeps the former trusted, with a link', (t) => {
  t.deepEqual(stepAuthority(single, rotate), { kind: 'become', state: overlapping });
});

const steps: readonly (readonly [string, AuthorityState, AuthorityEvent, string])[] = [
  ['Z2 a second rotation within the overlap', overlapping, rotate, 'refuse'],
  ['a retirement before its time', overlapping, retire, 'stay'],
  ['a retirement at its time', overlapping, { ...retire, nowText: t1 }, 'become'],
  ['a retirement that is asked for', overlapping, { ...retire, isAsked: true }, 'become'],
  [
    'Z3 a retirement at its time that would cut one off',
    overlapping,
    { ...retire, nowText: t2, behind: ['one'] },
    'refuse',
  ],
  [
    'Z3 the same, insisted on',
    overlapping,
    { ...retire, isAsked: true, isForced: true, behind: ['one'] },
    'become',
  ],
  ['nothing to retire', single, { ...retire, nowText: t2 }, 'stay'],
  ['nothing to retire, and asked for', single, { ...retire, isAsked: true }, 'refuse'],
];
for (const [title, state, event, kind] of steps) {
  test(`step: ${title}: ${kind}`, (t) => {
    const step = stepAuthority(state, event);
    t.is(step.kind, kind as never);
    if (step.kind === 'become') t.is(auditAuthority(state, step.state), undefined);
    if (step.kind === 'refuse') t.regex(step.message, /not over|nothing to retire|one.*--force/);
  });
}

test('Z4 links are kept, a bounded number, and the former key is not', (t) => {
  const step = stepAuthority(overlapping, { ...retire, nowText: t1 });
  t.deepEqual(step, { kind: 'become', state: { ...overlapping, former: undefined } });
  let state: AuthorityState = single;
  for (let round = 0; round < 6; round += 1) {
    const turned = stepAuthority(state, { ...rotate, link: `link ${round}` });
    if (turned.kind !== 'become') return t.fail();
    state = { ...turned.state, former: undefined };
  }
  t.deepEqual(state.links, ['link 5', 'link 4', 'link 3']);
});

test('to trust nobody is refused', (t) => {
  t.throws(() => trustDigest(''), { code: 'CERTIFICATE_INVALID' });
});

test('the audit refuses what would cut everybody off', (t) => {
  const without = { ...overlapping, former: undefined };
  t.regex(auditAuthority(single, without) ?? '', /trusted no more/);
  t.regex(auditAuthority(single, { ...overlapping, links: [] }) ?? '', /nothing leads/);
  const third = { ...overlapping, current: pair('c') };
  t.regex(auditAuthority(overlapping, third) ?? '', /trusted no more/);
});

async function open(t: ExecutionContext) {
  const clock = createManualClock(Date.now());
  const common = { clock, chance, log: silentLog, metrics: silentMetrics };
  const store = createMemoryStore({ disk: createMemoryDisk('authority') });
  const desired = await createDesired({ ...common, store });
  const federation = 'myfederation';
  await loadAuthorityKeys({ ...common, desired, federation, former: undefined });
  const authority = openAuthority({ ...common, desired, federation, overlapMs: 30 * 86_400_000 });
  const path = mkdtempSync(join(tmpdir(), 'isthmus-authority-'));
  const dir = await openDataDir({ ...common, path, federation, authority, hosts: ['10.0.0.1'] });
  t.teardown(() => {
    dir.stop();
    authority.stop();
    rmSync(path, { recursive: true });
  });
  const readyCluster = async (name: string, digest: string): Promise<void> => {
    const key = toLogKey({ group: 'isthmus.dev', resource: 'clusters', name });
    const stored = desired.get(key);
    const ready = { type: 'Ready', status: 'True', reason: 'ClusterReady', message: '' };
    const object = {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name, uid: name },
      status: { trustDigest: digest, conditions: [ready] },
    };
    await desired.write({ key, object, expected: stored?.revision ?? toRevision(0) });
  };
  return { clock, desired, authority, dir, readyCluster };
}

/** Whether a TLS client that trusts only these CAs accepts this server. */
function isAccepted(
  server: { readonly certPem: string; readonly keyPem: string },
  caPem: string,
): Promise<boolean> {
  return new Promise((resolve) => {
    const listener = createServer({ cert: server.certPem, key: server.keyPem }, (socket) => {
      socket.on('error', () => undefined);
      socket.end();
    });
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as AddressInfo; // it listens on TCP
      const end = (isFine: boolean) => (): void => {
        socket.destroy();
        listener.close();
        resolve(isFine);
      };
      const socket = connectTls({ port, host: '127.0.0.1', ca: caPem, servername: 'localhost' });
      socket.once('secureConnect', end(true));
      socket.once('error', end(false));
    });
  });
}

test('through a rotation and a retirement, agents that know either CA accept the mesh', async (t) => {
  const { authority, dir } = await open(t);
  const old = authority.signing().certPem;
  await dir.writeAdminKubeconfig('https://127.0.0.1:6443');
  const changed = new Promise<void>((resolve) => void dir.onChange(resolve));
  await authority.rotate();
  await changed;
  const next = authority.signing().certPem;
  t.not(next, old);
  t.is(trustDigest(authority.trustedPem()), trustDigest(`${old}${next}`));
  for (const ca of [old, next, `${old}${next}`]) t.true(await isAccepted(dir.server, ca));
  t.true(await isAccepted(dir.apiServer, old), 'API clients know only the former yet');
  const kubeconfig = readFileSync(join(dir.path, 'admin.kubeconfig'), 'utf8');
  t.true(kubeconfig.includes(Buffer.from(`${next}${old}`).toString('base64')));
  const mesh = dir.mesh.current();
  t.true(mesh.chainPem.endsWith(old), 'what agents before 0.2 compare with their pin');
  t.is(splitPem(mesh.chainFor(certificateHash(next).slice(0, 32)) ?? '').at(-1), next);
  t.is(mesh.chainFor('isthmus-coordinator'), undefined);
  await t.throwsAsync(authority.rotate(), { message: /not over.*keys ca retire/ });
  const retired = new Promise<void>((resolve) => void dir.onChange(resolve));
  await authority.retire(false);
  await retired;
  t.is(authority.trustedPem(), next);
  for (const ca of [old, next]) t.true(await isAccepted(dir.server, ca), 'one that was away');
  t.true(await isAccepted(dir.apiServer, next));
  const der = Buffer.from(
    splitPem(dir.natsClient.certPem)[0]?.split('\n').slice(1, -2).join('') ?? '',
    'base64',
  );
  t.true(isIssuedBy({ der, caPem: next, nowMs: Date.now() }));
});

test('the overlap ends by itself, but not while a connected cluster would be cut off', async (t) => {
  const { clock, authority, readyCluster } = await open(t);
  await readyCluster('late', trustDigest(authority.trustedPem()));
  await authority.rotate();
  t.deepEqual(authority.describe().behind, ['late']);
  await t.throwsAsync(authority.retire(false), { message: /late.*--force/s });
  clock.advance(31 * 86_400_000);
  await readyCluster('late', trustDigest(authority.trustedPem()));
  t.deepEqual(authority.describe().behind, []);
  t.not(authority.describe().former, undefined, 'not while it was behind');
  clock.advance(3_600_000);
  await until(() => authority.describe().former === undefined);
  t.is(splitPem(authority.trustedPem()).length, 1);
});

test('certificates of the process are made anew at two thirds of their year', async (t) => {
  const { clock, dir } = await open(t);
  const [first] = [dir.server.certPem];
  const ends = readCertificate(first).notAfterMs;
  let changes = 0;
  dir.onChange(() => (changes += 1));
  clock.advance(240 * 86_400_000);
  t.is(dir.server.certPem, first);
  clock.advance(4 * 86_400_000);
  await until(() => changes === 1);
  t.true(readCertificate(dir.server.certPem).notAfterMs > ends);
  t.true(readCertificate(dir.natsClient.certPem).notAfterMs > ends);
  t.true(clock.now() < ends, toTimestamp(ends));
});
