// Answers the coordinator's questions about names as this cluster's Pods are answered, so that people
// learn what Pods see without a Pod. One that cannot be answered is answered empty: silence would look
// like an agent of before.

import type { AgentMessage } from '../../common/model/session.ts';

/** A question and its answer as in a DNS message; undefined: none can be given. */
export type AnswerDns = (
  request: Uint8Array,
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

const none = new Uint8Array();
// Those of an answer over TCP; ours are some hundred bytes.
const answerBytesMax = 16 * 1024;

export async function answerQuestion(
  question: { readonly id: number; readonly message: Uint8Array },
  answerers: Iterable<AnswerDns>,
  session: { readonly send: (message: AgentMessage) => void },
): Promise<void> {
  const [answer] = answerers;
  // What cannot be answered is answered so: there is nobody else to tell.
  const message = await Promise.resolve(question.message)
    .then((request) => answer?.(request))
    .catch(() => undefined);
  const fits = message !== undefined && message.length <= answerBytesMax;
  session.send({ kind: 'dnsAnswer', id: question.id, message: fits ? message : none });
}
