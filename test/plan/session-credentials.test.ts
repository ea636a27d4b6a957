// An agent's credentials over months, in virtual time: when it asks for another certificate, and what
// it does when nobody answers, when a person has to approve, and when the CAs change.

import test from 'ava';
import type { AgentMessage } from '../../common/model/session.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { openAgentRecord } from '../../agent/session/agent-record.ts';
import type { AgentPki } from '../../agent/session/agent-pki.ts';
import { CredentialKeeper } from '../../agent/session/credentials.ts';
import type { MeshDialer } from '../../agent/session/mesh-port.ts';
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts';

const dayMs = 86_400_000;
const lifeDays = 90;

interface Life {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const pki: AgentPki = {
  createKey: async () => ({ csrDer: new Uint8Array(), keyPem: 'new key' }),
  requestFor: async ({ keyPem }) => Buffer.from(keyPem),
  validity: (certPem) => JSON.parse(certPem) as Life, // made below
  keyHash: () => 'ab'.repeat(32),
  caHash: () => 'cd'.repeat(32),
  trustDigest: (caPem) => {
    if (!caPem.startsWith('ca')) throw new MeshError('fatal', 'CERTIFICATE_INVALID', 'no CA');
    return `digest of ${caPem}`;
  },
};

/** As the coordinator makes it: backdated an hour. */
function certificate(clock: VirtualClock): string {
  const life: Life = {
    notBeforeMs: clock.now() - 3_600_000,
    notAfterMs: clock.now() + lifeDays * dayMs,
  };
  return JSON.stringify(life);
}

async function open(dialer: Partial<MeshDialer> = {}) {
  const clock = createVirtualClock();
  const tables = { load: () => [], commit: async () => undefined, close: async () => undefined };
  const record = await openAgentRecord(tables);
  const identity = { keyPem: 'key', caPem: 'ca', certPem: certificate(clock), tokenHash: 'used' };
  await record.writeIdentity(identity);
  const lines: string[] = [];
  const say = (message: string, fields: object = {}): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const refuse = (): never => {
    throw new Error('not asked for');
  };
  const keeper = new CredentialKeeper({
    dialer: { fetchCa: refuse, join: refuse, connect: refuse, ...dialer },
    record,
    pki,
    cluster: 'one',
    token: () => undefined,
    agentVersion: '0.1.0',
    clock,
    log: { ...silentLog, warn: say, error: say },
  });
  const sent: { readonly atDay: number; readonly message: AgentMessage }[] = [];
  const send = (message: AgentMessage): void =>
    void sent.push({ atDay: clock.monotonicMs() / dayMs, message });
  return { clock, record, keeper, sent, send, lines };
}

test('a certificate of 90 days is asked for again on day 60, with its own key', async (t) => {
  const { clock, keeper, sent, send } = await open();
  keeper.scheduleRenewal(send);
  await clock.advance(59.99 * dayMs);
  t.deepEqual(sent, []);
  await clock.advance(0.02 * dayMs);
  t.is(sent.length, 1);
  t.is(Math.round((sent[0]?.atDay ?? 0) * 100), 6_000);
  const [{ message } = { message: undefined }] = sent;
  t.is(message?.kind === 'renew' && Buffer.from(message.csrDer).toString(), 'key');
});

test('the new certificate is kept, and asked for again after two thirds of its own life', async (t) => {
  const { clock, record, keeper, sent, send } = await open();
  keeper.scheduleRenewal(send);
  await clock.advance(60.01 * dayMs);
  const next = certificate(clock);
  await keeper.renewed(next, send);
  t.is(record.identity()?.certPem, next);
  t.is(record.identity()?.keyPem, 'key');
  await clock.advance(59.99 * dayMs);
  t.is(sent.length, 1);
  await clock.advance(0.02 * dayMs);
  t.is(sent.length, 2);
});

test('C2 without an answer it is asked for every hour, to the end', async (t) => {
  const { clock, keeper, sent, send } = await open();
  keeper.scheduleRenewal(send);
  await clock.advance(61 * dayMs);
  t.true(sent.length >= 24 && sent.length <= 26, String(sent.length));
  keeper.cancelRenewal();
  const { length } = sent;
  await clock.advance(10 * dayMs);
  t.is(sent.length, length, 'a stream that has ended asks for nothing');
});

test('T4 what has ended is asked for with the key alone, and the log says who has to do what', async (t) => {
  const asked: string[] = [];
  let isApproved = false;
  const { clock, record, keeper, lines } = await open({
    join: async ({ token, csrDer }) => {
      asked.push(`${token}/${Buffer.from(csrDer).toString()}`);
      if (!isApproved) throw new MeshError('retryable', 'JOIN_WAITING', 'waits');
      return { certificateChainPem: certificate(clock), caPem: 'ca of now', clusterUid: 'u' };
    },
  });
  await clock.advance(91 * dayMs);
  for (let time = 0; time < 3; time += 1) {
    await t.throwsAsync(keeper.get(8_000), { code: 'JOIN_WAITING' });
    await clock.advance(15_000);
  }
  t.is(lines.length, 1, 'said once in a while, not each time');
  t.regex(
    lines[0] ?? '',
    /waiting for approval .*abab:abab:abab:abab.*kubectl isthmus approve one/,
  );
  await clock.advance(300_000);
  await t.throwsAsync(keeper.get(8_000), { code: 'JOIN_WAITING' });
  t.is(lines.length, 2);
  isApproved = true;
  t.like(await keeper.get(8_000), { keyPem: 'key', caPem: 'ca of now' });
  t.deepEqual(new Set(asked), new Set(['/key']));
  t.is(record.identity()?.tokenHash, 'used');
});

test('CAs are kept before they are confirmed, and what is none is not kept', async (t) => {
  const { record, keeper } = await open();
  t.deepEqual(await keeper.trust('ca1 ca2'), { kind: 'trusted', digest: 'digest of ca1 ca2' });
  t.is(record.identity()?.caPem, 'ca1 ca2');
  t.is(keeper.trustDigest(), 'digest of ca1 ca2');
  await t.throwsAsync(keeper.trust(''), { code: 'CERTIFICATE_INVALID' });
  t.is(record.identity()?.caPem, 'ca1 ca2');
});

test('a certificate that is none is not kept either', async (t) => {
  const { record, keeper, send } = await open();
  const before = record.identity()?.certPem;
  await t.throwsAsync(keeper.renewed('garbage', send));
  t.is(record.identity()?.certPem, before);
});
