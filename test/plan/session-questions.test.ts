// What people ask an agent: each question ends, by its answer, by its time, or with the stream.

import test from 'ava';
import type { AgentLink } from '../../coordinator/session/link.ts';
import { Questions } from '../../coordinator/session/questions.ts';
import type { ClusterRecord } from '../../coordinator/session/stage.ts';
import type { CoordinatorMessage } from '../../common/model/session.ts';
import { answerQuestion } from '../../agent/session/dns-questions.ts';
import { createManualClock } from '../support/manual-clock.ts';

const message = Buffer.from('question');

function open(answersDns: boolean | undefined = true) {
  const clock = createManualClock();
  const sent: CoordinatorMessage[] = [];
  const link = { sendNow: (one: CoordinatorMessage) => sent.push(one) } as unknown as AgentLink;
  const record = { link, state: { answersDns } } as unknown as ClusterRecord; // what is looked at
  return { clock, sent, link, record, questions: new Questions(clock) };
}

test('an answer of the agent that was asked ends its question, and no other does', async (t) => {
  const { questions, record, link, sent } = open();
  const answer = questions.ask(record, message);
  t.deepEqual(sent, [{ kind: 'dnsQuestion', id: 1, message }]);
  questions.answer({} as AgentLink, { id: 1, message: Buffer.from('forged') });
  questions.answer(link, { id: 2, message: Buffer.from('late') });
  questions.answer(link, { id: 1, message: Buffer.from('answer') });
  questions.answer(link, { id: 1, message: Buffer.from('twice') });
  t.deepEqual(await answer, { kind: 'answer', message: Buffer.from('answer') });
  const empty = questions.ask(record, message);
  questions.answer(link, { id: 2, message: new Uint8Array() });
  t.deepEqual(await empty, { kind: 'unable' });
});

test('who is away, of before, silent, or leaves is said to be so', async (t) => {
  const { questions, record, link, clock } = open();
  t.is((await questions.ask(undefined, message)).kind, 'away');
  t.is((await open(false).questions.ask(open(false).record, message)).kind, 'tooOld');
  const silent = questions.ask(record, message);
  await clock.advance(5_000);
  t.is((await silent).kind, 'silent');
  const left = questions.ask(record, message);
  questions.forget(link);
  t.is((await left).kind, 'away');
});

test('I11 so many wait at once, and no more', async (t) => {
  const { questions, record, clock } = open();
  const all = Array.from({ length: 101 }, () => questions.ask(record, message));
  t.is((await all[100])?.kind, 'busy');
  await clock.advance(5_000);
  t.is((await all[0])?.kind, 'silent');
});

test('an agent answers also what its resolver cannot, so that it is not taken for one of before', async (t) => {
  const sent: unknown[] = [];
  const session = { send: (one: unknown) => void sent.push(one) };
  const none = new Uint8Array();
  await answerQuestion({ id: 1, message }, [() => Buffer.from('yes')], session);
  await answerQuestion({ id: 2, message }, [() => Promise.reject(new Error('no'))], session);
  await answerQuestion({ id: 3, message }, [() => undefined], session);
  await answerQuestion({ id: 4, message }, [() => new Uint8Array(20_000)], session);
  await answerQuestion({ id: 5, message }, [], session);
  t.deepEqual(sent, [
    { kind: 'dnsAnswer', id: 1, message: Buffer.from('yes') },
    ...[2, 3, 4, 5].map((id) => ({ kind: 'dnsAnswer', id, message: none })),
  ]);
});
